// SPDX-License-Identifier: MIT
// The orders of the console: the list, searched and filtered by the daemon and read page by page as the
// reader scrolls, and one order's story in the words of `backchannel explain`.
//
// What must hold: a list of 100,000 orders draws no more than the rows that can be seen; an answer that
// is late never overwrites what was asked after it; and nothing is sent or withdrawn unasked.
import { act, badge, byId, confirmed, count, el, facts, get, millis, morph, now, plural, post, span, table, time }
	from "./console-base.js";

// --- words: one row a state, as explain and the lanes command have them ------------------------------

export const orderStates = {
	pending: { sign: "wait", headline: "waits to be handed back", next: nextPending, can: ["retry", "cancel"] },
	sending: { sign: "wait", headline: "is being handed back right now", next: () =>
		["The request is on its way; its result will stand here in a moment."] },
	delivered: { sign: "good", headline: "was handed back", next: nextDelivered },
	rejected: { sign: "bad", headline: "was refused by the partner", can: ["retry"], next: () =>
		["Nothing by itself: sending it again would be answered the same. When the cause is mended, “Send again” sends it once more."] },
	expired: { sign: "bad", headline: "could not be handed back in time", can: ["retry"], next: nextEnded },
	cancelled: { sign: "none", headline: "was withdrawn before it was handed back", can: ["retry"], next: nextEnded },
	unattributed: { sign: "none", headline: "has no click, so there is nothing to hand back", next: nextUnattributed },
};

const unknownState = { sign: "none", headline: "", next: () => [] };
const stateOf = (order) => orderStates[order.state] ?? { ...unknownState, headline: order.state };

const actions = {
	retry: {
		verb: (order) => (order.state === "pending" ? "Send now" : "Send again"),
		title: (order) => `Send order ${order.order} ${order.state === "pending" ? "now" : "again"}?`,
		text: (order) => (order.revoked_at
			? "The shop took this order back. It is handed to the partner all the same."
			: "It is handed to the partner as soon as its lane is free."),
		done: (order) => `Order ${order.order} is ${order.state}; it goes out as soon as its lane is free.`,
	},
	cancel: {
		verb: () => "Withdraw",
		title: (order) => `Withdraw order ${order.order}?`,
		text: () => "It is not handed to the partner, and the shop earns nothing by it. “Send again” brings it back.",
		done: (order) => `Order ${order.order} is ${order.state}.`,
	},
};

function soon(at) {
	return at ? time(at, "soon") : "in a moment";
}

function deadline(order) {
	return order.deadline_at && ["It is given up ", time(order.deadline_at, "soon"), "; “Send again” brings it back even then."];
}

const lanesNext = {
	parked: (o) => [`The lane ${o.lane} is parked: ${o.lane_reason}. Nothing is lost: the order waits, and its time does not run. `,
		"The test token is tried ", soon(o.lane_next_probe_at), "; as soon as it is accepted, everything that waits goes out by itself."],
	paused: (o) => [`The lane ${o.lane} was paused by the operator `, time(o.lane_since),
		". Nothing is lost: the order waits, and its time does not run. It goes out after the lane is resumed."],
	broken: (o) => [`The lane ${o.lane} is broken: ${o.lane_reason}. One order is tried `, soon(o.lane_next_probe_at),
		"; as soon as the partner answers, everything that is due goes out by itself. ", deadline(o)],
	throttled: (o) => [`The lane ${o.lane} is throttled: ${o.lane_reason}. It goes on `, soon(o.lane_next_probe_at),
		", and the order with it when it is due. ", deadline(o)],
	suspect: (o) => [`The lane stands for a moment (suspect: ${o.lane_reason}); then `, due(o)],
};

function due(order, it = "it") {
	const isAhead = order.next_attempt_at && Date.parse(order.next_attempt_at) > now();
	return [isAhead ? [it, " is sent again ", time(order.next_attempt_at, "soon"), ". "]
		: `${it} goes out as soon as the lane is free. `, deadline(order)];
}

function nextPending(order) {
	const told = lanesNext[order.lane_state];
	return told ? told(order) : due(order, "It");
}

