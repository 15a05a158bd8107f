/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A growing string (strbuf.h). */
#include "lib/strbuf.h"

#include "lib/mem.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void reserve(struct strbuf *buf, size_t more)
{
	size_t need = buf->len + more + 1;

	if (need <= buf->room)
		return;
	buf->room = need * 2;
	buf->text = mem_resize(buf->text, buf->room, 1);
}

void strbuf_add(struct strbuf *buf, const void *data, size_t len)
{
	reserve(buf, len);
	if (len)
		memcpy(buf->text + buf->len, data, len);
	buf->len += len;
	buf->text[buf->len] = '\0';
}

void strbuf_printf(struct strbuf *buf, const char *format, ...)
{
	va_list args, again;
	int len;

	va_start(args, format);
	va_copy(again, args);
	len = vsnprintf(NULL, 0, format, args);
	va_end(args);
	if (len >= 0) {
		reserve(buf, (size_t)len);
		vsnprintf(buf->text + buf->len, (size_t)len + 1, format, again);
		buf->len += (size_t)len;
	}
	va_end(again);
}

char *strbuf_take(struct strbuf *buf)
{
	char *text = buf->text ? buf->text : mem_strdup("");

	*buf = (struct strbuf){0};
	return text;
}

void strbuf_clear(struct strbuf *buf)
{
	free(buf->text);
	*buf = (struct strbuf){0};
}

void text_copy(char *out, size_t room, const char *text)
{
	size_t len = strnlen(text, room - 1);

	memcpy(out, text, len);
	out[len] = '\0';
}
