// SPDX-License-Identifier: MIT
// Click capture in the storefront, for a shop whose web server cannot do it, and a click's way into the
// cart of a headless Adobe Commerce. Its manual is docs/storefront.md.
//
// What must hold: without the parameter, and with nothing kept from an earlier page, it does nothing;
// without consent it stores nothing and sends nothing; and nothing that goes wrong here, in storage, in
// the network or in the shop's own functions, reaches the page.
//
// Every visitor gets it, in under 2 KB: hence names of one letter, and a build that drops comments and
// white space (cmake/embed.cmake). So a comment has its line to itself, each statement ends in a semicolon,
// and no string has a space beside an operator or a bracket.
(function (w, d) {
	try {
		// o  the data- attributes of the script tag
		// b  sessionStorage, or what stands in for it where the browser forbids it
		// v  the click, as the field "click" takes it; without one all ends
		// u  the landing, until the beacon has it
		// n  turns without consent, in a row
		// k  the cart that has been looked after, and c whether at the checkout
		// p  the turns, one after another; t the timer of the next one, in m milliseconds
		var s = d.currentScript, o = s.dataset, b, v, u, n = 0, k, c, p = Promise.resolve(), t, m;
		try {
			b = sessionStorage;
			v = b.bc_click;
		} catch (e) {
			b = {};
		}
		// Of the address, the beacon gets no more than says which click this is.
		new URLSearchParams(location.search).forEach(function (x, y) {
			if ((o.param || "sovReqToken").split(",").indexOf(y) >= 0 && /^[\w-]{4,128}$/.test(x)) {
				v = "t." + x;
				u = "u=" + encodeURIComponent(location.href.split("?")[0] + "?" + y + "=" + x);
			}
		});

		// What is stored under a name, else the cookie of that name.
		function f(x) {
			return b[x] || (d.cookie.match("(^|;\\s)" + x + "=([^;]*)") || 0)[2] || "";
		}

		// Is there consent? A global counts if it is a function or a promise: an element's id makes one too.
		// A cookie counts if its value looks like no 0, denied, declined, false, no, none, necessary, rejected.
		function q(x, g) {
			x = o.consent;
			g = w[x] || 0;
			if (!x || g.then) return g || 1;
			if (g.call) return g();
			x = x.split("=");
			return RegExp(x[1] || "^[^0dfnr]", "i").test(f(x[0]));
		}

		// Asks Commerce, in the customer's name where there is one.
		function a(x, y, h, i) {
			h = { "Content-Type": "application/json" };
			i = f("auth_dropin_user_token");
			if (i) h.Authorization = "Bearer " + i;
			if (o.store) h.Store = o.store;
			return fetch(o.graphql, { method: "POST", headers: h, body: JSON.stringify({ query: x, variables: { x: y } }) }).then(function (r) {
				return r.json();
			}).then(function (r) {
				if (r.errors) throw r;
				return r.data;
			});
		}

		// One turn, with or without consent.
		function z(x, y, h) {
			m = 1e3;
			if (!x) {
				// So long may a consent tool take to load; then what was kept is dropped.
				if (++n > 9) {
					delete b.bc_click;
					v = u && v;
				}
				return;
			}
			n = 9;
			if (u) {
				if (o.graphql) b.bc_click = v;
				y = u;
				u = 0;
				x = o.endpoint == null ? new URL("/v1/c", s.src) : o.endpoint;
				if (x) navigator.sendBeacon(x, y);
			}
			if (!o.graphql) return v = 0;
			x = w[o.cart] || 0;
			x = x.call ? x() : f(o.cart || "DROPINS_CART_ID") || f("DROPIN__CART__CART-ID");
			c = c || location.pathname.match(o.checkout || "/checkout");
			if (!x || k == x + c) return;
			k = x + c;
			y = o.attribute || "bc_click";
			// The mutation replaces the whole set: what could not be read is not written.
			return a("query($x:String!){cart(cart_id:$x){custom_attributes{attribute_code value}}}", x).then(function (r) {
				r = (r.cart.custom_attributes || []).filter(function (r) {
					if (r.attribute_code != y) return 1;
					h = r.value == v;
				});
				r.push({ attribute_code: y, value: v });
				return h || a("mutation($x:CartCustomAttributesInput){setCustomAttributesOnCart(input:$x){cart{id}}}", { cart_id: x, custom_attributes: r });
			}).then(function () {
				if (c) delete b.bc_click;
			});
		}

		function l() {
			p = p.then(q).then(z).catch(function () {
				k = 0;
				m = 5e3;
			}).then(function () {
				clearTimeout(t);
				if (v) t = setTimeout(l, m);
			});
		}

		if (v) {
			l();
			// The bus of Adobe's drop-ins is a BroadcastChannel.
			if (o.graphql) new BroadcastChannel("ElsieSDK/EventBus").onmessage = function (e) {
				c = c || /^checkout.init/.test(e.data.event);
				l();
			};
		}
	} catch (e) {}
})(window, document);