function nextDelivered(order) {
	return ["Nothing: the partner has it. ", order.click?.token_kept
		? "The token is kept with the order for order.keep, in case it must be named later."
		: "The token has been deleted here, as the guide asks."];
}

function nextEnded() {
	return ["Nothing by itself. “Send again” sends it once more."];
}

function nextUnattributed(order) {
	const reason = order.reason ?? "";
	if (reason.startsWith("click used"))
		return ["Nothing: one click serves one order. (Testing? Any aaaaa-test-aaa-aaaaa is a test token of its own.)"];
	if (reason === "no click named")
		return ["Nothing, unless the shop reports this order again with its click, session or token. Does the shop send the bc_click cookie? See ",
			el("code", {}, "backchannel recipe nginx"), "."];
	return ["Should the click still turn up within order.adopt, it joins the order and goes out. ",
		"If this happens often, compare click.ttl with how long customers take."];
}

function nextRevoked(order) {
	const manager = [order.lane?.startsWith("sovendus.") ? "Sovendus publishes" : "backchannel knows",
		" no call to take a conversion back: tell the account manager there. ",
		el("code", {}, "backchannel orders --revoked"), " lists every such order."];
	if (order.state === "delivered")
		return ["Nothing by itself: the partner has it, and the shop took the order back after that. ", manager];
	if (order.state === "sending")
		return ["The request is on its way, and the shop took the order back meanwhile. ",
			"If the partner does not take it, it is not sent again; if it does: ", manager];
	const mayHave = order.attempts.some((attempt) => attempt.outcome === "unknown");
	return [mayHave ? ["Nothing by itself. An attempt had no clear answer, so the partner may have it all the same. ", manager]
		: "Nothing: the shop took the order back before it was handed back, and the partner never had it.",
		" Should the shop replace it by an edited one, that one is handed back in its place."];
}

// --- the list ------------------------------------------------------------------------------------------

const PAGE = 200;
const SPARE_ROWS = 8;
const AGAIN_MS = 3000;
const TYPING_MS = 200;

const list = { rows: [], next: null, asked: 0, isLoading: false, isStale: false, trouble: "", total: null, loadedAt: 0,
	isAsked: false };
const drawn = new Map();  // index -> row element
let stateCounts = {};

const linkOf = (order) => `#order=${encodeURIComponent(order)}`;

function what(order) {
	if (order.reason) return order.reason;
	if (order.revoked_at) return "taken back by the shop";
	if (order.state === "pending" && order.attempt_count) return `after ${plural(order.attempt_count, "attempt")}`;
	return "";
}

function rowOf(order, index) {
	const cell = (name, ...told) => el(`span.cell.${name}`, { role: "cell" }, ...told);
	const amount = order.amount ? `${order.amount} ${order.currency ?? ""}` : "";
	return el("div.row", { role: "row", "aria-rowindex": index + 2, "data-index": index, "data-key": order.order },
		cell("order", el("a", { href: linkOf(order.order) }, order.order)),
		cell("state", badge(stateOf(order).sign, order.state)),
		cell("product", order.product ?? "", order.kind === "test" && " (test)"),
		cell("amount", amount),
		cell("when", time(order.created_at)),
		cell("what", what(order)));
}

function visible() {
	const scroller = byId("scroller"), height = rowHeight();
	const first = Math.floor(scroller.scrollTop / height) - SPARE_ROWS;
	const last = first + Math.ceil(scroller.clientHeight / height) + 2 * SPARE_ROWS;
	return { first: Math.max(0, first), last: Math.min(list.rows.length - 1, last), height };
}

const rowHeight = () => parseFloat(getComputedStyle(byId("scroller")).getPropertyValue("--row")) || 44;

// Only the rows in sight are in the page, and the one that has the focus.
function drawRows() {
	const { first, last, height } = visible(), rows = byId("rows");
	const focused = rows.contains(document.activeElement) ? Number(document.activeElement.closest(".row").dataset.index) : -1;
	for (const [index, node] of drawn) {
		const gone = index < first || index > last;
		if (index >= list.rows.length || (gone && index !== focused)) {
			node.remove();
			drawn.delete(index);
		}
	}
	for (let index = first; index <= last; index++) drawRow(index, height);
	rows.style.height = `${list.rows.length * height}px`;
	byId("list").setAttribute("aria-rowcount", list.next ? (list.total ?? -2) + 1 : list.rows.length + 1);
	if (list.next && last >= list.rows.length - SPARE_ROWS && !list.trouble) load();
}

