/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Precedence (P1), duplicates (P2) and the table of lines: the cases of
 * research, and random lines against a plain walk over all of them.
 */
#include "lib/mem.h"
#include "policy/table.h"
#include "t/tap.h"

#include <stdlib.h>

static struct policy_line line(const char *prefix, uint8_t proto, uint16_t local_port,
	uint16_t remote_port, size_t conn)
{
	static uint32_t last_id;
	struct policy_line out = {.id = ++last_id,
		.proto = proto,
		.local_port = local_port,
		.remote_port = remote_port,
		.conn = conn};

	prefix_parse(prefix, &out.remote, NULL);
	return out;
}

static void check_stronger(struct policy_line a, struct policy_line b, const char *name)
{
	ok(policy_line_slot(&a) < policy_line_slot(&b), "%s", name);
	ok(policy_line_slot(&b) < POLICY_SLOTS, "and its slot is within the bound");
}

static void test_slots(void)
{
	check_stronger(line("10.0.0.1", 0, 0, 0, 0), line("10.0.0.0/24", 6, 22, 443, 0),
		"a longer prefix beats ports");
	check_stronger(line("10.0.0.0/24", 6, 22, 443, 0), line("10.0.0.0/24", 6, 0, 443, 0),
		"both ports beat the remote one");
	check_stronger(line("10.0.0.0/24", 6, 0, 443, 0), line("10.0.0.0/24", 6, 22, 0, 0),
		"the remote port beats the local one");
	check_stronger(line("10.0.0.0/24", 6, 22, 0, 0), line("10.0.0.0/24", 6, 0, 0, 0),
		"a port beats the protocol alone");
	check_stronger(line("10.0.0.0/24", 6, 0, 0, 0), line("10.0.0.0/24", 0, 0, 0, 0),
		"the protocol beats none");
	check_stronger(line("2001:db8::1", 0, 0, 0, 0), line("::/0", 0, 0, 0, 0), "IPv6 as well");
}

struct found {
	int pairs, errors;
};

static void count_pair(void *arg, const struct policy_line *first, const struct policy_line *second,
	bool same_group)
{
	struct found *found = arg;

	(void)first;
	(void)second;
	found->pairs++;
	found->errors += !same_group;
}

static struct policy_conn conns[] = {
	{.name = (char *)"private", .group = POLICY_PRIVATE, .ike_conn = SIZE_MAX},
	{.name = (char *)"clear", .group = POLICY_CLEAR, .ike_conn = SIZE_MAX},
};

static void test_duplicates(void)
{
	struct policy_line lines[] = {line("10.0.0.0/8", 0, 0, 0, 0), line("10.0.0.0/8", 6, 0, 80, 1),
		line("10.0.0.0/8", 0, 0, 0, 0), line("10.0.0.0/8", 6, 0, 80, 0)};
	struct policy_config config = {
		.conns = conns, .conn_count = 2, .lines = lines, .line_count = 3};
	struct found found = {0};

	ok(policy_check_duplicates(&config, count_pair, &found) && found.pairs == 1,
		"twice in one group is a warning (P2)");
	config.line_count = 4;
	found = (struct found){0};
	ok(!policy_check_duplicates(&config, count_pair, &found) && found.errors == 1,
		"in two groups an error");
}

/* --- what wins for a packet ----------------------------------------------------------------------- */

/* Lines over 10.9.0.2, and which of them a ping, TCP to 443 and TCP to 80 meet: section 2 of the
 * research on the kernel's priorities. Each line ends with its group: 0 private, 1 clear, 2 block. */
static const struct precedence {
	struct {
		const char *prefix;
		uint8_t proto;
		uint16_t port;
		size_t conn;
	} lines[3];
	const char *wins; /* the group of the winner for ping, 443, 80 */
} precedences[] = {
	{{{"10.9.0.0/24", 0, 0, 0}}, "ppp"},
	{{{"10.9.0.0/24", 0, 0, 0}, {"10.9.0.2/32", 0, 0, 1}}, "ccc"},
	{{{"10.9.0.0/24", 0, 0, 0}, {"10.9.0.0/24", 6, 443, 1}}, "pcp"},
	{{{"10.9.0.0/24", 0, 0, 0}, {"10.9.0.0/25", 6, 443, 1}, {"10.9.0.2/32", 0, 0, 0}}, "ppp"},
	{{{"10.9.0.0/24", 0, 0, 1}, {"10.9.0.2/32", 0, 0, 2}}, "bbb"},
	{{{"10.9.0.0/24", 0, 0, 1}, {"10.9.0.0/24", 6, 443, 0}}, "cpc"},
	{{{"10.9.0.0/24", 0, 0, 1}, {"10.9.0.0/24", 6, 443, 2}, {"10.9.0.2/32", 0, 0, 1}}, "ccc"},
	{{{"10.9.0.2/32", 0, 0, 2}, {"0.0.0.0/0", 6, 443, 1}}, "bbb"},
};

static char winner(const struct table *table, const struct addr *remote, uint8_t proto, uint16_t port)
{
	struct table_walk walk = table_walk(table, remote);
	const struct policy_line *found;

	while ((found = table_next(&walk))) {
		if ((!found->proto || found->proto == proto) &&
			(!found->remote_port || found->remote_port == port))
			return "pcb"[found->conn];
	}
	return '-';
}

