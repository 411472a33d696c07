// SPDX-License-Identifier: MIT
// The console: what somebody who looks after the shop wants to see at a glance, and the few things that
// help. This file has the connection and the panels; console-base.js what they stand on, and
// console-orders.js the orders. Its manual is docs/console.md.
//
// What must hold: the daemon's summary comes by one stream, and everything shown is drawn from the last
// one; when the stream ends it is opened again by itself; when the daemon wants another token, nothing of
// what was shown stays. Whatever does not say more than "all is well" is quiet.
import { Trouble, act, badge, brief, byId, bytes, clearNote, clock, confirmed, count, el, facts, get, millis, morph, note, now,
	open, percent, plural, post, reason, session, setClock, span, svg, table, time } from "./console-base.js";
import { clearOrders, closeStory, openStory, orderStates, ordersAgain, ordersChanged, startOrders } from "./console-orders.js";

const HISTORY_MS = 60000;
const SILENCE_MS = 40000;  // the stream says that it is alive every 15 s
const WAIT_MS = 1000;
const WAIT_MAX_MS = 15000;
const DISK_LOW_BYTES = 512 * 1024 * 1024;

let summary = null;
const histories = {};  // span -> the last answer
let flowSpan = "24h";

// --- lanes: one row a state, in the words of `backchannel lanes` and explain -----------------------------

const soon = (at) => (at ? time(at, "soon") : "right now");
const laneStates = {
	open: { sign: "good", rank: 0, action: "pause", next: () => ["Orders go out as they come."] },
	throttled: { sign: "wait", rank: 1, next: (lane) =>
		["The partner asked for a pause. It goes on by itself ", soon(lane.next_probe_at), "."] },
	suspect: { sign: "wait", rank: 1, next: () => ["A test token is on its way; the lane opens or parks within seconds."] },
	paused: { sign: "warn", rank: 2, action: "resume", next: () =>
		["Nothing is lost: orders are accepted and wait, and their time does not run. “Resume” lets it go on."] },
	broken: { sign: "bad", rank: 3, action: "probe", next: (lane) => ["One order is tried ", soon(lane.next_probe_at),
		"; as soon as the partner answers, everything that is due goes out by itself. “Probe” asks the partner now."] },
	parked: { sign: "bad", rank: 3, action: "probe", next: (lane) =>
		["Nothing is lost: orders wait, and their time does not run. The test token is tried ", soon(lane.next_probe_at),
			"; as soon as it is accepted, everything that waits goes out by itself. Once the cause is mended, “Probe” asks at once."] },
};
const laneState = (lane) => laneStates[lane.state] ?? { sign: "none", rank: 1, next: () => [] };

const laneActions = {
	pause: { verb: "Pause", told: (lane) => `Lane ${lane.name} is ${lane.state}: orders are accepted and wait.`,
		text: "Nothing leaves until it is resumed, also after a restart; orders are accepted and wait, and no deadline runs." },
	resume: { verb: "Resume", told: (lane) => `Lane ${lane.name} is ${lane.state}: what waits goes out.` },
	probe: { verb: "Probe", told: ({ probe }) =>
		`Test token: ${probe.status ?? "no answer"} after ${millis(probe.duration_ms)}, ${probe.outcome}: ${probe.meaning}. ${probe.hint}`,
		isBad: ({ probe }) => probe.outcome !== "delivered" },
};

function actOnLane(button) {
	const { laneAction: name, lane } = button.dataset, action = laneActions[name];
	act(button, async () => {
		if (action.text && !await confirmed(`${action.verb} lane ${lane}?`, action.text, action.verb)) return null;
		const answer = await post(`/v1/lanes/${encodeURIComponent(lane)}/${name}`);
		if (!action.isBad?.(answer)) return action.told(answer);
		note(action.told(answer), true);
		return null;
	});
}

