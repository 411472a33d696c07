// SPDX-License-Identifier: MIT
// What every part of the console stands on: elements, times and numbers in words, the one way to the
// daemon, and the dialogs. It knows nothing of lanes or orders.
//
// What must hold: whatever a shop or a partner wrote reaches the page as text alone (there is no way
// here to make markup of a string); the API token leaves this tab only as a request's header, and goes to
// this origin alone; and what is drawn again keeps the reader's focus and place.

// --- elements --------------------------------------------------------------------------------------

const SVG = "http://www.w3.org/2000/svg";

// An element by "tag.class.class", its attributes, and its children: elements, text, or nothing.
export function el(name, attributes = {}, ...children) {
	const [tag, ...classes] = name.split(".");
	return fill(document.createElement(tag), classes, attributes, children);
}

export function svg(name, attributes = {}, ...children) {
	const [tag, ...classes] = name.split(".");
	return fill(document.createElementNS(SVG, tag), classes, attributes, children);
}

function fill(node, classes, attributes, children) {
	if (classes.length) node.setAttribute("class", classes.join(" "));
	for (const [key, value] of Object.entries(attributes))
		if (value === true) node.setAttribute(key, "");
		else if (value !== null && value !== undefined && value !== false) node.setAttribute(key, value);
	for (const child of children.flat(Infinity))
		if (child !== null && child !== undefined && child !== false && child !== "") node.append(child);
	return node;
}

export const byId = (id) => document.getElementById(id);

// Makes the children of a node what is wanted, changing only what differs: focus, selection, scroll and
// an opened <details> stay as the reader left them. A data-key tells what is another thing altogether.
export function morph(node, ...wanted) {
	const children = wanted.flat(Infinity).filter((child) => child)
		.map((child) => (typeof child === "string" ? document.createTextNode(child) : child));
	children.forEach((child, i) => {
		const old = node.childNodes[i];
		if (!old) node.append(child);
		else if (!isSame(old, child)) old.replaceWith(child);
		else if (old.nodeType === Node.TEXT_NODE) old.data === child.data || (old.data = child.data);
		else morphElement(old, child);
	});
	while (node.childNodes.length > children.length) node.lastChild.remove();
}

const KEPT_AS_IT_IS = new Set(["open", "aria-disabled"]);
const isSame = (a, b) => a.nodeName === b.nodeName && (a.nodeType !== Node.ELEMENT_NODE || a.dataset.key === b.dataset.key);

function morphElement(old, wanted) {
	for (const { name } of [...old.attributes])
		if (!wanted.hasAttribute(name) && !KEPT_AS_IT_IS.has(name)) old.removeAttribute(name);
	for (const { name, value } of [...wanted.attributes])
		if (old.getAttribute(name) !== value) old.setAttribute(name, value);
	morph(old, [...wanted.childNodes]);
}

// --- numbers and times in words --------------------------------------------------------------------

const LOCALE = "en-GB";
const counts = new Intl.NumberFormat(LOCALE);
const clockTime = new Intl.DateTimeFormat(LOCALE, { hour: "2-digit", minute: "2-digit", second: "2-digit" });
const shortDay = new Intl.DateTimeFormat(LOCALE, { day: "numeric", month: "short", hour: "2-digit", minute: "2-digit" });

const briefs = new Intl.NumberFormat(LOCALE, { notation: "compact" });
export const brief = (n) => (n < 100000 ? count(n) : briefs.format(n));
export const count = (n) => counts.format(n);
export const plural = (n, one, many = `${one}s`) => `${count(n)} ${n === 1 ? one : many}`;
export const percent = (rate) => `${(100 * rate).toFixed(1)} %`;

// As the command line says it.
export function span(ms) {
	const s = Math.floor(ms / 1000), min = Math.floor(s / 60), h = Math.floor(min / 60);
	if (s < 120) return `${s} s`;
	if (h === 0) return `${min} min`;
	if (h >= 48) return `${Math.floor(h / 24)} days`;
	return min % 60 ? `${h} h ${min % 60} min` : `${h} h`;
}

export function millis(ms) {
	if (ms === null || ms === undefined) return "–";
	if (ms >= 10000) return span(ms);
	return ms >= 1000 ? `${(ms / 1000).toFixed(1)} s` : `${ms < 10 ? Number(ms).toFixed(1) : Math.round(ms)} ms`;
}

export function bytes(n) {
	const units = ["bytes", "KiB", "MiB", "GiB", "TiB"];
	let i = 0;
	for (; n >= 1024 && i < units.length - 1; i++) n /= 1024;
	return `${i && n < 100 ? n.toFixed(1) : Math.round(n)} ${units[i]}`;
}

// The daemon's clock is the one that counts; "at" of each summary says how far this one is off.
let behind = 0;
export const setClock = (at) => (behind = Date.parse(at) - Date.now());
export const now = () => Date.now() + behind;

export function clock(ms) {
	const isNear = Math.abs(now() - ms) < 20 * 3600 * 1000;
	return (isNear ? clockTime : shortDay).format(ms);
}

const tellings = {
	ago: (ms, distance) => (distance > -1000 ? "just now" : `${span(-distance)} ago`),
	soon: (ms, distance) => (distance < 1000 ? "in a moment" : `in ${span(distance)}`),
	age: (ms, distance) => span(Math.max(0, -distance)),
	clock: (ms) => clock(ms),
};

