// SPDX-License-Identifier: MIT
// An OAuth server that knows client credentials and nothing of Adobe: oidc-provider. Prints its port.
// Arguments: how long a token lives, in seconds; the scope that it grants.
import Provider from "oidc-provider";

const [, , life, scope] = process.argv;
const client = (id, method) => ({
	client_id: id, client_secret: "s3cret:%/+ &=", grant_types: ["client_credentials"], response_types: [],
	redirect_uris: [], scope, token_endpoint_auth_method: method,
});
const provider = new Provider("http://127.0.0.1", {
	clients: [client("by-body", "client_secret_post"), client("by-basic", "client_secret_basic")],
	features: { clientCredentials: { enabled: true }, devInteractions: { enabled: false } },
	scopes: ["orders", "products", "customers"],
	ttl: { ClientCredentials: Number(life) },
});
let requests = 0;
provider.use(async (ctx, next) => {
	if (ctx.path === "/requests") {
		ctx.body = String(requests);
		return;
	}
	requests += ctx.path === "/token";
	await next();
});
const server = provider.listen(0, "127.0.0.1", () => console.log(server.address().port));