function drawRow(index, height) {
	const wanted = rowOf(list.rows[index], index), old = drawn.get(index);
	wanted.style.transform = `translateY(${index * height}px)`;
	if (old && old.dataset.key === wanted.dataset.key) {
		morph(old, [...wanted.childNodes]);
		old.style.transform = wanted.style.transform;
		return;
	}
	if (old) old.remove();
	drawn.set(index, wanted);
	// In the list's order, so that Tab goes through it from top to bottom.
	const after = [...byId("rows").children].find((node) => Number(node.dataset.index) > index);
	byId("rows").insertBefore(wanted, after ?? null);
}

function drawList() {
	drawRows();
	const shown = plural(list.rows.length, "order");
	const all = list.total !== null && list.total > list.rows.length ? ` of ${count(list.total)}` : "";
	const told = list.trouble || (list.isLoading && !list.rows.length ? "Reading …"
		: list.rows.length ? `${shown} read${all}, newest first` : emptyWords());
	byId("shown").textContent = told;
	if (list.isAsked && !list.isLoading) byId("shown-aloud").textContent = told;
	if (!list.isLoading) list.isAsked = false;
	byId("shown").classList.toggle("bad", Boolean(list.trouble));
	byId("more").hidden = !list.next && !list.trouble;
	byId("more").textContent = list.trouble ? "Try again" : "Read more";
	byId("scroller").hidden = !list.rows.length;
}

function emptyWords() {
	const { search, state } = filter();
	if (search)
		return `No order begins with “${search}”${state ? ` and is ${state}` : ""}. `
			+ "The search looks at the beginning of the number, as the shop sends it.";
	if (state) return `No order is ${state}.`;
	return "No order has been reported yet. The shop reports one by POST /v1/orders, or Adobe Commerce tells of it.";
}

const filter = () => ({ search: byId("search").value.trim(), state: byId("state").value });

function query(cursor) {
	const { search, state } = filter(), q = new URLSearchParams({ limit: PAGE });
	if (search) q.set("search", search);
	if (state) q.set("state", state);
	if (cursor) q.set("cursor", cursor);
	return `/v1/orders?${q}`;
}

// The next page, or with isNew the first one again.
async function load(isNew = false) {
	if (list.isLoading && !isNew) return;
	const asked = ++list.asked;
	list.isLoading = true;
	try {
		const page = await get(query(isNew ? null : list.next));
		if (asked !== list.asked) return;
		list.rows = isNew ? page.orders : list.rows.concat(page.orders);
		Object.assign(list, { next: page.next, trouble: "" });
		if (isNew) Object.assign(list, { isStale: false, loadedAt: Date.now() });
	} catch (trouble) {
		if (asked !== list.asked) return;
		list.trouble = `The list could not be read: ${trouble.message}`;
	}
	list.isLoading = false;
	countAll();
	drawList();
}

// How many there are is known without asking, unless it is a search.
function countAll() {
	const { search, state } = filter();
	const all = Object.values(stateCounts).reduce((sum, n) => sum + n, 0);
	list.total = search || !Object.keys(stateCounts).length ? null : state ? stateCounts[state] ?? 0 : all;
}

// The reader asked, so he is told what came of it; what the page does by itself is not said aloud.
function restart() {
	byId("scroller").scrollTop = 0;
	list.isAsked = true;
	load(true);
}

// Who stands at the top of the list sees it change; who has scrolled is not moved.
function followChanges() {
	const isAtTop = byId("scroller").scrollTop < rowHeight() && list.rows.length <= PAGE;
	if (list.isStale && !list.isLoading && isAtTop && !document.hidden && Date.now() - list.loadedAt > AGAIN_MS) load(true);
	byId("refresh").classList.toggle("news", list.isStale && !isAtTop);
}

