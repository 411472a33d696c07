/* SPDX-License-Identifier: MIT */
/*
 * A click as a web server's log tells of it: one JSON object, with whatever a syslog put in front.
 *
 *	<190>Nov 21 23:17:43 bc: {"v":1,"t":1795303063.221,"click":"bc45...","tok":"...",
 *		"host":"shop.example","uri":"/?sovReqToken=...","sess":"","newsess":"fresh123"}
 *
 * v        1, or left out
 * t        when, ignored
 * click    the click's id: 32 hex digits or a UUID, with or without "c."
 * tok      the token
 * uri      the landing as it was asked for; where there is no tok, it holds the token
 * host     ignored
 * sess     the session that the visitor came with
 * newsess  the one that the shop gave him in its answer
 *
 * All but v and t are strings. null, "" and "-" (which servers write for what there is not) are
 * absent. Other fields are ignored. Bytes that are no UTF-8 become '?', for a visitor may send them
 * in anything.
 */
#ifndef BC_PROTOCOL_CAPTURE_LINE_H
#define BC_PROTOCOL_CAPTURE_LINE_H

#include "base/arena.h"
#include "base/str.h"

enum { BC_CAPTURE_LINE_MAX = 16 * 1024, BC_CAPTURE_PREFIX_MAX = 512, BC_CAPTURE_CLICK_BYTES = 35 };

/* Absent texts: it did not say. */
struct bc_capture_line {
	struct bc_str token, uri, session, new_session; /* in the arena */
	char click[BC_CAPTURE_CLICK_BYTES];		/* "c.<32 hex digits>"; "": none */
};

/* 0; BC_ENOMEM; BC_EINVAL, BC_ETOOBIG: the text says what is wrong, and shows nothing of the line.
 */
BC_MUST_CHECK int bc_capture_line_read(struct bc_str datagram, struct bc_arena *arena,
				       struct bc_capture_line *ret_line, struct bc_err *err);

#endif