function drawLane(lane) {
	const { sign, action, next } = laneState(lane);
	return el("article.lane", { id: `lane-${lane.name}`, "data-key": lane.name, tabindex: -1 },
		el("header", {}, el("h3", {}, lane.name), badge(sign, lane.state)),
		lane.reason && reason(lane.reason),
		el("p.next", {}, ...next(lane)),
		facts(["Since", time(lane.since)], ["Waiting", count(lane.pending)],
			["On their way", count(lane.in_flight)],
			["Oldest", lane.oldest_pending_at ? time(lane.oldest_pending_at, "age") : "–"]),
		action && el(sign === "good" ? "button" : "button.main", { type: "button", "data-lane-action": action, "data-lane": lane.name,
			"data-key": action, "aria-label": `${laneActions[action].verb} lane ${lane.name}` }, laneActions[action].verb));
}

// --- what wants attention: one row a concern, each telling what is wrong and what to do ------------------

const concerns = [
	({ store }) => store && !store.writable && { sign: "bad", href: "#store", title: "The store takes no writes",
		text: [store.error, store.hint] },
	({ lanes }) => lanes.filter((lane) => laneState(lane).rank > 0).map((lane) => ({ sign: laneState(lane).sign,
		href: `#lane=${encodeURIComponent(lane.name)}`, title: `Lane ${lane.name} is ${lane.state}`, text: [lane.reason] })),
	({ token }) => token && /^(none|refused)$/.test(token.state) && { sign: "bad", href: "#token",
		title: token.state === "refused" ? "The OAuth credential is refused" : "There is no access token for Commerce",
		text: [token.last_error ?? token.problem, token.hint] },
	({ journal }) => journal?.error && { sign: "warn", href: "#journal", title: "The journal cannot be read on",
		text: [journal.error, journal.hint] },
	({ store }) => store?.free_bytes < DISK_LOW_BYTES && { sign: "warn", href: "#store", title: "The disk fills",
		text: [`${bytes(store.free_bytes)} are left where the store is`, "make room before it is full: then clicks and orders are refused"] },
];

function attention(s) {
	return concerns.map((concern) => concern(s)).flat().filter(Boolean);
}

function drawStanding(s) {
	const found = attention(s);
	document.title = `${found.length ? `(${found.length}) ` : ""}backchannel`;
	return [
		el("h1", {}, found.length ? `${plural(found.length, "thing")} want${found.length === 1 ? "s" : ""} attention` : "All is well"),
		found.length ? el("ul.concerns", {}, found.map((c) => el(`li.${c.sign}`, { "data-key": c.title },
			el("a", { href: c.href }, el("span", { "aria-hidden": "true" }, c.sign === "bad" ? "■ " : "▲ "), c.title),
			c.text.filter(Boolean).map((text) => el("span.why", {}, text)))))
			: el("p.quiet", {}, "Every lane is open and the store takes writes."),
		drawTiles(s)];
}

// --- at a glance -------------------------------------------------------------------------------------------

function drawTiles(s) {
	const sum = (name) => s.products.reduce((n, p) => n + p.windows["24h"][name], 0);
	const orders = sum("orders"), oldest = s.pending_oldest_seconds;
	const waiting = (s.orders.pending ?? 0) + (s.orders.sending ?? 0);
	const oldestAt = typeof oldest === "number" && new Date(Date.parse(s.at) - 1000 * oldest).toISOString();
	const tile = (name, value, more) => el("div.tile", {}, el("dt", {}, name), el("dd", {}, el("strong", {}, value), el("span", {}, more)));
	return el("dl.tiles", {},
		tile("Handed back, 24 h", orders ? percent(sum("delivered") / orders) : "–",
			orders ? `${count(sum("delivered"))} of ${count(orders)} with a click` : "no order with a click"),
		tile("Waiting", count(waiting), waiting ? "orders, to be handed back" : "nothing waits"),
		tile("Oldest waits", oldestAt ? time(oldestAt, "age") : "–", oldestAt ? ["since ", time(oldestAt, "clock")] : "nothing waits"),
		s.clicks && tile("Clicks since start", count(s.clicks.production + s.clicks.test),
			`${count(s.clicks.test)} of them test, ${count(s.clicks.refused)} refused`));
}

// The rate by the hour; an hour without orders is a gap.
function hourly(product) {
	const found = histories["24h"]?.products?.find((p) => p.product === product.product && p.lane === product.lane);
	if (!found) return [];
	const perHour = Math.round(3600 / histories["24h"].step_seconds);
	const orders = grouped(found.orders, perHour), delivered = grouped(found.delivered, perHour);
	return orders.map((n, i) => (n ? delivered[i] / n : null));
}

