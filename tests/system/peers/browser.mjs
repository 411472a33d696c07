// SPDX-License-Identifier: MIT
// Chromium, driven by lines of JSON: {"do": ..., ...} in, one answer out for each, and {"failed": ...} if
// it could not be done. Each "new" is another visitor: a context and a page of its own, whose requests
// and errors "seen" tells.
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { createInterface } from "node:readline";
import { chromium } from "playwright-core";

const AXE = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
const browser = await chromium.launch({ executablePath: process.argv[2], args: ["--headless", "--no-sandbox",
	"--disable-gpu", "--disable-background-networking", "--no-first-run"] });
let context, page, seen;

const commands = {
	// init: a script that runs first; block: a pattern of requests that fail; the rest as newContext has it.
	async new({ init, block, ...options }) {
		await context?.close();
		context = await browser.newContext(options);
		seen = { errors: [], requests: [], console: [] };
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
		page.on("console", (line) => seen.console.push({ level: line.type(), text: line.text() }));
	},
	go: ({ url, until }) => page.goto(url, { waitUntil: until ?? "load" }).then(() => null),
	run: ({ js }) => page.evaluate(js),
	url: () => page.url(),
	cookies: () => context.cookies(),
	seen: () => seen,
	// As a visitor does it, on what can be seen and reached.
	click: ({ at }) => page.click(at, { timeout: 10000 }),
	hover: ({ at }) => page.hover(at, { timeout: 10000 }),
	fill: ({ at, text }) => page.fill(at, text, { timeout: 10000 }),
	press: ({ key }) => page.keyboard.press(key),
	size: ({ width, height }) => page.setViewportSize({ width, height }),
	media: (options) => page.emulateMedia(options),
	shot: ({ path }) => page.screenshot({ path }).then(() => null),
	// From now on requests of this pattern are answered so; without a status, by whom they are for.
	async answer({ pattern, status, type, body }) {
		await page.unroute(pattern);
		if (status)
			await page.route(pattern, (route) => route.fulfill({ status, contentType: type, body }));
	},
	// What axe-core finds: [impact, rule, what is concerned].
	async axe() {
		await page.evaluate(AXE);
		const { violations } = await page.evaluate("axe.run(document, { resultTypes: ['violations'] })");
		return violations.map((v) => [v.impact, v.id, v.nodes.map((node) => node.html)]);
	},
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
