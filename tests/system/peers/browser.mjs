// SPDX-License-Identifier: MIT
// Chromium, driven by lines of JSON: {"do": ..., ...} in, one answer out for each, and {"failed": ...} if
// it could not be done. Each "new" is another visitor: a context and a page of its own, whose requests
// and errors "seen" tells.
import { createInterface } from "node:readline";
import { chromium } from "playwright-core";

const browser = await chromium.launch({ executablePath: process.argv[2], args: ["--headless", "--no-sandbox",
	"--disable-gpu", "--disable-background-networking", "--no-first-run"] });
let context, page, seen;

const commands = {
	async new({ init, block }) {
		await context?.close();
		context = await browser.newContext();
		seen = { errors: [], requests: [] };
		if (init)
			await context.addInitScript(init);
		if (block)
			await context.route(block, (route) => route.abort("blockedbyclient"));
		context.on("request", (request) =>
			seen.requests.push({ method: request.method(), url: request.url(), body: request.postData() }));
		await commands.tab();
	},
	async tab() {
		page = await context.newPage();
		page.on("pageerror", (error) => seen.errors.push(String(error)));
	},
	go: ({ url, until }) => page.goto(url, { waitUntil: until ?? "load" }).then(() => null),
	run: ({ js }) => page.evaluate(js),
	url: () => page.url(),
	cookies: () => context.cookies(),
	seen: () => seen,
};

console.log(JSON.stringify(browser.version()));
for await (const line of createInterface({ input: process.stdin })) {
	const { do: name, ...options } = JSON.parse(line);
	try {
		console.log(JSON.stringify((await commands[name](options)) ?? null));
	} catch (error) {
		console.log(JSON.stringify({ failed: String(error) }));
	}
}
await browser.close();