static void test_precedence(const struct precedence *row)
{
	struct policy_conn groups[] = {{.group = POLICY_PRIVATE}, {.group = POLICY_CLEAR},
		{.group = POLICY_BLOCK}};
	struct policy_line some[3];
	struct policy_config config = {.conns = groups, .conn_count = 3, .lines = some};
	char got[4] = "";
	struct table *table;
	struct addr remote;

	addr_parse("10.9.0.2", &remote);
	for (; config.line_count < 3 && row->lines[config.line_count].prefix; config.line_count++)
		some[config.line_count] = line(row->lines[config.line_count].prefix,
			row->lines[config.line_count].proto, 0,
			row->lines[config.line_count].port, row->lines[config.line_count].conn);
	table = table_new(&config);
	got[0] = winner(table, &remote, 1, 0);
	got[1] = winner(table, &remote, 6, 443);
	got[2] = winner(table, &remote, 6, 80);
	is_str(got, row->wins, "ping, 443 and 80 meet the line that the kernel gives them");
	table_free(table);
}

/* --- random lines ------------------------------------------------------------------------------- */

#define LINES 3000
#define LOOKUPS 5000

static struct addr random_addr(void)
{
	struct addr addr = {.family = random() % 2 ? ADDR_IPV4 : ADDR_IPV6};

	/* Few values, so that prefixes nest and meet. */
	for (size_t i = 0; i < addr_len(&addr); i++)
		addr.bytes[i] = (uint8_t)(random() % 3 ? 0 : random() & 0xc1);
	return addr;
}

static struct policy_line random_line(void)
{
	char text[ADDR_TEXT + 8], addr_text[ADDR_TEXT];
	struct addr addr = random_addr();
	int bits = (int)(random() % (addr_bits(&addr) + 1));
	uint8_t proto = random() % 3 ? 0 : 6;

	snprintf(text, sizeof(text), "%s/%d", addr_format(&addr, addr_text), bits);
	return line(text, proto, 0, proto && random() % 2 ? 443 : 0, (size_t)(random() % 2));
}

static bool same_meaning(const struct policy_line *a, const struct policy_line *b)
{
	return prefix_equal(&a->remote, &b->remote) && a->proto == b->proto &&
	       a->remote_port == b->remote_port;
}

static struct policy_line lines[LINES];
static size_t line_count;

static void make_lines(void)
{
	while (line_count < LINES) {
		struct policy_line fresh = random_line();
		bool known = false;

		for (size_t i = 0; i < line_count && !known; i++)
			known = same_meaning(&lines[i], &fresh);
		if (!known)
			lines[line_count++] = fresh;
	}
}

/* The walk gives exactly the lines that cover the address, in the order of their slots. */
static bool agrees(const struct table *table, const struct addr *remote)
{
	struct table_walk walk = table_walk(table, remote);
	const struct policy_line *found;
	uint32_t last_slot = 0;
	size_t covering = 0, walked = 0;

	for (size_t i = 0; i < line_count; i++)
		covering += prefix_contains(&lines[i].remote, remote);
	while ((found = table_next(&walk))) {
		walked++;
		if (!prefix_contains(&found->remote, remote) || policy_line_slot(found) < last_slot)
			return false;
		last_slot = policy_line_slot(found);
	}
	return walked == covering;
}

/* A third of the lines is taken out of the table and put back. */
static void churn(struct table *table)
{
	for (size_t i = 0; i < line_count; i += 3)
		table_del(table, lines[i].id);
	for (size_t i = 0; i < line_count; i += 3)
		table_add(table, &lines[i]);
	table_del(table, UINT32_MAX);
}

static int count_wrong(const struct table *table)
{
	int wrong = 0;

	for (int i = 0; i < LOOKUPS; i++) {
		struct addr remote = random_addr();

		wrong += !agrees(table, &remote);
	}
	return wrong;
}

static void test_table(void)
{
	struct policy_config config = {.conns = conns, .conn_count = 2, .lines = lines};
	struct table *table;

	make_lines();
	config.line_count = line_count;
	table = table_new(&config);
	is_int(count_wrong(table), 0, "the table finds what a walk over all lines finds, in the order of P1");
	ok(table_get(table, lines[line_count / 2].id)->id == lines[line_count / 2].id,
		"and a line by its id");
	for (int i = 0; i < 3; i++)
		churn(table);
	is_int(count_wrong(table), 0, "also when lines have gone and come");
	is_int((intmax_t)table_count(table), (intmax_t)line_count, "none is lost");
	line_count /= 2;
	for (size_t i = line_count; i < LINES; i++)
		table_del(table, lines[i].id);
	is_int(count_wrong(table), 0, "and when half of them have gone");
	ok(!table_get(table, lines[LINES - 1].id), "for good");
	table_free(table);
}

int main(int argc, char **argv)
{
	unsigned seed = argc > 1 ? (unsigned)strtoul(argv[1], NULL, 10) : 20261123;

	diag("seed %u", seed);
	srandom(seed);
	test_slots();
	test_duplicates();
	for (size_t i = 0; i < ARRAY_LEN(precedences); i++)
		test_precedence(&precedences[i]);
	test_table();
	return tap_done();
}
