/* SPDX-License-Identifier: MIT */
/*
 * Apache 2.4 with mod_setenvif and mod_headers; virtual hosts inherit both. Token mode only: the
 * one id that Apache makes, mod_unique_id's, is put together from address, process, time and a
 * counter, so that others can be told from one; and a piped log, its way to hand over, can block
 * the server's workers when the reader does not keep up.
 *
 * THE_REQUEST and not QUERY_STRING: it is as it came, through every internal redirect.
 * The module mod_cache must store a page before this cookie is added, hence the second step: where
 * it stands by default, it stores the cookie too, and later visitors do not get their own.
 * req_novary and not %{HTTP:...}: the latter adds to Vary, and what caches thought of a page
 * must not change by this.
 */
#include "cli/recipe.h"

const struct bc_recipe_line bc_recipe_apache[] = {
	{ BC_RECIPE_ALWAYS,
	  "# Click capture for backchannel, token mode: the visitor's own browser "
	  "keeps the token\n"
	  "# in the cookie bc_click. Send that cookie's value as \"click\" with "
	  "the order." },
	{ BC_RECIPE_OTHERS,
	  "# Products of other partners: their parameters are not captured here. Let the "
	  "page tell of the\n"
	  "# landing (/capture.js, or the beacon /v1/c), or POST its url to /v1/clicks." },
	{ BC_RECIPE_ALWAYS,
	  "# 1. As /etc/apache2/conf-available/backchannel.conf, then: a2enmod setenvif headers\n"
	  "#    and a2enconf backchannel. (Or in the shop's <VirtualHost>; or, where AllowOverride "
	  "lets\n"
	  "#    FileInfo, in its .htaccess.)" },
	{ BC_RECIPE_ALWAYS,
	  "SetEnvIfExpr \"req_novary('Sec-Fetch-Dest') in {'', 'document'} && \\\n"
	  "    %{THE_REQUEST} =~ m'^GET [^? ]*[?](?:[^# ]*&)?@names@=(@token@)(?:[&# ].*)?$'\" "
	  "bc_tok=$1" },
	{ BC_RECIPE_CONSENT,
	  "# Only with consent: the cookie \"@consent@\" matches @pattern@\n"
	  "SetEnvIfExpr \"req_novary('Cookie') =~ m'(?:^|;[ ]?)@consent_re@=([^;]*)'\" "
	  "bc_consent=$1\n"
	  "SetEnvIfExpr \"! (reqenv('bc_consent') =~ m'@pattern@')\" !bc_tok" },
	{ BC_RECIPE_ALWAYS, "Header always add Set-Cookie "
			    "\"bc_click=t.%{bc_tok}e@attributes@\" env=bc_tok" },
	{ BC_RECIPE_ALWAYS,
	  "# 2. With mod_cache and CacheIgnoreQueryString On: CacheQuickHandler Off, and in what "
	  "is kept:\n"
	  "#     SetOutputFilter CACHE\n"
	  "#    Else one visitor's cookie is kept with the page and given to all others." },
	{ BC_RECIPE_TOKEN | BC_RECIPE_LANDINGS,
	  "#    Your products are told apart by where visitors land, and this cookie does not say "
	  "where\n"
	  "#    that was: name the product with the order." },
	{ BC_RECIPE_ALWAYS, "# 3. Check: apache2ctl -t, reload, and this must show the cookie:" },
	{ BC_RECIPE_ALWAYS, "#     curl -si @consent_curl@'https://YOUR.SHOP/?@param@="
			    "12345-test-123-12345' | grep -i bc_click" },
	{ 0 },
};
