// SPDX-License-Identifier: MIT
// What an Express shop needs to hand orders to backchannel: the click in a cookie of its own, and one
// report an order, that neither delays nor breaks it. For Express 4 and 5, Node.js 18 or later.
const url = process.env.BACKCHANNEL_URL ?? "http://127.0.0.1:8787";
const headers = { "Content-Type": "application/json" };
if (process.env.BACKCHANNEL_API_TOKEN)
	headers.Authorization = `Bearer ${process.env.BACKCHANNEL_API_TOKEN}`;

// Keeps the click of a landing. Before anything that answers: what is answered from a cache or by
// express.static never gets here. No session: an untouched one is thrown away (saveUninitialized: false)
// and a login gives it another id; the cookie outlives both.
export function captureClick({ param = "sovReqToken", maxAge = 24 * 60 * 60 * 1000 } = {}) {
	return (req, res, next) => {
		// ?x=1&x=2 makes an array of it, ?x[y]=1 an object: the last one that is a token counts.
		const token = [req.query[param]].flat()
			.findLast((t) => typeof t === "string" && /^[\w-]{4,128}$/.test(t));
		if (token && req.method === "GET")
			res.cookie("bc_click", `t.${token}`, { path: "/", httpOnly: true, secure: true, sameSite: "lax", maxAge });
		next();
	};
}

// The click of who asks. Copy it into the order when the checkout starts: the payment provider's
// webhook has no cookie.
export function clickOf(req) {
	return /(?:^|;\s*)bc_click=([tc]\.[\w-]{4,128})(?:;|$)/.exec(req.headers.cookie ?? "")?.[1];
}

// After the order's commit, and without await where an answer waits for it. False: report it again
// later; the order's id makes that safe. A 400 or 409 would be no other the next time.
export async function reportOrder(order, click) {
	if (!click)
		return true;
	try {
		const answer = await fetch(`${url}/v1/orders`, { method: "POST", headers, redirect: "manual",
			body: JSON.stringify({ order: String(order), click }), signal: AbortSignal.timeout(300) });
		await answer.body?.cancel();
		return answer.ok || [400, 409].includes(answer.status);
	} catch {
		return false;
	}
}