// --- keys: up and down go from order to order, wherever the list ends in the page ------------------------

const steps = { ArrowDown: 1, ArrowUp: -1, PageDown: 10, PageUp: -10, Home: -Infinity, End: Infinity };

function step(event) {
	const row = event.target.closest?.(".row"), by = steps[event.key];
	if (!row || !by || event.altKey || event.ctrlKey || event.metaKey) return;
	event.preventDefault();
	focusRow(Math.max(0, Math.min(list.rows.length - 1, Number(row.dataset.index) + by)));
}

function focusRow(index) {
	const scroller = byId("scroller"), height = rowHeight();
	const top = index * height, room = scroller.clientHeight - byId("heads").offsetHeight;
	if (top < scroller.scrollTop) scroller.scrollTop = top;
	else if (top + height > scroller.scrollTop + room) scroller.scrollTop = top + height - room;
	drawRows();
	drawn.get(index)?.querySelector("a").focus({ preventScroll: true });
}

// --- one order's story -----------------------------------------------------------------------------------

const story = { order: null, told: null, asked: 0 };

function attemptsTable(order) {
	if (!order.attempts.length) return order.state !== "unattributed" && el("p", {}, "Not sent yet.");
	return table("Attempts", ["Attempt", "Answer", "Outcome"], order.attempts.map((a) => [
		[`${a.n}, `, time(a.at)],
		`${a.status ?? "no answer"} after ${millis(a.duration_ms)}`,
		[a.outcome, a.error && el("span.why", {}, a.error), a.key_fingerprint && el("span.why.quiet", {}, `key ${a.key_fingerprint}`)]]));
}

function clickWords(order) {
	const click = order.click;
	if (!click) return null;
	const told = click.id ? click.id : click.token_hash ? (click.captured_at ? "its id is cleared by now" : "named by its token")
		: `not known${click.by_session ? "; a session was named" : ""}`;
	const before = click.captured_at && Date.parse(order.created_at) - Date.parse(click.captured_at);
	return [told, click.token_hash && ` (token #${click.token_hash})`, before > 0 && `, captured ${span(before)} before the order`,
		order.kind === "test" && ", a test token"];
}

function commerceWords(order) {
	if (!order.entity_id && !order.edition && !order.comment) return null;
	return [order.entity_id ? `order ${order.entity_id} there` : "its id there is not known",
		order.edition ? `, edited ${plural(order.edition, "time")}` : "", order.comment ? `, comment ${order.comment}` : ""];
}

function storyFacts(order) {
	const amount = order.amount && `, ${order.amount}${order.currency ? ` ${order.currency}` : ""}`;
	const click = clickWords(order), commerce = commerceWords(order);
	return facts(
		["Reported", time(order.created_at), " (", time(order.created_at, "clock"), ")", amount ?? ""],
		order.revoked_at && ["Taken back", "by the shop ", time(order.revoked_at)],
		order.reason && ["Because", order.reason],
		click && ["Click", ...click],
		order.lane && ["Lane", el("a", { href: `#lane=${encodeURIComponent(order.lane)}` }, order.lane), order.lane_state ? ` (${order.lane_state})` : ""],
		commerce && ["Commerce", ...commerce]);
}

function storyBody(order) {
	const state = stateOf(order), can = state.can ?? [];
	return [
		el("p.lead", {}, badge(state.sign, order.state), ` Order ${order.order} ${state.headline}`,
			order.finished_at ? [" ", time(order.finished_at)] : "", "."),
		el("h3", {}, "What was seen"), storyFacts(order),
		order.state === "unattributed" ? null : [el("h3", {}, "What was sent, and answered"), attemptsTable(order)],
		el("h3", {}, "What happens next"),
		el("p", { id: "story-next" }, ...(order.revoked_at ? nextRevoked(order) : state.next(order)).flat(4).filter(Boolean)),
		can.length > 0 && el("p.actions", {}, can.map((name) =>
			el("button", { type: "button", "data-order-action": name, "data-key": name }, actions[name].verb(order)))),
	].flat();
}

