/* SPDX-License-Identifier: MIT */
/*
 * Undoes chunked coding, in place and strictly. llhttp 8.1 is lenient about line ends within the
 * framing, and framing is what smuggling lives on, so the few states are our own.
 *
 * States, and who moves on:
 *   SIZE      hex digits of a chunk's size      -> EXTENSION at ';', SIZE_LF at CR
 *   EXTENSION ignored up to CR, bounded         -> SIZE_LF
 *   SIZE_LF   the LF of the size line           -> DATA, or LINE after the last chunk
 *   DATA      the chunk's bytes                 -> DATA_CR when none is left
 *   DATA_CR, DATA_LF  the CRLF behind the data  -> SIZE
 *   LINE      start of a trailer or of the end  -> NAME, or END_LF at CR
 *   NAME      a trailer's name                  -> VALUE at ':'
 *   VALUE     ignored up to CR                  -> VALUE_LF -> LINE
 *   END_LF    the last LF of the message        -> over
 * Anything else is refused. Trailers are never shown to anyone. Left to the caller: the buffer.
 */
#include "net/http_parse.h"

#include <string.h>

enum state {
	SIZE,
	EXTENSION,
	SIZE_LF,
	DATA,
	DATA_CR,
	DATA_LF,
	LINE,
	NAME,
	VALUE,
	VALUE_LF,
	END_LF,
	OVER
};

/* A size of more digits is nonsense even with leading zeros. */
enum { SIZE_DIGITS_MAX = 16 };

void bc_http_chunks_begin(struct bc_http_chunks *c)
{
	*c = (struct bc_http_chunks){ .state = SIZE };
}

static void refuse(struct bc_http_chunks *c, int status, const char *why)
{
	c->refusal = (struct bc_http_refusal){ status, why };
}

static int hex_value(unsigned char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static bool is_text(unsigned char c)
{
	return c == '\t' || (c >= 0x20 && c != 0x7f);
}

static void on_size(struct bc_http_chunks *c, unsigned char byte)
{
	int digit = hex_value(byte);

	if (digit >= 0 && c->size_digits < SIZE_DIGITS_MAX) {
		c->left = c->left * 16 + (unsigned int)digit;
		c->size_digits++;
	} else if (c->size_digits > 0 && byte == ';') {
		c->state = EXTENSION;
	} else if (c->size_digits > 0 && byte == '\r') {
		c->state = SIZE_LF;
	} else {
		refuse(c, 400, "a chunk size is not a hexadecimal number");
	}
}

static void on_extension(struct bc_http_chunks *c, unsigned char byte)
{
	c->extra_bytes++;
	if (byte == '\r')
		c->state = SIZE_LF;
	else if (!is_text(byte))
		refuse(c, 400, "a chunk extension holds a control byte");
}

static void expect(struct bc_http_chunks *c, unsigned char byte, unsigned char wanted,
		   enum state next)
{
	if (byte == wanted)
		c->state = next;
	else
		refuse(c, 400, "chunk framing without a proper CRLF");
}

static void on_size_lf(struct bc_http_chunks *c, unsigned char byte)
{
	expect(c, byte, '\n', c->left ? DATA : LINE);
	c->size_digits = 0;
}

static void on_data_cr(struct bc_http_chunks *c, unsigned char byte)
{
	expect(c, byte, '\r', DATA_LF);
}

static void on_data_lf(struct bc_http_chunks *c, unsigned char byte)
{
	expect(c, byte, '\n', SIZE);
}

static void on_line(struct bc_http_chunks *c, unsigned char byte)
{
	c->extra_bytes++;
	if (byte == '\r')
		c->state = END_LF;
	else if (bc_http_is_token_byte(byte))
		c->state = NAME;
	else
		refuse(c, 400, "a trailer line does not start with a name");
}

static void on_name(struct bc_http_chunks *c, unsigned char byte)
{
	c->extra_bytes++;
	if (byte == ':')
		c->state = VALUE;
	else if (!bc_http_is_token_byte(byte))
		refuse(c, 400, "a trailer name holds a byte that names may not have");
}

static void on_value(struct bc_http_chunks *c, unsigned char byte)
{
	c->extra_bytes++;
	if (byte == '\r')
		c->state = VALUE_LF;
	else if (!is_text(byte))
		refuse(c, 400, "a trailer value holds a control byte");
}

static void on_value_lf(struct bc_http_chunks *c, unsigned char byte)
{
	expect(c, byte, '\n', LINE);
}

static void on_end_lf(struct bc_http_chunks *c, unsigned char byte)
{
	expect(c, byte, '\n', OVER);
}

typedef void state_function(struct bc_http_chunks *c, unsigned char byte);

static state_function *const state_functions[] = {
	[SIZE] = on_size,	[EXTENSION] = on_extension, [SIZE_LF] = on_size_lf,
	[DATA_CR] = on_data_cr, [DATA_LF] = on_data_lf,	    [LINE] = on_line,
	[NAME] = on_name,	[VALUE] = on_value,	    [VALUE_LF] = on_value_lf,
	[END_LF] = on_end_lf,
};

/* Moves as much of the chunk as there is; returns how many bytes. */
static size_t move_data(struct bc_http_chunks *c, char *data, size_t len, size_t pos, size_t end)
{
	size_t n = len - pos < c->left ? len - pos : (size_t)c->left;

	memmove(data + end, data + pos, n);
	c->left -= n;
	if (c->left == 0)
		c->state = DATA_CR;
	return n;
}

static void check_bounds(struct bc_http_chunks *c, size_t room, uint32_t extra_max)
{
	if (c->left > room)
		refuse(c, 413, "the body is larger than this server accepts");
	else if (c->extra_bytes > extra_max)
		refuse(c, 431, "chunk extensions and trailers are too long");
}

enum bc_http_parsed bc_http_chunks_unwrap(struct bc_http_chunks *c, char *data, size_t len,
					  size_t *pos, size_t *end, size_t room, uint32_t extra_max)
{
	while (*pos < len && c->state != OVER && c->refusal.status == 0) {
		if (c->state == DATA) {
			size_t n = move_data(c, data, len, *pos, *end);
			*pos += n;
			*end += n;
			room -= n;
			continue;
		}
		state_functions[c->state](c, (unsigned char)data[(*pos)++]);
		if (c->refusal.status == 0)
			check_bounds(c, room, extra_max);
	}
	if (c->refusal.status != 0)
		return BC_HTTP_REFUSED;
	return c->state == OVER ? BC_HTTP_READY : BC_HTTP_MORE;
}