function sparkline(rates) {
	const told = rates.filter((rate) => rate !== null);
	if (!told.length) return el("p.quiet", {}, "No order with a click in the last 24 h.");
	const W = 240, H = 44, x = (i) => 3 + ((W - 6) * i) / Math.max(1, rates.length - 1), y = (rate) => 4 + (H - 8) * (1 - rate);
	const points = rates.map((rate, i) => (rate === null ? null : `${x(i).toFixed(1)},${y(rate).toFixed(1)}`));
	const runs = points.map((p) => p ?? "|").join(" ").split("|").map((run) => run.trim()).filter(Boolean);
	const last = points.findLastIndex((p) => p !== null);
	const label = `Return rate by the hour over 24 h: lowest ${percent(Math.min(...told))}, `
		+ `highest ${percent(Math.max(...told))}, last ${percent(told.at(-1))}`;
	return svg("svg.spark", { viewBox: `0 0 ${W} ${H}`, role: "img", "aria-label": label, preserveAspectRatio: "none" },
		svg("title", {}, label),
		svg("path.base", { d: `M3 ${y(1)}H${W - 3}M3 ${y(0)}H${W - 3}` }),
		runs.map((run) => svg("polyline", { points: run.includes(" ") ? run : `${run} ${run}` })),
		svg("polyline.last", { points: `${points[last]} ${points[last]}` }));
}

function trend(windows) {
	if (windows["24h"].rate === null || windows["7d"].rate === null) return "";
	const points = 100 * (windows["24h"].rate - windows["7d"].rate);
	if (Math.abs(points) < 0.5) return "→ as in the last 7 days";
	return `${points > 0 ? "▲" : "▼"} ${Math.abs(points).toFixed(1)} points ${points > 0 ? "above" : "below"} the last 7 days`;
}

const leftOver = (w) => ["pending", "rejected", "expired"].filter((name) => w[name])
	.map((name) => `${count(w[name])} ${name === "pending" ? "waiting" : name}`).join(", ");

function drawProduct(product) {
	const { windows } = product, day = windows["24h"];
	return el("article.product", { "data-key": product.lane },
		el("h3", {}, product.product),
		el("p.rate", {}, el("strong", {}, day.rate === null ? "–" : percent(day.rate)), el("span", {}, "in 24 h")),
		el("p.trend", {}, trend(windows)),
		sparkline(hourly(product)),
		facts(...["1h", "24h", "7d"].map((name) => [{ "1h": "1 hour", "24h": "24 hours", "7d": "7 days" }[name],
			windows[name].rate === null ? "no orders"
				: `${percent(windows[name].rate)}, ${count(windows[name].delivered)} of ${count(windows[name].orders)}`])),
		el("p.quiet", {}, leftOver(day) && `In 24 h: ${leftOver(day)}`));
}

// --- clicks, orders and conversions over time ----------------------------------------------------------------

const series = [["clicks", "Clicks"], ["orders", "Orders"], ["conversions", "With a click"], ["delivered", "Handed back"]];
const DRAWN = series.slice(0, 3);
const STROKES = [[2, 3], [7, 4], null];
const GROUP = 6;  // steps in a point of the chart: half an hour in 24 h, three hours in 7 d
let chart = null;

function grouped(numbers, size) {
	const sums = [];
	for (let i = 0; i < numbers.length; i += size) sums.push(numbers.slice(i, i + size).reduce((a, b) => a + b, 0));
	return sums;
}

function points(history, size) {
	const from = Date.parse(history.from), columns = series.map(([name]) => grouped(history[name], size));
	return columns[0].map((_, i) => [new Date(from + 1000 * history.step_seconds * size * i), ...columns.map((c) => c[i])]);
}

const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

function chartOptions() {
	return { colors: DRAWN.map(([name]) => colour(`--${name}`)), gridLineColor: colour("--line"), axisLineColor: colour("--line") };
}

