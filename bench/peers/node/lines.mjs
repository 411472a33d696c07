// SPDX-License-Identifier: MIT
// How bench/tokens drives a client that is a process: a line "COUNT AT-ONCE" asks for so many calls,
// so many of them under way together; the answer is a line with how many gave the product that was
// asked for. The end of the input ends it.
import readline from 'node:readline';

const SKU = 'MUG-BLUE';

async function run(call, count, atOnce) {
  let left = count;
  let good = 0;
  const worker = async () => {
    while (left-- > 0) {
      const is = await call(SKU).catch(() => false);
      good += is ? 1 : 0; // not in one line: what stands left of an await is read before it
    }
  };
  await Promise.all(Array.from({ length: atOnce }, worker));
  return good;
}

export async function answerLines(call) {
  for await (const line of readline.createInterface({ input: process.stdin })) {
    const [count, atOnce] = line.split(' ').map(Number);
    process.stdout.write(`${await run(call, count, atOnce)}\n`);
  }
}
