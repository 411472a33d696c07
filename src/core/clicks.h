/* SPDX-License-Identifier: MIT */
/*
 * Clicks: a token seen at a landing, kept with what will come back later to find it (click id,
 * session) until click.ttl has passed. The last click wins under one id and under one session.
 */
#ifndef BC_CORE_CLICKS_H
#define BC_CORE_CLICKS_H

#include "core/identity.h"

/* What a landing brought; absent = not given. Slices live until done. */
struct bc_capture {
	struct bc_str url, token; /* one of them; token goes first */
	struct bc_str session, click, product;
};

struct bc_captured {
	bool captured;
	const char *reason; /* when not captured: "no token in url", "invalid token" */
	char click[BC_CLICK_TEXT_BYTES];
	enum bc_token_kind kind;
	uint64_t expires_ms;
	uint32_t adopted; /* orders that waited for this click */
};

/* result 0: captured is set; else err says why (BC_EBUSY, BC_ESTORE, ...). */
typedef void bc_capture_done(void *ctx, int result, const struct bc_err *err,
			     const struct bc_captured *captured);

/*
 * Stores a click; done is called once, later, when it is on disk.
 * result 0: done will be called. 1: *ret_now says why there is nothing to store; done is not
 * called. BC_EINVAL: a field is wrong, with *ret_field naming it ("token", "session", "click",
 * "url", "product"); done is not called.
 */
BC_MUST_CHECK int bc_clicks_capture(struct bc_desk *desk, struct bc_arena *arena,
				    const struct bc_capture *capture, bc_capture_done *done,
				    void *ctx, struct bc_captured *ret_now, const char **ret_field,
				    struct bc_err *err);

/* A new id, not to be guessed. */
void bc_click_mint(uint8_t id[BC_CLICK_ID_BYTES], uint64_t now_ms);

/* Consent withdrawn: forgets the click. done as above with captured NULL; BC_ENOENT when unknown.
 */
BC_MUST_CHECK int bc_clicks_delete(struct bc_desk *desk, struct bc_arena *arena,
				   struct bc_str click, bc_capture_done *done, void *ctx,
				   struct bc_err *err);

#endif
