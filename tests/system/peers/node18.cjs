// SPDX-License-Identifier: MIT
// What Redocly's client expects of a Node.js that is newer than Debian's 18: two globals of today.
globalThis.File ??= require("node:buffer").File;
String.prototype.toWellFormed ??= function () {
	return this.replace(/[\uD800-\uDBFF](?![\uDC00-\uDFFF])|(?<![\uD800-\uDBFF])[\uDC00-\uDFFF]/g, "\uFFFD");
};
