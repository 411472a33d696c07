/* SPDX-License-Identifier: MIT */
/*
 * The rules that single texts obey: URLs, addresses, names. Each answers with words that follow the
 * value in a sentence ("is not https"). URLs are read by libcurl's own parser, the one that will
 * send to them: what was checked is what is used.
 */
#include "daemon/settings_parts.h"

#include <arpa/inet.h>
#include <curl/curl.h>
#include <string.h>

#include <backchannel/oauth.h>
#include <backchannel/partner.h>

#include "base/log.h"
#include "base/network.h"
#include "protocol/definition.h"
#include "protocol/events.h"
#include "store/engine.h"

static bool is_alnum(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

static bool only(struct bc_str s, const char *also)
{
	for (size_t i = 0; i < s.len; i++)
		if (!is_alnum(s.ptr[i]) && (s.ptr[i] == '\0' || !strchr(also, s.ptr[i])))
			return false;
	return true;
}

static int refuse(struct bc_err *err, const char *text, const char *hint)
{
	bc_err_set(err, BC_EINVAL, "%s", text);
	bc_err_hint(err, "%s", hint);
	return BC_EINVAL;
}

static int parse_url(struct bc_str text, CURLU **ret_url, struct bc_err *err)
{
	bc_autofree char *copy = bc_str_dup(text);
	CURLU *url = copy ? curl_url() : NULL;
	CURLUcode rc;

	if (!url)
		return bc_err_nomem(err);
	rc = curl_url_set(url, CURLUPART_URL, copy, CURLU_NON_SUPPORT_SCHEME);
	if (rc == CURLUE_OK) {
		*ret_url = url;
		return 0;
	}
	curl_url_cleanup(url);
	if (rc == CURLUE_OUT_OF_MEMORY)
		return bc_err_nomem(err);
	return refuse(err, "is no URL", "write it in full, such as https://host.example/path");
}

static void free_url(CURLU **url)
{
	curl_url_cleanup(*url);
}

/* --- addresses ------------------------------------------------------------------------------- */

bool bc_setting_split_listen(struct bc_str text, struct bc_str *ret_host, struct bc_str *ret_port)
{
	struct bc_str host = text, port = { 0 };

	if (bc_str_starts(text, "[")) {
		host.ptr++;
		host.len--;
		host = bc_str_split(&(struct bc_str){ host.ptr, host.len }, ']');
		port = (struct bc_str){ host.ptr + host.len, text.len - host.len - 1 };
		if (!bc_str_starts(port, "]:"))
			return false;
		port.ptr += 2;
		port.len -= 2;
	} else {
		port = text;
		host = bc_str_split(&port, ':');
	}
	*ret_host = host;
	*ret_port = port;
	return host.len > 0 && port.ptr && port.len > 0;
}

static bool is_loopback(struct bc_str host)
{
	char text[INET6_ADDRSTRLEN];
	struct in_addr v4;
	struct in6_addr v6;

	if (bc_str_ieq(host, "localhost"))
		return true;
	if (bc_str_copy(text, sizeof(text), host))
		return false;
	if (inet_pton(AF_INET, text, &v4) == 1)
		return (ntohl(v4.s_addr) >> 24) == 127;
	return inet_pton(AF_INET6, text, &v6) == 1 && IN6_IS_ADDR_LOOPBACK(&v6);
}

bool bc_settings_listen_is_local(const char *listen)
{
	struct bc_str host, port, text = bc_str_of(listen);

	if (bc_str_starts(text, "unix:"))
		return true;
	return bc_setting_split_listen(text, &host, &port) && is_loopback(host);
}

static int check_unix(struct bc_str path, struct bc_err *err)
{
	/* sun_path's size on Linux, with the terminating NUL. */
	if (path.len == 0 || path.len > 107)
		return refuse(err, "has no usable path behind \"unix:\"",
			      "write unix:/run/backchannel/api.sock; at most 107 bytes");
	return 0;
}

/* What one can listen on must also make the URL under which the command line finds it. */
static int check_reachable(struct bc_str host, struct bc_err *err)
{
	bool v6 = memchr(host.ptr, ':', host.len) != NULL;
	char text[300];
	CURLU *url = NULL;
	snprintf(text, sizeof(text), v6 ? "http://[%.*s]:1" : "http://%.*s:1", (int)host.len,
		 host.ptr);
	int result = host.len > 255 ? BC_EINVAL : parse_url(bc_str_of(text), &url, NULL);
	if (result == BC_ENOMEM)
		return bc_err_nomem(err);
	if (result)
		return refuse(err, "is no address to listen on",
			      "write host:port, [IPv6]:port or unix:PATH, such as 127.0.0.1:8787");
	free_url(&url);
	return 0;
}

int bc_setting_check_listen(struct bc_str text, struct bc_err *err)
{
	struct bc_str host, port;
	uint64_t number;

	if (bc_str_starts(text, "unix:"))
		return check_unix((struct bc_str){ text.ptr + 5, text.len - 5 }, err);
	if (!bc_setting_split_listen(text, &host, &port) || !only(host, ".-_:%"))
		return refuse(err, "is no address to listen on",
			      "write host:port, [IPv6]:port or unix:PATH, such as 127.0.0.1:8787");
	if (bc_parse_u64(port, &number) || number > 65535)
		return refuse(err, "has no port from 0 to 65535", "write it as in 127.0.0.1:8787");
	return check_reachable(host, err);
}

int bc_setting_check_input(struct bc_str text, struct bc_err *err)
{
	struct bc_str host, port;
	uint64_t number;

	if (bc_str_starts(text, "unix:"))
		return check_unix((struct bc_str){ text.ptr + 5, text.len - 5 }, err);
	if (!bc_str_starts(text, "udp:") ||
	    !bc_setting_split_listen((struct bc_str){ text.ptr + 4, text.len - 4 }, &host, &port) ||
	    bc_parse_u64(port, &number) || number > 65535)
		return refuse(err, "is no datagram socket",
			      "write unix:/run/backchannel/in.sock or udp:127.0.0.1:8788");
	if (!is_loopback(host))
		return refuse(err, "is not on loopback",
			      "anybody could send clicks there: use udp:127.0.0.1:PORT");
	return 0;
}

int bc_setting_check_network(struct bc_str text, struct bc_err *err)
{
	struct bc_network network;
	if (bc_network_parse(text, &network))
		return refuse(err, "is no address or network",
			      "write it as 10.1.2.3, 10.0.0.0/8 or fd00::/8");
	return 0;
}

int bc_setting_check_host(struct bc_str text, struct bc_err *err)
{
	if (text.len > 255 || !only(text, ".-_:[]"))
		return refuse(
			err, "is no host name",
			"write the name alone, or name:port, as it stands in the Host header");
	return 0;
}

/* --- URLs ------------------------------------------------------------------------------------ */

static void free_part(char **part)
{
	curl_free(*part);
}

static bool has_part(CURLU *url, CURLUPart part)
{
	BC_CLEANUP(free_part) char *value = NULL;

	return curl_url_get(url, part, &value, 0) == CURLUE_OK;
}

static bool part_is(CURLU *url, CURLUPart part, const char *wanted)
{
	BC_CLEANUP(free_part) char *value = NULL;

	return curl_url_get(url, part, &value, 0) == CURLUE_OK && strcmp(value, wanted) == 0;
}

static bool host_is_loopback(CURLU *url)
{
	BC_CLEANUP(free_part) char *value = NULL;
	struct bc_str host;

	if (curl_url_get(url, CURLUPART_HOST, &value, 0) != CURLUE_OK)
		return false;
	host = bc_str_of(value);
	if (bc_str_starts(host, "[") && host.len > 2)
		host = (struct bc_str){ host.ptr + 1, host.len - 2 };
	return is_loopback(host);
}

/* Userinfo would be a secret in a setting that is shown; a query would swallow what is appended. */
static int check_bare(CURLU *url, struct bc_err *err)
{
	if (has_part(url, CURLUPART_USER) || has_part(url, CURLUPART_PASSWORD))
		return refuse(err, "has a user or password in it",
			      "leave out everything up to \"@\"");
	if (has_part(url, CURLUPART_QUERY) || has_part(url, CURLUPART_FRAGMENT))
		return refuse(err, "has a query or fragment in it",
			      "end it before \"?\" and \"#\"");
	return 0;
}

static int check_scheme(CURLU *url, bool plain_anywhere, struct bc_err *err)
{
	if (part_is(url, CURLUPART_SCHEME, "https"))
		return 0;
	if (!part_is(url, CURLUPART_SCHEME, "http"))
		return refuse(err, "is not https", "write https:// in front");
	if (!plain_anywhere && !host_is_loopback(url))
		return refuse(
			err, "is not https, and its host is not this machine",
			"write https://; http is for loopback only, since the key is sent to it");
	return 0;
}

static int check_http(struct bc_str text, bool plain_anywhere, struct bc_err *err)
{
	BC_CLEANUP(free_url) CURLU *url = NULL;
	int rc = parse_url(text, &url, err);

	if (!rc)
		rc = check_bare(url, err);
	return rc ? rc : check_scheme(url, plain_anywhere, err);
}

int bc_setting_check_base_url(struct bc_str text, struct bc_err *err)
{
	return check_http(text, false, err);
}

/* Adobe's tools name the service by a word. */
int bc_setting_check_ims(struct bc_str text, struct bc_err *err)
{
	if (bc_str_eq(text, "prod") || bc_str_eq(text, "stage"))
		return 0;
	return bc_setting_check_base_url(text, err);
}

int bc_setting_check_url(struct bc_str text, struct bc_err *err)
{
	if (bc_str_starts(text, "unix:"))
		return check_unix((struct bc_str){ text.ptr + 5, text.len - 5 }, err);
	return check_http(text, true, err);
}

int bc_setting_check_proxy(struct bc_str text, struct bc_err *err)
{
	static const char *const schemes[] = { "http", "https", "socks5", "socks5h" };
	BC_CLEANUP(free_url) CURLU *url = NULL;
	int rc = parse_url(text, &url, err);

	if (!rc)
		rc = check_bare(url, err);
	for (size_t i = 0; !rc && i < BC_COUNT(schemes); i++)
		if (part_is(url, CURLUPART_SCHEME, schemes[i]))
			return 0;
	return rc ? rc
		  : refuse(err, "is no proxy that can be used",
			   "write http://, https://, socks5:// or socks5h:// in front");
}

/* Anything may stand in it, keys first of all: the words about it never quote it. */
int bc_setting_check_secret_url(struct bc_str text, struct bc_err *err)
{
	BC_CLEANUP(free_url) CURLU *url = NULL;
	int rc = parse_url(text, &url, err);

	return rc ? rc : check_scheme(url, false, err);
}

/* --- names ----------------------------------------------------------------------------------- */

int bc_setting_check_param(struct bc_str text, struct bc_err *err)
{
	if (text.len > 64 || !only(text, "_.-"))
		return refuse(
			err, "has a name that is no URL parameter's",
			"use 1 to 64 letters, digits, \"_\", \".\", \"-\", such as sovReqToken");
	return 0;
}

int bc_setting_check_product_id(struct bc_str text, struct bc_err *err)
{
	/* A dot in front would let "." or ".." be a path segment. */
	if (!only(text, "._-") || text.ptr[0] == '.')
		return refuse(err, "is no product ID",
			      "copy it as Sovendus gave it, such as "
			      "9bc72425-902c-3abf-9db8-8b186d7cb160");
	return 0;
}

int bc_setting_check_partner_id(struct bc_str text, struct bc_err *err)
{
	while (text.ptr) {
		struct bc_str part = bc_str_split(&text, ':');
		if (!part.len || !only(part, "._-") || part.ptr[0] == '.')
			return refuse(err, "is no product ID",
				      "copy it as the partner gave it, such as "
				      "9bc72425-902c-3abf-9db8-8b186d7cb160; several parts have a "
				      "colon between two");
	}
	return 0;
}

/* Whether there is one of that name is settings_partners.c's to find. */
int bc_setting_check_partner(struct bc_str text, struct bc_err *err)
{
	if (bc_partner_name_ok(text))
		return 0;
	return refuse(err, "is no partner's name",
		      "backchannel partners lists them; leave the line out for sovendus");
}

int bc_setting_check_landing(struct bc_str text, struct bc_err *err)
{
	if (text.ptr[0] != '/' || memchr(text.ptr, '?', text.len) ||
	    memchr(text.ptr, '#', text.len) || memchr(text.ptr, ' ', text.len))
		return refuse(err, "is no path",
			      "write the path alone, beginning with \"/\", such as /shoes/");
	return 0;
}

/* --- Commerce -------------------------------------------------------------------------------- */

int bc_setting_check_field_value(struct bc_str text, struct bc_err *err)
{
	for (size_t i = 0; i < text.len; i++)
		if (text.ptr[i] <= ' ' || text.ptr[i] > '~')
			return refuse(err, "cannot stand in a header",
				      "copy it from the Developer Console, without blanks");
	return 0;
}

int bc_setting_check_scopes(struct bc_str text, struct bc_err *err)
{
	bc_autofree char *list = bc_str_dup(text), *scope = NULL;
	struct bc_err why = { 0 };
	int rc = list ? bc_oauth_scope_join(list, ",", &scope, &why) : BC_ENOMEM;

	if (rc == BC_ENOMEM)
		return bc_err_nomem(err);
	if (rc)
		return refuse(err, "is no list of scopes",
			      "write them parted by commas, such as openid,AdobeID,commerce.accs");
	return 0;
}

static int check_word(struct bc_str text, const char *const *words, const char *hint,
		      struct bc_err *err)
{
	for (; *words; words++)
		if (bc_str_eq(text, *words))
			return 0;
	return refuse(err, "is no choice that there is", hint);
}

int bc_setting_check_separator(struct bc_str text, struct bc_err *err)
{
	static const char *const words[] = { "comma", "space", NULL };
	return check_word(text, words, "write comma or space", err);
}

int bc_setting_check_auth(struct bc_str text, struct bc_err *err)
{
	static const char *const words[] = { "body", "basic", NULL };
	return check_word(text, words, "write body or basic", err);
}

int bc_setting_check_flavor(struct bc_str text, struct bc_err *err)
{
	static const char *const words[] = { "auto", "saas", "paas", NULL };
	return check_word(text, words, "write auto, saas or paas", err);
}

/* "METHOD /prefix" */
enum { METHOD_MAX_BYTES = 15 };
int bc_setting_check_rule(struct bc_str text, struct bc_err *err)
{
	struct bc_str prefix = text, method = bc_str_split(&prefix, ' ');
	bool any = bc_str_eq(method, "*");

	prefix = bc_str_trim(prefix);
	for (size_t i = 0; !any && i < method.len; i++)
		if (method.ptr[i] < 'A' || method.ptr[i] > 'Z')
			return refuse(err, "has no method in front",
				      "write it as in GET /V1/orders");
	if (!method.len || method.len > METHOD_MAX_BYTES ||
	    bc_setting_check_landing(prefix.len ? prefix : BC_STR("-"), NULL))
		return refuse(err, "is no method and path prefix",
			      "write it as in GET /V1/orders; * is any method");
	return 0;
}

/* --- the daemon's own ------------------------------------------------------------------------ */

int bc_setting_check_store(struct bc_str text, struct bc_err *err)
{
	bc_autofree char *url = bc_str_dup(text);
	struct bc_err why = { 0 };
	const char *rest;

	if (!url)
		return bc_err_nomem(err);
	const struct bc_engine *engine = bc_engine_find(url, &rest);
	if (!engine)
		return refuse(
			err, "names no store engine of this program",
			"write sqlite:PATH, such as sqlite:/var/lib/backchannel/backchannel.db");
	if (!engine->check || !engine->check(rest, &why))
		return 0;
	bc_err_set(err, BC_EINVAL, "is none that its engine takes: %s", why.text);
	bc_err_hint(err, "%s", why.hint);
	return BC_EINVAL;
}

int bc_setting_check_log(struct bc_str text, struct bc_err *err)
{
	enum bc_log_level level;
	bool json = false;

	if (bc_log_parse(text, &level, &json))
		return refuse(
			err, "is no log setting",
			"write error, warning, info or debug, then optionally ,text or ,json");
	return 0;
}

/* --- Commerce -------------------------------------------------------------------------------- */

int bc_setting_check_order_state(struct bc_str text, struct bc_err *err)
{
	if (text.len == 0 || text.len > 32 || !only(text, "_"))
		return refuse(err, "is no order state",
			      "write states as Commerce names them, such as processing");
	return 0;
}

int bc_setting_check_public_key(struct bc_str text, struct bc_err *err)
{
	struct bc_public_key *key = NULL;
	int result = bc_public_key_read(text, &key, NULL);
	bc_public_key_destroy(key);
	if (result == BC_EINVAL)
		return refuse(err, "is no public RSA key in PEM",
			      "name its file in the setting with _file: it begins with "
			      "-----BEGIN PUBLIC KEY-----");
	return result ? bc_err_nomem(err) : 0;
}

int bc_setting_check_comment(struct bc_str text, struct bc_err *err)
{
	if (!bc_str_eq(text, "delivered") && !bc_str_eq(text, "rejected"))
		return refuse(err, "is nothing to comment on", "write delivered, rejected or both");
	return 0;
}
