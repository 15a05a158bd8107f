/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Bounds-checked cursors (wire.h). */
#include "lib/wire.h"

#include <string.h>

struct reader reader_init(const void *data, size_t len)
{
	return (struct reader){.data = data, .len = len};
}

const uint8_t *reader_bytes(struct reader *r, size_t len)
{
	const uint8_t *at;

	if (r->failed || len > r->len - r->pos) {
		r->failed = true;
		return NULL;
	}
	at = r->data + r->pos;
	r->pos += len;
	return at;
}

static uint64_t read_integer(struct reader *r, size_t len)
{
	const uint8_t *at = reader_bytes(r, len);
	uint64_t value = 0;

	for (size_t i = 0; at && i < len; i++)
		value = value << 8 | at[i];
	return value;
}

uint8_t reader_u8(struct reader *r)
{
	return (uint8_t)read_integer(r, 1);
}

uint16_t reader_u16(struct reader *r)
{
	return (uint16_t)read_integer(r, 2);
}

uint32_t reader_u32(struct reader *r)
{
	return (uint32_t)read_integer(r, 4);
}

uint64_t reader_u64(struct reader *r)
{
	return read_integer(r, 8);
}

void reader_copy(struct reader *r, void *out, size_t len)
{
	const uint8_t *at = reader_bytes(r, len);

	if (at && len)
		memcpy(out, at, len);
	else if (len)
		memset(out, 0, len);
}

void reader_skip(struct reader *r, size_t len)
{
	reader_bytes(r, len);
}

struct reader reader_sub(struct reader *r, size_t len)
{
	const uint8_t *at = reader_bytes(r, len);

	return (struct reader){.data = at, .len = at ? len : 0, .failed = !at};
}

size_t reader_left(const struct reader *r)
{
	return r->failed ? 0 : r->len - r->pos;
}

bool reader_done(const struct reader *r)
{
	return !r->failed && r->pos == r->len;
}

struct writer writer_init(void *data, size_t room)
{
	return (struct writer){.data = data, .room = room};
}

uint8_t *writer_reserve(struct writer *w, size_t len)
{
	uint8_t *at;

	if (w->failed || len > w->room - w->len) {
		w->failed = true;
		return NULL;
	}
	at = w->data + w->len;
	w->len += len;
	return at;
}

static void write_integer(struct writer *w, uint64_t value, size_t len)
{
	uint8_t *at = writer_reserve(w, len);

	for (size_t i = len; at && i > 0; i--, value >>= 8)
		at[i - 1] = (uint8_t)value;
}

void writer_u8(struct writer *w, uint8_t value)
{
	write_integer(w, value, 1);
}

void writer_u16(struct writer *w, uint16_t value)
{
	write_integer(w, value, 2);
}

void writer_u32(struct writer *w, uint32_t value)
{
	write_integer(w, value, 4);
}

void writer_u64(struct writer *w, uint64_t value)
{
	write_integer(w, value, 8);
}

void writer_bytes(struct writer *w, const void *data, size_t len)
{
	uint8_t *at = writer_reserve(w, len);

	if (at && len)
		memcpy(at, data, len);
}

void writer_zero(struct writer *w, size_t len)
{
	uint8_t *at = writer_reserve(w, len);

	if (at && len)
		memset(at, 0, len);
}

/* A second cursor over bytes that are already written. */
static void patch(struct writer *w, size_t offset, uint64_t value, size_t len)
{
	struct writer over = writer_init(w->data, w->len);

	if (w->failed)
		return;
	over.len = offset <= w->len ? offset : w->len;
	write_integer(&over, value, len);
	w->failed = over.failed;
}

void writer_patch_u16(struct writer *w, size_t offset, uint16_t value)
{
	patch(w, offset, value, 2);
}

void writer_patch_u8(struct writer *w, size_t offset, uint8_t value)
{
	patch(w, offset, value, 1);
}

void writer_patch_u32(struct writer *w, size_t offset, uint32_t value)
{
	patch(w, offset, value, 4);
}
