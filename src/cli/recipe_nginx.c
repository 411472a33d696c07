/* SPDX-License-Identifier: MIT */
/*
 * nginx 1.11.8 or later: maps find the token, add_header sets the cookie, an access log of its own
 * sends the datagram, in the log phase and so after the answer.
 *
 * $request_uri and not $arg_...: an internal redirect (try_files, error_page) clears the arguments.
 * The greedy group takes the last valid one where the parameter stands twice, as the daemon does.
 * "always": a visitor who lands on a page that is gone, and buys, came by that click all the same.
 */
#include "cli/recipe.h"

const struct bc_recipe_line bc_recipe_nginx[] = {
	{ BC_RECIPE_TOKEN, "# Click capture for backchannel, token mode: the visitor's own browser "
			   "keeps the token\n"
			   "# in the cookie bc_click. Send that cookie's value as \"click\" with "
			   "the order." },
	{ BC_RECIPE_ID, "# Click capture for backchannel, id mode: the cookie bc_click keeps a "
			"random id, and the\n"
			"# daemon gets id and token by a datagram, after the answer. Send that "
			"cookie's value as\n"
			"# \"click\" with the order. No page waits for the daemon; a click that "
			"lands while it is\n"
			"# stopped is lost (in token mode it is not)." },
	{ BC_RECIPE_OTHERS,
	  "# Products of other partners: their parameters are not captured here. Let the "
	  "page tell of the\n"
	  "# landing (/capture.js, or the beacon /v1/c), or POST its url to /v1/clicks." },
	{ BC_RECIPE_ALWAYS, "# 1. In the http block (a file in /etc/nginx/conf.d/ is in it):" },

	{ BC_RECIPE_CONSENT,
	  "# Only with consent: the cookie \"@consent@\" matches @pattern@\n"
	  "map $http_cookie $bc_consent_value {\n"
	  "    \"~(?:^|;[ ]?)@consent_re@=(?<bcv>[^;]*)\" $bcv;\n"
	  "    default \"\";\n"
	  "}\n"
	  "map $bc_consent_value $bc_consent {\n"
	  "    \"~@pattern@\" yes;\n"
	  "    default no;\n"
	  "}\n"
	  "map \"$bc_consent $request_method $http_sec_fetch_dest $request_uri\" "
	  "$bc_tok {\n"
	  "    \"~^yes GET (?:document)? [^?]*[?](?:[^#]*&)?"
	  "@names@=(?<bct>@token@)(?:[&#]|$)\" $bct;" },
	{ BC_RECIPE_NO_CONSENT,
	  "map \"$request_method $http_sec_fetch_dest $request_uri\" $bc_tok {\n"
	  "    \"~^GET (?:document)? [^?]*[?](?:[^#]*&)?@names@=(?<bct>@token@)(?:[&#]|$)\" "
	  "$bct;" },
	{ BC_RECIPE_ALWAYS, "    default \"\";\n"
			    "}" },

	{ BC_RECIPE_ID, "map $cookie_bc_click $bc_id {\n"
			"    \"~^c[.](?<bcc>[0-9a-f]{32})$\" $bcc;\n"
			"    default $request_id;\n"
			"}" },
	{ BC_RECIPE_ALWAYS, "map $bc_tok $bc_cookie {\n"
			    "    \"\"      \"\";" },
	{ BC_RECIPE_TOKEN, "    default \"bc_click=t.$bc_tok@attributes@\";" },
	{ BC_RECIPE_ID, "    default \"bc_click=c.$bc_id@attributes@\";" },
	{ BC_RECIPE_ALWAYS, "}" },

	{ BC_RECIPE_ID | BC_RECIPE_SESSION_ODD,
	  "# nginx has no variable for a cookie of this name. Before 1.23 the second map sees the\n"
	  "# application's first Set-Cookie only.\n"
	  "map $http_cookie $bc_sess {\n"
	  "    \"~(?:^|;[ ]?)@session_re@=(?<bcs>[^;]*)\" $bcs;\n"
	  "    default \"\";\n"
	  "}\n"
	  "map $upstream_http_set_cookie $bc_newsess {\n"
	  "    \"~(?:^|,[ ]?)@session_re@=(?<bcn>[^;]*)\" $bcn;\n"
	  "    default \"\";\n"
	  "}" },
	{ BC_RECIPE_ID | BC_RECIPE_LANDINGS,
	  "# The path alone tells the product; no query is sent.\n"
	  "map $request_uri $bc_path {\n"
	  "    \"~^(?<bcp>[^?#]*)\" $bcp;\n"
	  "    default \"\";\n"
	  "}" },
	{ BC_RECIPE_ID, "log_format bc escape=json\n"
			"    '{\"v\":1,\"t\":$msec,\"click\":\"$bc_id\",\"tok\":\"$bc_tok\","
			"\"host\":\"$host\"'" },
	{ BC_RECIPE_ID | BC_RECIPE_SESSION_WORD,
	  "    ',\"sess\":\"$cookie_@session@\",\"newsess\":\"$upstream_cookie_@session@\"'" },
	{ BC_RECIPE_ID | BC_RECIPE_SESSION_ODD,
	  "    ',\"sess\":\"$bc_sess\",\"newsess\":\"$bc_newsess\"'" },
	{ BC_RECIPE_ID | BC_RECIPE_LANDINGS, "    ',\"uri\":\"$bc_path\"'" },
	{ BC_RECIPE_ID, "    '}';" },

	{ BC_RECIPE_ALWAYS, "# 2. In the shop's server block, and in each location that has an "
			    "add_header of its own:\n"
			    "#     add_header Set-Cookie $bc_cookie always;" },
	{ BC_RECIPE_ID, "#    In the same server block, and in each location that has an "
			"access_log of its own (the\n"
			"#    first line keeps the ordinary log, which the second one would "
			"replace):\n"
			"#     access_log /var/log/nginx/access.log;" },
	{ BC_RECIPE_ID | BC_RECIPE_UNIX,
	  "#     access_log syslog:server=unix:@socket@,nohostname,tag=bc bc if=$bc_tok;\n"
	  "#    nginx's user must be allowed to write to that socket: input.group = www-data" },
	{ BC_RECIPE_ID | BC_RECIPE_UDP,
	  "#     access_log syslog:server=@socket@,nohostname,tag=bc bc if=$bc_tok;" },
	{ BC_RECIPE_TOKEN | BC_RECIPE_LANDINGS,
	  "#    Your products are told apart by where visitors land, and this cookie does not say "
	  "where\n"
	  "#    that was: name the product with the order, or take nginx-log." },
	{ BC_RECIPE_ALWAYS, "# 3. Check: nginx -t, reload, and this must show the cookie:" },
	{ BC_RECIPE_ALWAYS, "#     curl -si @consent_curl@'https://YOUR.SHOP/?@param@="
			    "12345-test-123-12345' | grep -i bc_click" },
	{ 0 },
};
