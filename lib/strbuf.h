/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Texts. A growing string. Embedded in its owner: zero-initialised is empty and
 * valid, strbuf_clear() frees. `text` is NULL only while nothing was added.
 */
#ifndef LIB_STRBUF_H
#define LIB_STRBUF_H

#include <stddef.h>

struct strbuf {
	char *text;
	size_t len; /* bytes, without the terminating NUL */
	size_t room;
};

void strbuf_add(struct strbuf *buf, const void *data, size_t len);
void strbuf_printf(struct strbuf *buf, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
/* Hands the string over to the caller, who frees it; "" when empty. */
char *strbuf_take(struct strbuf *buf);
void strbuf_clear(struct strbuf *buf);

/* Copies what fits of a text into an array of `room` bytes, its NUL included. */
void text_copy(char *out, size_t room, const char *text);

#endif
