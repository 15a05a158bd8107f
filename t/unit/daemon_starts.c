/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Limits on what begins negotiations (N3): an answer, a name, a target, acquires. */
#include "daemon/starts.h"
#include "policy/policy.h"
#include "t/tap.h"

#define SECOND UINT64_C(1000000)

static struct addr host(unsigned number)
{
	char text[ADDR_TEXT];
	struct addr addr;

	snprintf(text, sizeof(text), "10.%u.%u.%u", number >> 16, number >> 8 & 255, number & 255);
	addr_parse(text, &addr);
	return addr;
}

static unsigned begin_for_answer(struct starts *starts, uint64_t query, const char *name, unsigned first)
{
	unsigned begun = 0;

	for (unsigned i = 0; i < 20; i++) {
		struct addr remote = host(first + i);

		begun += starts_refuse_lookup(starts, query, name, &remote, false, 100 * SECOND) == NULL;
	}
	return begun;
}

static void test_lookups(void)
{
	struct starts *starts = starts_new();
	struct addr remote = host(7);
	unsigned begun = 0;

	is_int(begin_for_answer(starts, 1, "many.example", 1000), 8, "eight for an answer");
	is_int(begin_for_answer(starts, 2, "more.example", 2000), 8, "and eight for the next one");
	for (uint64_t query = 3; query < 30; query++)
		begun += begin_for_answer(starts, query, "again.example", (unsigned)query * 1000);
	is_int(begun, 64, "64 for a name");
	begun = 0;
	for (uint64_t query = 100; query < 150; query++) {
		char name[32];

		snprintf(name, sizeof(name), "name%u.example", (unsigned)query);
		begun += starts_refuse_lookup(starts, query, name, &remote, false, 100 * SECOND) == NULL;
	}
	is_int(begun, 16, "16 for an address, whatever its names");
	remote = host(9);
	begun = 0;
	for (uint64_t query = 200; query < 250; query++)
		begun += starts_refuse_lookup(starts, query, "look.example", &remote, true, 100 * SECOND) == NULL;
	is_int(begun, 50, "who only looks takes none");
	is_int((intmax_t)starts_refused_acquires(starts), 0, "none of them an acquire");
	starts_free(starts);
}

static void test_acquires(void)
{
	struct starts *starts = starts_new();
	struct policy_counters calm = {.flows = 10}, busy = {.negotiating = 2000}, full = {.flows = 200000};
	struct addr remote = host(7), other = host(8);
	unsigned begun = 0;

	for (unsigned i = 0; i < 50; i++)
		begun += starts_refuse_acquire(starts, &calm, &remote, 100 * SECOND) == NULL;
	is_int(begun, 16, "16 acquires for an address");
	ok(!starts_refuse_acquire(starts, &calm, &other, 100 * SECOND), "another one is not concerned");
	ok(starts_refuse_acquire(starts, &busy, &other, 100 * SECOND), "none while too many negotiations go on");
	ok(starts_refuse_acquire(starts, &full, &other, 100 * SECOND), "none while too many hosts are known");
	ok(!starts_refuse_acquire(starts, &calm, &other, 100 * SECOND), "and again when that is over");
	is_int((intmax_t)starts_refused_acquires(starts), 34 + 2, "those refused are counted");
	starts_free(starts);
}

int main(void)
{
	test_lookups();
	test_acquires();
	return tap_done();
}