// Its files come last: the rest of the page does not wait for them, and has a table without them.
function loadCharts() {
	const script = el("script", { src: "/dygraph.js" });
	script.addEventListener("load", drawFlow);
	script.addEventListener("error", () => (byId("chart").hidden = true));
	document.head.append(el("link", { rel: "stylesheet", href: "/dygraph.css" }), script);
}

function drawChart(rows) {
	const box = byId("chart");
	if (typeof Dygraph === "undefined") return;
	const file = rows.map((row) => row.slice(0, 1 + DRAWN.length));
	if (chart) {
		chart.updateOptions({ file, ...chartOptions() });
		return;
	}
	// Its legend breaks the content security policy, and ours tells more; the rest of its plugins go unused.
	Dygraph.PLUGINS = [Dygraph.Plugins.Axes, Dygraph.Plugins.Grid];
	const labels = ["time", ...DRAWN.map(([, label]) => label)];
	chart = new Dygraph(box, file, { ...chartOptions(), labels, legend: "never", includeZero: true, drawPoints: false,
		series: Object.fromEntries(DRAWN.map(([, label], i) => [label, { strokePattern: STROKES[i], strokeWidth: 2,
			fillGraph: i === DRAWN.length - 1 }])), fillAlpha: 0.14, interactionModel: {}, axisLabelWidth: 56,
		axes: { y: { drawGrid: true, axisLabelFormatter: (n) => (Number.isInteger(n) ? brief(n) : "") }, x: { drawGrid: false } },
		highlightCircleSize: 4, highlightCallback: (event, x, seen, row) => readOut(row), unhighlightCallback: () => readOut(null) });
}

function readOut(index) {
	const history = histories[flowSpan];
	if (!history) return;
	const row = index === null ? null : points(history, GROUP)[index];
	const told = row && series.map(([, label], i) => `${label.toLowerCase()} ${count(row[i + 1])}`).join(", ");
	byId("reading").textContent = row ? `${span(1000 * history.step_seconds * GROUP)} from ${clock(row[0])}: ${told}` : "";
}

function drawFlow() {
	const history = histories[flowSpan];
	for (const button of byId("flow").querySelectorAll("button[data-span]"))
		button.setAttribute("aria-pressed", String(button.dataset.span === flowSpan));
	if (!history) return;
	const total = (name) => history[name].reduce((a, b) => a + b, 0);
	morph(byId("legend"), series.map(([name, label]) => el(`li.${name}`, {}, el("span.stroke", { "aria-hidden": "true" }),
		`${label} `, el("strong", {}, count(total(name))))));
	const told = series.map(([name, label]) => `${label.toLowerCase()} ${count(total(name))}`).join(", ");
	byId("chart").setAttribute("aria-label",
		`Chart of the last ${flowSpan === "24h" ? "24 hours" : "7 days"}: ${told}. The table below it has the numbers.`);
	const size = Math.round((flowSpan === "24h" ? 3600 : 86400) / history.step_seconds);
	morph(byId("flow-table"), table(`Clicks and orders by the ${flowSpan === "24h" ? "hour" : "day"}`, ["From", ...series.map(([, label]) => label)],
		points(history, size).reverse().map(([at, ...numbers]) => [time(at.toISOString(), "clock"), ...numbers.map(count)])));
	drawChart(points(history, GROUP));
}

async function readHistory() {
	const wanted = [...new Set(["24h", flowSpan])];
	try {
		for (const name of wanted) histories[name] = await get(`/v1/history?span=${name}`);
		byId("flow-trouble").textContent = "";
	} catch (trouble) {
		if (trouble.status === 401) return;
		byId("flow-trouble").textContent = `The history could not be read: ${trouble.message}`;
	}
	if (!summary) return;
	drawFlow();
	draw(summary);
}

// --- Commerce, gateway, journal, store -------------------------------------------------------------------------

const tokenStates = {
	fresh: ["good", "It is in use."], stale: ["good", "It is in use, and a new one is being fetched."],
	none: ["bad", "Calls to Commerce fail until there is one."], refused: ["bad", "The OAuth server refuses the credential."],
};

