/* SPDX-License-Identifier: MIT */
/*
 * What counts as a click token. The alphabet is the one wall that everything else leans on: a byte
 * outside [A-Za-z0-9_-] (and ".~:", for a partner whose tokens need them) never reaches a request,
 * a header, a log line or a file name, so no later stage has to ask again. The shape of production
 * tokens is deliberately not checked; Sovendus's own samples break the shape its guide draws.
 * Finding a token in a URL is url.c's.
 */
#include "protocol/token.h"

#include <regex.h>
#include <string.h>

#include "base/attr.h"
#include "base/err.h"

/* 'n' stands for a letter or digit; every other character for itself. */
static const char test_shape[] = "nnnnn-test-nnn-nnnnn";
static const char guide_shape[] = "nnnnn-nnnn-nnn-nnnnn";

struct bc_token_pattern {
	bool guide; /* the built-in shape; regex is not in use then */
	regex_t regex;
};

const char *bc_token_kind_name(enum bc_token_kind kind)
{
	switch (kind) {
	case BC_TOKEN_PRODUCTION:
		return "production";
	case BC_TOKEN_TEST:
		return "test";
	case BC_TOKEN_INVALID:
		break;
	}
	return "invalid";
}

/* Not isalnum(): that one asks the locale. */
static bool is_alnum(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

bool bc_token_is_safe(const char *token, size_t len, const char *also)
{
	size_t more = also ? strlen(also) : 0;
	if (len < BC_TOKEN_MIN || len > BC_TOKEN_MAX)
		return false;
	for (size_t i = 0; i < len; i++) {
		if (!is_alnum(token[i]) && token[i] != '-' && token[i] != '_' &&
		    !(more && memchr(also, token[i], more)))
			return false;
	}
	return true;
}

bool bc_token_has_shape(const char *token, size_t len, const char *shape)
{
	if (len != strlen(shape))
		return false;
	for (size_t i = 0; i < len; i++) {
		if (shape[i] == 'n' ? !is_alnum(token[i]) : token[i] != shape[i])
			return false;
	}
	return true;
}

enum bc_token_kind bc_token_classify(const char *token, size_t len)
{
	if (!bc_token_is_safe(token, len, NULL))
		return BC_TOKEN_INVALID;
	return bc_token_has_shape(token, len, test_shape) ? BC_TOKEN_TEST : BC_TOKEN_PRODUCTION;
}

/*
 * POSIX asks for the leftmost-longest match: if the whole token matches at all, that match is the
 * one reported. So the expression is used as it was written, with no anchors wrapped round it that
 * would renumber its groups.
 */
static bool matches_whole(const regex_t *regex, const char *token, size_t len)
{
	char text[BC_TOKEN_MAX + 1];
	memcpy(text, token, len);
	text[len] = '\0';
	regmatch_t match;
	int result = regexec(regex, text, 1, &match, 0);
	if (result == REG_NOMATCH)
		return false;
	return result != 0 || (match.rm_so == 0 && (size_t)match.rm_eo == len);
}

bool bc_token_fits(const struct bc_token_pattern *pattern, const char *token, size_t len)
{
	if (!pattern)
		return true;
	return pattern->guide ? bc_token_has_shape(token, len, guide_shape)
			      : matches_whole(&pattern->regex, token, len);
}

enum bc_token_kind bc_token_classify_strict(const char *token, size_t len,
					    const struct bc_token_pattern *pattern)
{
	enum bc_token_kind kind = bc_token_classify(token, len);
	if (kind == BC_TOKEN_PRODUCTION && !bc_token_fits(pattern, token, len))
		return BC_TOKEN_INVALID;
	return kind;
}

/* Quotes what regcomp has against the expression. */
static int refuse_regex(const char *pattern, int result, const regex_t *regex, struct bc_err *err)
{
	char why[128];
	if (result == REG_ESPACE)
		return bc_err_nomem(err);
	regerror(result, regex, why, sizeof(why));
	bc_err_set(err, BC_EINVAL, "token pattern \"%.100s\" is no regular expression: %s", pattern,
		   why);
	bc_err_hint(err, "write a POSIX extended regular expression that the whole token matches, "
			 "such as [a-f0-9-]{35}, or the word guide for the guide's 5-4-3-5");
	return BC_EINVAL;
}

int bc_token_pattern_create(const char *pattern, struct bc_token_pattern **ret_pattern,
			    struct bc_err *err)
{
	if (!*pattern) {
		bc_err_set(err, BC_EINVAL, "token pattern \"\" would refuse every token");
		bc_err_hint(err, "leave the setting out to accept every token that is safe");
		return BC_EINVAL;
	}
	bc_autofree struct bc_token_pattern *made = calloc(1, sizeof(*made));
	if (!made)
		return bc_err_nomem(err);
	made->guide = strcmp(pattern, "guide") == 0;
	int result = made->guide ? 0 : regcomp(&made->regex, pattern, REG_EXTENDED);
	if (result != 0)
		return refuse_regex(pattern, result, &made->regex, err);
	*ret_pattern = bc_take(made);
	return 0;
}

void bc_token_pattern_destroy(struct bc_token_pattern *pattern)
{
	if (!pattern)
		return;
	if (!pattern->guide)
		regfree(&pattern->regex);
	free(pattern);
}