// A time in the reader's zone, told as one of the tellings; UTC is in its title. It goes on by itself.
export function time(at, telling = "ago") {
	const ms = Date.parse(at);
	const utc = new Date(ms).toISOString().replace("T", " ").replace(/\.\d+Z/, " UTC");
	return el("time", { datetime: at, "data-telling": telling, title: `${shortDay.format(ms)} here, ${utc}` },
		tellings[telling](ms, ms - now()));
}

function tick() {
	for (const node of document.querySelectorAll("time[data-telling]")) {
		const ms = Date.parse(node.dateTime), text = tellings[node.dataset.telling](ms, ms - now());
		if (node.textContent !== text) node.textContent = text;
	}
}
setInterval(tick, 1000);

// --- the way to the daemon -------------------------------------------------------------------------

const KEPT = "backchannel.api_token";
const ANSWER_MS = 30000;

export const session = {
	get token() { return sessionStorage.getItem(KEPT) ?? ""; },
	set token(text) { text ? sessionStorage.setItem(KEPT, text) : sessionStorage.removeItem(KEPT); },
	refused: () => {},  // what to do when the daemon wants another token
};

// What came of a request that did not succeed: status 0 is no answer at all.
export class Trouble extends Error {
	constructor(status, detail, retryAfter = 0) {
		super(detail);
		this.status = status;
		this.retryAfter = retryAfter;
	}
}

async function send(method, path, options) {
	const headers = {};
	if (session.token) headers.Authorization = `Bearer ${session.token}`;
	if (method === "POST") headers["Content-Type"] = "application/json";
	try {
		return await fetch(path, { method, headers, body: method === "POST" ? "{}" : undefined, cache: "no-store",
			redirect: "error", ...options });
	} catch (error) {
		throw error.name === "AbortError" ? error : new Trouble(0, "the daemon does not answer");
	}
}

// An answer that is a good one; else Trouble, with the words that the daemon has for it.
export async function open(method, path, options = {}) {
	const token = session.token;
	const answer = await send(method, path, options);
	if (answer.ok) return answer;
	const problem = await answer.json().catch(() => ({}));
	if (answer.status === 401 && token === session.token) session.refused(token);
	throw new Trouble(answer.status, problem.detail ?? problem.title ?? `the daemon answered ${answer.status}`,
		Number(answer.headers.get("Retry-After")) || 0);
}

export async function ask(method, path) {
	const answer = await open(method, path, { signal: AbortSignal.timeout(ANSWER_MS) });
	try {
		return await answer.json();
	} catch {
		throw new Trouble(0, "the daemon's answer broke off");
	}
}

export const get = (path) => ask("GET", path);
export const post = (path) => ask("POST", path);

// --- telling and asking the reader -----------------------------------------------------------------

// The outcome of what the reader did: said aloud once, and there until it is closed or another comes.
export function note(text, isBad = false) {
	const box = byId("note"), story = byId("story");
	(story.open ? story : document.body).append(box);  // what lies under an open dialog is out of reach
	box.hidden = false;
	box.classList.toggle("bad", isBad);
	byId(isBad ? "note-text" : "note-alert").textContent = "";
	byId(isBad ? "note-alert" : "note-text").textContent = text;
}

export function clearNote() {
	byId("note").hidden = true;
	for (const id of ["note-text", "note-alert"]) byId(id).textContent = "";
}

// Asks before something is done; true: the reader wants it.
export function confirmed(title, text, verb) {
	const dialog = byId("confirm");
	byId("confirm-title").textContent = title;
	byId("confirm-text").textContent = text;
	byId("confirm-do").textContent = verb;
	dialog.returnValue = "";
	byId("confirm-do").onclick = () => dialog.close("do");
	byId("confirm-leave").onclick = () => dialog.close();
	dialog.showModal();
	byId("confirm-leave").focus();
	return new Promise((resolve) =>
		dialog.addEventListener("close", () => resolve(dialog.returnValue === "do"), { once: true }));
}

// Does what a button says, once at a time, and tells how it ended.
export async function act(button, work) {
	if (button.getAttribute("aria-disabled") === "true") return;
	button.setAttribute("aria-disabled", "true");
	try {
		const told = await work();
		if (told) note(told);
	} catch (trouble) {
		if (trouble.status !== 401) note(trouble.message, true);
	} finally {
		button.removeAttribute("aria-disabled");
	}
}

// --- words that several panels use -----------------------------------------------------------------

// A state is a word with a sign and a colour, never a colour alone.
const SIGNS = { good: "●", wait: "◐", warn: "▲", bad: "■", none: "○" };
export const badge = (kind, word) => el(`span.badge.${kind}`, {}, el("span", { "aria-hidden": "true" }, SIGNS[kind]), word);

// What is wrong, and behind it what it means and what helps.
export function reason(text) {
	const end = text.indexOf("; ") + 1 || text.length;
	return el("p.reason", {}, el("strong", {}, text.slice(0, end)), text.slice(end));
}

export const facts = (...rows) => el("dl.facts", {}, rows.filter((row) => row)
	.map(([term, ...told]) => el("div", {}, el("dt", {}, term), el("dd", {}, ...told))));

export function table(caption, heads, rows) {
	const cells = (row) => row.map((cell, i) => el(i ? "td" : "th", { scope: i ? null : "row" }, cell));
	return el("div.wide", { tabindex: 0, role: "region", "aria-label": caption },
		el("table", {}, el("caption.unseen", {}, caption),
			el("thead", {}, el("tr", {}, heads.map((head) => el("th", { scope: "col" }, head)))),
			el("tbody", {}, rows.map((row) => el("tr", {}, cells(row))))));
}
