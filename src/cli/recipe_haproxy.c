/* SPDX-License-Identifier: MIT */
/*
 * HAProxy 2.4 or later, with PCRE as Debian builds it. Everything stands in one frontend.
 *
 * url_param() would take the first of two parameters and know one name only; the query as it came
 * and one expression do what the daemon does: any of the names, the last valid one. The expression
 * stands twice because regsub hands back what it did not match.
 *
 * http-after-response also reaches what HAProxy answers itself: redirects, its own pages.
 *
 * uuid is made by a generator that is fast, not secret: who saw a few of its numbers calculates the
 * next. SHA-256 of it shows nothing of the generator, so an id cannot be guessed from other ids.
 */
#include "cli/recipe.h"

#define FOUND "'^(?:[^#]*&)?@names@=(@token@)(?:[&#].*)?$'"

const struct bc_recipe_line bc_recipe_haproxy[] = {
	{ BC_RECIPE_TOKEN, "# Click capture for backchannel, token mode: the visitor's own browser "
			   "keeps the token\n"
			   "# in the cookie bc_click. Send that cookie's value as \"click\" with "
			   "the order." },
	{ BC_RECIPE_ID,
	  "# Click capture for backchannel, id mode: the cookie bc_click keeps a random id, and "
	  "the\n"
	  "# daemon gets id and token by a datagram, after the answer. Send that cookie's value "
	  "as\n"
	  "# \"click\" with the order. No page waits for the daemon; a click that lands while it "
	  "is\n"
	  "# stopped is lost (in token mode it is not)." },
	{ BC_RECIPE_OTHERS,
	  "# Products of other partners: their parameters are not captured here. Let the "
	  "page tell of the\n"
	  "# landing (/capture.js, or the beacon /v1/c), or POST its url to /v1/clicks." },
	{ BC_RECIPE_ALWAYS,
	  "# 1. In the frontend that visitors reach, above every other http-request rule (a "
	  "redirect\n"
	  "#    there ends the list):" },

	{ BC_RECIPE_ALWAYS, "    acl bc_get     method GET\n"
			    "    acl bc_page    req.hdr(sec-fetch-dest) -m str document\n"
			    "    acl bc_page    req.hdr_cnt(sec-fetch-dest) eq 0" },
	{ BC_RECIPE_CONSENT, "    # Only with consent: the cookie \"@consent@\" matches @pattern@\n"
			     "    acl bc_consent req.cook(@consent@) -m reg '@pattern@'" },
	{ BC_RECIPE_ALWAYS, "    acl bc_found   query -m reg " FOUND },
	{ BC_RECIPE_ALWAYS, "    http-request set-var(txn.bc_tok) "
			    "'query,regsub(\"^(?:[^#]*&)?@names@=(@token@)(?:[&#].*)?$\",\"\\1\")' "
			    "if bc_get bc_page@if_consent@ bc_found\n"
			    "    acl bc_landing var(txn.bc_tok) -m found" },

	{ BC_RECIPE_ID, "    http-request set-var(txn.bc_old) req.cook(bc_click) if bc_landing\n"
			"    acl bc_known   var(txn.bc_old) -m reg '^c[.][0-9a-f]{32}$'\n"
			"    http-request set-var(txn.bc_id) var(txn.bc_old),bytes(2) if "
			"bc_landing bc_known\n"
			"    http-request set-var(txn.bc_id) "
			"uuid,sha2(256),hex,lower,bytes(0,32) if bc_landing !bc_known\n"
			"    http-request set-var(txn.bc_host) req.hdr(host) if bc_landing" },
	{ BC_RECIPE_ID | BC_RECIPE_SESSION,
	  "    http-request set-var(txn.bc_sess) req.cook(@session@) if bc_landing\n"
	  "    http-response set-var(txn.bc_new) res.cook(@session@) if bc_landing" },

	{ BC_RECIPE_ID | BC_RECIPE_LANDINGS,
	  "    # The path alone tells the product; no query is sent.\n"
	  "    http-request set-var(txn.bc_path) path if bc_landing" },
	{ BC_RECIPE_TOKEN, "    http-after-response add-header Set-Cookie "
			   "\"bc_click=t.%[var(txn.bc_tok)]@attributes@\" if bc_landing" },
	{ BC_RECIPE_ID,
	  "    http-after-response add-header Set-Cookie "
	  "\"bc_click=c.%[var(txn.bc_id)]@attributes@\" if bc_landing\n"
	  "    # This frontend then logs clicks and nothing else. To keep its ordinary "
	  "log, put another\n"
	  "    # frontend in front for this: see \"HAProxy\" in docs/capture.md.\n"
	  "    http-request set-log-level silent unless bc_landing\n"
	  "    option dontlognull" },
	{ BC_RECIPE_ID, "    no log" },
	{ BC_RECIPE_ID | BC_RECIPE_UNIX,
	  "    # With \"chroot\" in the global section this path is looked for inside it, and not "
	  "found:\n"
	  "    # then use UDP (input = udp:127.0.0.1:8788) and print this recipe again.\n"
	  "    log unix@@@socket@ len 8192 format raw local6" },
	{ BC_RECIPE_ID | BC_RECIPE_UDP, "    log @socket@ len 8192 format raw local6" },
	{ BC_RECIPE_ID,
	  "    log-format '{\"v\":1,\"t\":%Ts.%ms,\"click\":\"%[var(txn.bc_id)]\","
	  "\"tok\":\"%[var(txn.bc_tok)]\",\"host\":\"%[var(txn.bc_host),json]\"@sess@@path@}'" },
	{ BC_RECIPE_TOKEN | BC_RECIPE_LANDINGS,
	  "#    Your products are told apart by where visitors land, and this cookie does not say "
	  "where\n"
	  "#    that was: name the product with the order, or take haproxy-log." },
	{ BC_RECIPE_ALWAYS, "# 2. Check: haproxy -c -f /etc/haproxy/haproxy.cfg, reload, and this "
			    "must show the cookie:" },
	{ BC_RECIPE_ALWAYS, "#     curl -si @consent_curl@'https://YOUR.SHOP/?@param@="
			    "12345-test-123-12345' | grep -i bc_click" },
	{ 0 },
};