function drawToken({ token }) {
	if (!token) return null;
	const [sign, words] = tokenStates[token.state] ?? ["none", ""];
	const forecast = [token.refresh_in > 0 ? `Refreshes in ${span(1000 * token.refresh_in)}` : "",
		token.expires_in ? `valid ${span(1000 * token.expires_in)}` : ""].filter(Boolean).join(", ");
	const trouble = token.last_error ?? token.problem;
	return [el("p.lead", {}, badge(sign, token.state), ` ${words}`),
		forecast && el("p.forecast", {}, forecast),
		trouble && reason(trouble), token.hint && el("p.next", {}, token.hint),
		facts(token.refresh_at && ["Refresh", time(token.refresh_at, "clock")],
			token.next_try_in && ["Next try", `in ${span(1000 * token.next_try_in)}`],
			["Generation", count(token.generation)], token.fingerprint && ["Fingerprint", el("code", {}, token.fingerprint)])];
}

function drawGateway({ gateway }) {
	if (!gateway) return null;
	const { refusals = {} } = gateway;
	return [facts(["Calls since start", count(gateway.calls)], ["Half are faster than", millis(gateway.p50_ms)],
		["99 % are faster than", millis(gateway.p99_ms)], ["On their way", count(gateway.in_flight)],
		["Failed (5xx)", count(gateway.errors)], ["Met here", `401: ${count(refusals["401"] ?? 0)}, 429: ${count(refusals["429"] ?? 0)}`]),
	gateway.paths.length ? table("Gateway response times by path", ["Path", "Calls", "Half", "99 %"], gateway.paths.map((p) =>
		[el("code", {}, `${p.method} ${p.path}`), count(p.calls), millis(p.p50_ms), millis(p.p99_ms)]))
		: el("p.quiet", {}, "No call yet. A program calls Commerce as /accs/… on this listener.")];
}

const journalStates = {
	idle: ["good", "Read to its end."], reading: ["wait", "Being read."], waiting: ["warn", "Failed, and waits for its next try."],
};

function drawJournal({ journal }) {
	if (!journal) return null;
	const [sign, words] = journalStates[journal.state] ?? ["none", ""];
	return [el("p.lead", {}, badge(sign, journal.state), ` ${words}`),
		journal.error && reason(journal.error), journal.hint && el("p.next", {}, journal.hint),
		facts(["Events", count(journal.events)], ["Orders", count(journal.orders)], ["Behind", journal.lag_ms ? span(journal.lag_ms) : "–"],
			["Pace", `${count(journal.events_per_minute)} a minute`], ["Failures", count(journal.failures)],
			journal.last_event_at && ["Last event", time(journal.last_event_at)])];
}

function drawStore({ store, orders }) {
	if (!store) return null;
	const commit = store.commit_ms;
	const stored = Object.entries(orders).filter(([, n]) => n).map(([name, n]) =>
		el("li", {}, badge(orderStates[name]?.sign ?? "none", name), ` ${count(n)}`));
	return [el("p.lead", {}, badge(store.writable ? "good" : "bad", store.writable ? "writable" : "refuses"),
		store.writable ? " What is acknowledged is on disk." : " Clicks and orders are answered 503; nothing is dropped silently."),
	store.error && reason(store.error), store.hint && el("p.next", {}, store.hint),
	facts(["Commit", commit ? `half in ${millis(commit.p50)}, 99 % in ${millis(commit.p99)}` : "none in the last minutes"],
		["Batch", typeof store.batch_size === "number" ? `${store.batch_size.toFixed(1)} operations` : "–"],
		["Size", bytes(store.bytes)], ["Free", bytes(store.free_bytes)]),
	stored.length > 0 && el("ul.stored", { "aria-label": "Orders by state" }, stored)];
}

// Each panel: the section it fills, and what fills it from a summary; null hides it.
const panels = [
	{ id: "standing", draw: drawStanding },
	{ id: "rates", draw: ({ products }) => (products.length ? products.map(drawProduct) : null) },
	{ id: "lanes", draw: ({ lanes }) => (lanes.length ? lanes.map(drawLane) : el("p.quiet", {}, "There is none until a product is set.")) },
	{ id: "token", draw: drawToken },
	{ id: "gateway", draw: drawGateway },
	{ id: "journal", draw: drawJournal },
	{ id: "store", draw: drawStore },
];

