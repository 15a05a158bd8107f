/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Bounds-checked cursors for network messages. Every parser and builder goes
 * through them; nothing else indexes into bytes from the wire.
 *
 * The error sticks: after the first access out of bounds each further read
 * gives zeroes and each further write does nothing, so a caller may read a
 * whole header and ask `failed` once. All integers are big-endian.
 */
#ifndef LIB_WIRE_H
#define LIB_WIRE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct reader {
	const uint8_t *data; /* not owned */
	size_t len;
	size_t pos;
	bool failed;
};

/* A reader of `len` bytes that the caller keeps alive. */
struct reader reader_init(const void *data, size_t len);
uint8_t reader_u8(struct reader *r);
uint16_t reader_u16(struct reader *r);
uint32_t reader_u32(struct reader *r);
uint64_t reader_u64(struct reader *r);
/* `len` bytes in place, or NULL (and failed) when fewer are left. */
const uint8_t *reader_bytes(struct reader *r, size_t len);
/* Copies `len` bytes out; zeroes `out` on failure. */
void reader_copy(struct reader *r, void *out, size_t len);
void reader_skip(struct reader *r, size_t len);
/* A reader of the next `len` bytes, which are consumed; failed if too few. */
struct reader reader_sub(struct reader *r, size_t len);
size_t reader_left(const struct reader *r); /* 0 once failed */
/* True when all was read and nothing failed. */
bool reader_done(const struct reader *r);

struct writer {
	uint8_t *data; /* not owned, `room` bytes */
	size_t room;
	size_t len; /* written so far */
	bool failed;
};

struct writer writer_init(void *data, size_t room);
void writer_u8(struct writer *w, uint8_t value);
void writer_u16(struct writer *w, uint16_t value);
void writer_u32(struct writer *w, uint32_t value);
void writer_u64(struct writer *w, uint64_t value);
void writer_bytes(struct writer *w, const void *data, size_t len);
void writer_zero(struct writer *w, size_t len);
/* Room for `len` bytes to be filled by the caller; NULL when it is not there. */
uint8_t *writer_reserve(struct writer *w, size_t len);
/* Overwrites a 16-bit (8-bit) field at an offset that was already written. */
void writer_patch_u16(struct writer *w, size_t offset, uint16_t value);
void writer_patch_u8(struct writer *w, size_t offset, uint8_t value);
void writer_patch_u32(struct writer *w, size_t offset, uint32_t value);

#endif
