// SPDX-License-Identifier: MIT
// A shop of the size of an example, with its orders in memory. Each order row has two columns more:
// the click, and whether it was reported.
import express from "express";
import { captureClick, clickOf, reportOrder } from "./backchannel.mjs";

const orders = new Map();
const app = express();
app.use(captureClick());

async function report(order) {
	order.reported = await reportOrder(order.id, order.click);
}

// The order exists; nothing is paid yet.
app.post("/checkout", (req, res) => {
	const order = { id: `${100000 + orders.size}`, click: clickOf(req), paid: false, reported: false };
	orders.set(order.id, order);
	res.status(201).json({ order: order.id });
});

// The payment provider's webhook: no cookie of the visitor's, and it may come twice.
app.post("/paid/:order", (req, res) => {
	const order = orders.get(req.params.order);
	if (!order)
		return res.status(404).end();
	order.paid = true;
	report(order);
	res.json({ order: order.id });
});

app.use((req, res) => res.send("<!doctype html><title>Shop</title><p>Welcome."));

// What the daemon was not there for.
setInterval(() => {
	for (const order of orders.values())
		if (order.paid && !order.reported)
			report(order);
}, Number(process.env.REPORT_AGAIN_MS ?? 60000)).unref();

const server = app.listen(Number(process.env.PORT ?? 3000), "127.0.0.1", () => console.log(server.address().port));