function draw(s) {
	for (const panel of panels) {
		const told = panel.draw(s);
		byId(panel.id).hidden = !told;
		morph(byId(`${panel.id}-body`), told ?? []);
	}
	byId("about").textContent = s.version ? `backchannel ${s.version}` : "backchannel";
	morph(byId("started"), s.started_at ? ["up since ", time(s.started_at, "clock")] : []);
}

function take(s) {
	setClock(s.at);
	const isFirst = !summary, isBack = away > 0, isNewVersion = summary?.version && s.version !== summary.version;
	summary = s;
	byId("updated").hidden = byId("updated").hidden && !isNewVersion;
	document.body.classList.remove("empty");
	draw(s);
	ordersChanged(s);
	if (isBack && !isFirst) ordersAgain();
	if (isBack || isFirst) readHistory();
	if (isFirst) route();
}

// --- the connection ----------------------------------------------------------------------------------------------

let away = 0;      // since when, by this machine's clock
let leave = null;  // ends what follows the daemon
const states = { connecting: "Connecting …", live: "Live", polling: "Every few seconds", away: "Not reachable", out: "Signed out" };

function link(state, why = "") {
	const box = byId("link");
	if (box.dataset.state !== state) {
		box.dataset.state = state;
		byId("link-text").textContent = states[state];
	}
	away = state === "away" ? away || now() : 0;
	document.body.classList.toggle("stale", state === "away");
	byId("away").hidden = state !== "away";
	if (state === "away")
		byId("away-text").textContent = `The daemon is not reachable since ${clock(away)} (${why}). `
			+ (summary ? "What stands here is how it was then. " : "")
			+ "It is tried again by itself; does it run? Try: systemctl status backchannel";
}

// Hands over each event's data until the stream ends; silence counts as its end.
async function readStream(body, abort, take) {
	const reader = body.pipeThrough(new TextDecoderStream()).getReader();
	let rest = "", silence = setTimeout(abort, SILENCE_MS);
	for (;;) {
		const { done, value } = await reader.read();
		if (done) break;
		clearTimeout(silence);
		silence = setTimeout(abort, SILENCE_MS);
		const events = (rest + value).split("\n\n");
		rest = events.pop();
		for (const event of events) {
			const data = event.split("\n").filter((line) => line.startsWith("data:")).map((line) => line.slice(5)).join("\n");
			if (data) take(JSON.parse(data));
		}
	}
	clearTimeout(silence);
}

// Where no stream is free, or a proxy breaks it off, the summary is asked for.
async function poll(trouble) {
	take(await get("/v1/summary"));
	link("polling");
	return 1000 * Math.min(Math.max(trouble.retryAfter, 3), 15);
}

// One turn: a stream from its beginning to its end. How long to wait before the next.
async function turn(signal, tries) {
	const abort = new AbortController();
	const stop = () => abort.abort();
	signal.addEventListener("abort", stop);
	try {
		const answer = await open("GET", "/v1/stream", { signal: abort.signal });
		await readStream(answer.body, stop, (s) => {
			take(s);
			link("live");
		});
		return WAIT_MS;
	} catch (trouble) {
		if (signal.aborted || trouble.status === 401) return null;
		if (trouble.status === 503) return await poll(trouble).catch((worse) => lost(worse, tries));
		return lost(trouble, tries);
	} finally {
		signal.removeEventListener("abort", stop);
	}
}

function lost(trouble, tries) {
	if (trouble.status === 401) return null;
	link("away", trouble instanceof Trouble ? trouble.message : "the connection broke off");
	return Math.min(WAIT_MAX_MS, WAIT_MS * 2 ** tries * (0.75 + Math.random() / 2));
}

// Shorter when the network is back, or the reader.
const sleep = (ms, signal) => new Promise((resolve) => {
	const over = new AbortController();
	const wake = () => (over.abort(), clearTimeout(timer), resolve());
	const timer = setTimeout(wake, ms);
	for (const [target, event] of [[window, "online"], [window, "focus"], [signal, "abort"]])
		target.addEventListener(event, wake, { signal: over.signal });
});

