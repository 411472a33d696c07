// SPDX-License-Identifier: MIT
// What the linter of Docker's editor tools says of a Dockerfile: [{ line, message }].
import { readFileSync } from "node:fs";
import { validate } from "dockerfile-utils";

const found = validate(readFileSync(process.argv[2], "utf8"), {
	casingMismatch: 1, deprecatedMaintainer: 1, emptyContinuationLine: 1, instructionCasing: 1,
	instructionCmdMultiple: 1, instructionEntrypointMultiple: 1, instructionHealthcheckMultiple: 1,
	instructionJSONInSingleQuotes: 1, instructionWorkdirRelative: 1,
});
console.log(JSON.stringify(found.map(({ range, message }) => ({ line: range.start.line + 1, message }))));