async function readStory() {
	const asked = ++story.asked, id = story.order;
	try {
		const order = await get(`/v1/orders/${encodeURIComponent(id)}`);
		if (asked !== story.asked || story.order !== id) return;
		story.told = order;
		morph(byId("story-body"), storyBody(order));
	} catch (trouble) {
		if (asked === story.asked && trouble.status !== 401) morph(byId("story-body"), el("p.bad", {}, trouble.message));
	}
}

export function openStory(id) {
	const dialog = byId("story");
	if (story.order === id && dialog.open) return;
	Object.assign(story, { order: id, told: null });
	byId("story-title").textContent = `Order ${id}`;
	morph(byId("story-body"), el("p", {}, "Reading …"));
	if (!dialog.open) dialog.showModal();
	readStory();
}

export function closeStory() {
	const dialog = byId("story"), id = story.order;
	Object.assign(story, { order: null, told: null });
	if (dialog.open) dialog.close();
	document.body.append(byId("note"));
	byId("rows").querySelector(`[data-key="${CSS.escape(id ?? "")}"] a`)?.focus({ preventScroll: true });
}

function storyAction(event) {
	const button = event.target.closest("button[data-order-action]");
	if (!button || !story.told) return;
	const name = button.dataset.orderAction, action = actions[name], order = story.told;
	act(button, async () => {
		if (!await confirmed(action.title(order), action.text(order), action.verb(order))) return null;
		const changed = await post(`/v1/orders/${encodeURIComponent(order.order)}/${name}`);
		await readStory();
		list.isStale = true;
		list.loadedAt = 0;
		return action.done(changed);
	});
}

// --- what the page calls ---------------------------------------------------------------------------------

function drawStates() {
	const select = byId("state");
	const rows = Object.entries(stateCounts).map(([name, n]) => el("option", { value: name }, `${name} (${count(n)})`));
	morph(select, [el("option", { value: "" }, "any state"), ...rows]);
}

// A summary came: what of it concerns orders.
export function ordersChanged(summary) {
	const before = JSON.stringify(stateCounts);
	stateCounts = summary.orders;
	if (before === JSON.stringify(stateCounts)) return;
	drawStates();
	countAll();
	list.isStale = true;
	if (!list.loadedAt) load(true);
	else drawList();
	if (story.order && !list.isLoading) readStory();
}

// The daemon is back: what could not be read meanwhile is read now.
export function ordersAgain() {
	if (list.trouble || byId("scroller").scrollTop < rowHeight()) load(true);
	else list.isStale = true;
}

// Nothing that was shown stays, neither in the page nor in memory.
export function clearOrders() {
	list.asked++;
	story.asked++;
	stateCounts = {};
	Object.assign(list, { rows: [], next: null, isLoading: false, isStale: false, trouble: "", total: null, loadedAt: 0 });
	Object.assign(story, { order: null, told: null });
	byId("story").close();
	byId("search").value = "";
	byId("state").value = "";
	for (const id of ["rows", "story-body"]) morph(byId(id), []);
	byId("story-title").textContent = "";
	drawn.clear();
	drawStates();
	byId("shown").textContent = byId("shown-aloud").textContent = "";
	byId("more").hidden = byId("scroller").hidden = true;
}

export function startOrders() {
	let typing;
	byId("search").addEventListener("input", () => {
		clearTimeout(typing);
		typing = setTimeout(restart, TYPING_MS);
	});
	byId("filters").addEventListener("submit", (event) => {
		event.preventDefault();
		restart();
	});
	byId("state").addEventListener("change", restart);
	byId("refresh").addEventListener("click", restart);
	byId("more").addEventListener("click", () => {
		list.isAsked = true;
		load(!list.rows.length);
	});
	byId("scroller").addEventListener("scroll", drawRows, { passive: true });
	byId("rows").addEventListener("keydown", step);
	byId("story").addEventListener("click", storyAction);
	new ResizeObserver(() => list.rows.length && drawRows()).observe(byId("scroller"));
	setInterval(() => {
		if (list.loadedAt) followChanges();
		if (/^(pending|sending)$/.test(story.told?.state) && !document.hidden) readStory();
	}, 1000);
}
