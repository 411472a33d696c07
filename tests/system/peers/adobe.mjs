// SPDX-License-Identifier: MIT
// Calls Commerce with Adobe's own client, as its README has it, and prints what came back as JSON.
// The environment is Adobe's: AIO_COMMERCE_*.
import { AdobeCommerceHttpClient, resolveCommerceHttpClientParams } from "@adobe/aio-commerce-lib-api";

const tryForwardAuthProvider = "AIO_COMMERCE_AUTH_IMS_TOKEN" in process.env;
const params = resolveCommerceHttpClientParams({ ...process.env }, { tryForwardAuthProvider });
const client = new AdobeCommerceHttpClient({ ...params, fetchOptions: { timeout: 10000 } });
const query = "orders?searchCriteria[pageSize]=2&searchCriteria[currentPage]=1";

const found = await client.get(query).json();
const order = found.items[0].entity_id;
const comment = { statusHistory: { comment: "seen by Adobe's client", is_customer_notified: 0,
	is_visible_on_front: 0, parent_id: order } };
const posted = await client.post(`orders/${order}/comments`, { json: comment }).json();
const sku = (await client.get("products?searchCriteria[pageSize]=1").json()).items[0].sku;
const product = await client.get(`products/${encodeURIComponent(sku)}`).json();
const missing = await client.get("orders/999999999", { throwHttpErrors: false });
const error = { status: missing.status, body: await missing.json() };

console.log(JSON.stringify({ total: found.total_count, items: found.items.length, order, posted, sku,
	product: product.sku, error }));
