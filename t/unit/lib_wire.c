/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Bounds-checked cursors: the error sticks and nothing is touched past the end. */
#include "lib/secret.h"
#include "lib/wire.h"
#include "t/tap.h"

static void test_reader(void)
{
	static const uint8_t data[] = {1, 0x02, 0x03, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};
	struct reader r = reader_init(data, sizeof(data));
	struct reader sub;

	is_int(reader_u8(&r), 1, "u8");
	is_int(reader_u16(&r), 0x0203, "u16 is big-endian");
	is_int(reader_u32(&r), 0x04050607, "u32");
	ok(reader_u64(&r) == 0x08090a0b0c0d0e0fu, "u64");
	ok(reader_done(&r), "all read");
	is_int(reader_u8(&r), 0, "past the end reads zero");
	ok(r.failed && !reader_done(&r) && reader_left(&r) == 0, "and the error sticks");
	r = reader_init(data, sizeof(data));
	sub = reader_sub(&r, 4);
	reader_skip(&sub, 3);
	is_int(reader_u16(&sub), 0, "a sub-reader ends at its own end");
	ok(sub.failed && !r.failed, "its failure is its own");
	sub = reader_sub(&r, 100);
	ok(sub.failed && r.failed, "a sub-reader longer than the rest fails both");
}

static void test_writer(void)
{
	uint8_t out[8] = {0}, guard[9];
	static const uint8_t want[] = {1, 2, 3, 0, 0, 0, 9, 0xff};
	struct writer w = writer_init(out, 7);

	out[7] = 0xff;
	writer_u8(&w, 1);
	writer_u16(&w, 0x0203);
	writer_u32(&w, 9);
	is_mem(out, want, 8, "integers are big-endian");
	writer_u8(&w, 7);
	ok(w.failed && out[7] == 0xff && w.len == 7, "a full writer fails and writes nothing");
	w = writer_init(guard, sizeof(guard));
	writer_zero(&w, 4);
	writer_patch_u16(&w, 2, 0xabcd);
	ok(!w.failed && guard[2] == 0xab && guard[3] == 0xcd, "patch of a written field");
	writer_patch_u16(&w, 3, 1);
	ok(w.failed, "a patch across the end of what is written fails");
}

static void test_secret(void)
{
	struct secret secret = {0};
	uint8_t big[SECRET_MAX + 1] = {0};

	ok(secret_set(&secret, "abc", 3) && secret.len == 3, "a secret is set");
	ok(!secret_set(&secret, big, sizeof(big)) && secret.len == 0 && secret.data[0] == 0,
		"one that is too long is refused, and the old one wiped");
	ok(secret_equal("abc", "abc", 3) && !secret_equal("abc", "abd", 3), "constant-time compare");
}

int main(void)
{
	test_reader();
	test_writer();
	test_secret();
	return tap_done();
}