async function follow() {
	leave?.abort();
	const mine = leave = new AbortController();
	for (let tries = 0; !mine.signal.aborted; tries = away ? tries + 1 : 0) {
		const wait = await turn(mine.signal, tries);
		if (wait === null) return;
		await sleep(wait, mine.signal);
	}
}

// --- signing in and out ------------------------------------------------------------------------------------------

function clearAll() {
	summary = null;
	for (const name of Object.keys(histories)) delete histories[name];
	for (const panel of panels) morph(byId(`${panel.id}-body`), []);
	for (const id of ["legend", "flow-table", "started"]) morph(byId(id), []);
	chart?.destroy();
	chart = null;
	byId("chart").removeAttribute("aria-label");
	for (const id of ["reading", "about", "flow-trouble"]) byId(id).textContent = "";
	clearOrders();
	clearNote();
	byId("confirm").close();
	document.title = "backchannel";
	document.body.classList.add("empty");
}

function askForToken(why) {
	leave?.abort();
	session.token = "";
	clearAll();
	link("out");
	byId("sign-in-why").textContent = why;
	byId("sign-out").hidden = true;
	const dialog = byId("sign-in");
	if (!dialog.open) dialog.showModal();
	byId("token-field").value = "";
	byId("token-field").focus();
}

session.refused = (token) => {
	const wasShown = summary !== null;
	askForToken(!token ? wasShown ? "The daemon asks for its API token now." : ""
		: wasShown ? "The daemon does not take this token any more: it was changed while you looked. Sign in with the new one."
			: "The daemon does not take this token. Is it the whole of api_token, and this daemon's?");
};

function signIn(event) {
	event.preventDefault();
	const token = byId("token-field").value.trim();
	if (!token) return;
	session.token = token;
	byId("token-field").value = "";
	byId("sign-in").close();
	byId("sign-out").hidden = false;
	link("connecting");
	follow();
}

// --- where the address leads ---------------------------------------------------------------------------------------

const places = {
	order: openStory,
	lane: (name) => {
		closeStory();
		const lane = byId(`lane-${name}`);
		lane?.scrollIntoView({ block: "center" });
		lane?.focus({ preventScroll: true });
	},
};

function route() {
	const [, name, value] = /^#(\w+)=(.+)$/.exec(location.hash) ?? [];
	if (!summary) return;
	if (places[name]) places[name](decoded(value));
	else closeStory();
}

function decoded(text) {
	try {
		return decodeURIComponent(text);
	} catch {
		return text;
	}
}

function leaveStory() {
	if (location.hash.startsWith("#order=")) history.pushState(null, "", location.pathname);
	closeStory();
}

function begin() {
	startOrders();
	byId("lanes").addEventListener("click", (event) => {
		const button = event.target.closest("button[data-lane-action]");
		if (button) actOnLane(button);
	});
	byId("flow").addEventListener("click", (event) => {
		const button = event.target.closest("button[data-span]");
		if (!button) return;
		flowSpan = button.dataset.span;
		drawFlow();
		readHistory();
	});
	for (const id of ["story", "confirm"])
		byId(id).addEventListener("click", (event) => event.target === byId(id) && byId(id).close());
	byId("story").addEventListener("close", leaveStory);
	byId("story-close").addEventListener("click", () => byId("story").close());
	// Escape does not lead round it; a browser may close it all the same, so it opens again.
	byId("sign-in").addEventListener("cancel", (event) => event.preventDefault());
	byId("sign-in").addEventListener("close", () => session.token || byId("sign-in").showModal());
	byId("sign-in-form").addEventListener("submit", signIn);
	byId("sign-out").addEventListener("click", () => askForToken("You are signed out."));
	byId("note-close").addEventListener("click", clearNote);
	byId("reload").addEventListener("click", () => location.reload());
	window.addEventListener("hashchange", route);
	matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => chart?.updateOptions(chartOptions()));
	setInterval(() => summary && !away && !document.hidden && readHistory(), HISTORY_MS);
	byId("sign-out").hidden = !session.token;
	follow();
	loadCharts();
}

begin();
