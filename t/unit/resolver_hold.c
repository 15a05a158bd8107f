/* SPDX-License-Identifier: GPL-2.0-or-later */
/* When an answer may go, and in which shape: rules A2 to A6 over lists of verdicts. */
#include "resolver/hold.h"
#include "t/tap.h"

/* One letter an address: p(ass), t(unnelled), w(ait), x (withheld), b(locked). */
static void set(struct hold *hold, const char *verdicts)
{
	struct addr addrs[HOLD_MAX + 8] = {0};
	size_t count = strlen(verdicts);

	for (size_t i = 0; i < count; i++)
		addrs[i] = (struct addr){.family = ADDR_IPV4, .bytes = {192, 0, 2, (uint8_t)i}};
	hold_init(hold, addrs, count, NULL);
	for (size_t i = 0; i < hold->count; i++) {
		struct resolver_decision *decision = &hold->items[i].decision;

		switch (verdicts[i]) {
		case 'p':
			decision->verdict = RESOLVER_PASS;
			break;
		case 't':
			decision->verdict = RESOLVER_TUNNELLED;
			break;
		case 'x':
			decision->verdict = RESOLVER_WITHHELD;
			break;
		case 'b':
			decision->verdict = RESOLVER_BLOCKED;
			break;
		}
	}
}

static const struct {
	const char *verdicts;
	enum hold_step step;
	enum hold_shape address, signed_set, records;
} table[] = {
	{"", HOLD_GO, HOLD_SHAPE_USABLE, HOLD_SHAPE_USABLE, HOLD_SHAPE_USABLE},
	{"p", HOLD_GO, HOLD_SHAPE_USABLE, HOLD_SHAPE_WHOLE, HOLD_SHAPE_USABLE},
	{"t", HOLD_GO, HOLD_SHAPE_USABLE, HOLD_SHAPE_WHOLE, HOLD_SHAPE_USABLE},
	{"w", HOLD_KEEP, HOLD_SHAPE_OTHER, HOLD_SHAPE_FAIL, HOLD_SHAPE_USABLE},
	{"wx", HOLD_KEEP, HOLD_SHAPE_OTHER, HOLD_SHAPE_FAIL, HOLD_SHAPE_USABLE},
	{"wb", HOLD_KEEP, HOLD_SHAPE_OTHER, HOLD_SHAPE_FAIL, HOLD_SHAPE_USABLE},
	{"wp", HOLD_GRACE, HOLD_SHAPE_USABLE, HOLD_SHAPE_WHOLE, HOLD_SHAPE_USABLE},
	{"wtx", HOLD_GRACE, HOLD_SHAPE_USABLE, HOLD_SHAPE_WHOLE, HOLD_SHAPE_USABLE},
	{"x", HOLD_GO, HOLD_SHAPE_OTHER, HOLD_SHAPE_FAIL, HOLD_SHAPE_USABLE},
	{"bx", HOLD_GO, HOLD_SHAPE_OTHER, HOLD_SHAPE_FAIL, HOLD_SHAPE_USABLE},
	{"b", HOLD_GO, HOLD_SHAPE_NODATA, HOLD_SHAPE_FAIL, HOLD_SHAPE_USABLE},
	{"bb", HOLD_GO, HOLD_SHAPE_NODATA, HOLD_SHAPE_FAIL, HOLD_SHAPE_USABLE},
	{"bp", HOLD_GO, HOLD_SHAPE_USABLE, HOLD_SHAPE_WHOLE, HOLD_SHAPE_USABLE},
};

/* An answer to ANY has a set of each family. */
static void test_any(struct hold *hold)
{
	set(hold, "px");
	ok(hold_shape(hold, HOLD_KIND_SIGNED_SETS) == HOLD_SHAPE_WHOLE, "one of a set can be used: it goes out whole");
	hold->items[1].addr.family = ADDR_IPV6;
	ok(hold_shape(hold, HOLD_KIND_SIGNED_SETS) == HOLD_SHAPE_FAIL, "nothing of another set: SERVFAIL (A6)");
	hold->items[1].decision.verdict = RESOLVER_TUNNELLED;
	ok(hold_shape(hold, HOLD_KIND_SIGNED_SETS) == HOLD_SHAPE_WHOLE, "some of both sets can be used");
	set(hold, "");
	ok(hold_shape(hold, HOLD_KIND_SIGNED_SETS) == HOLD_SHAPE_USABLE, "no addresses");
}

int main(void)
{
	struct hold hold = {0};
	char many[HOLD_MAX + 9];

	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		set(&hold, table[i].verdicts);
		ok(hold_look(&hold) == table[i].step, "\"%s\": the step", table[i].verdicts);
		ok(hold_shape(&hold, HOLD_KIND_ADDRESS) == table[i].address,
			"\"%s\": an address lookup's shape", table[i].verdicts);
		ok(hold_shape(&hold, HOLD_KIND_SIGNED) == table[i].signed_set,
			"\"%s\": with DO", table[i].verdicts);
		ok(hold_shape(&hold, HOLD_KIND_RECORDS) == table[i].records,
			"\"%s\": another type", table[i].verdicts);
	}
	test_any(&hold);
	set(&hold, "pbxw");
	ok(hold_culprit(&hold) == &hold.items[2], "what failed explains more than what is blocked");
	set(&hold, "pb");
	ok(hold_culprit(&hold) == &hold.items[1], "a blocked one explains when it is alone");
	set(&hold, "pt");
	ok(!hold_culprit(&hold), "nothing was taken out, nothing to explain");
	memset(many, 'p', sizeof(many));
	many[HOLD_MAX + 8] = '\0';
	set(&hold, many);
	is_int((intmax_t)hold.count, HOLD_MAX, "no more addresses than are judged");
	hold_clear(&hold);
	ok(hold.count == 0 && !hold.items, "cleared");
	return tap_done();
}
