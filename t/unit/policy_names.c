/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Names in group files: what an answer makes of an address (P3), and for how long (P4). */
#include "policy/names.h"

#include "lib/mem.h"
#include "policy/table.h"
#include "t/tap.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define HOUR_US (UINT64_C(3600) * 1000000)

/* Conns in the order of enum policy_group, so that an index is its group. */
static struct policy_conn conns[] = {
	{.name = (char *)"block", .group = POLICY_BLOCK, .ike_conn = SIZE_MAX},
	{.name = (char *)"private", .group = POLICY_PRIVATE},
	{.name = (char *)"private-or-clear", .group = POLICY_PRIVATE_OR_CLEAR},
	{.name = (char *)"clear-or-private", .group = POLICY_CLEAR_OR_PRIVATE},
	{.name = (char *)"clear", .group = POLICY_CLEAR, .ike_conn = SIZE_MAX},
};

static struct policy_name patterns[] = {
	{.pattern = (char *)"*.corp.example", .conn = POLICY_PRIVATE, .file = (char *)"private", .line = 3},
	{.pattern = (char *)"open.corp.example", .conn = POLICY_CLEAR},
	{.pattern = (char *)"*.lab.corp.example", .conn = POLICY_PRIVATE_OR_CLEAR},
	{.pattern = (char *)"*.ads.example", .conn = POLICY_BLOCK, .file = (char *)"block", .line = 1},
	{.pattern = (char *)"may.example", .conn = POLICY_CLEAR_OR_PRIVATE},
};

static struct policy_line lines[] = {
	{.id = 1, .conn = POLICY_BLOCK},
	{.id = 2, .conn = POLICY_CLEAR, .file = (char *)"clear", .line = 7},
	{.id = 3, .conn = POLICY_PRIVATE_OR_CLEAR},
	{.id = 4, .conn = POLICY_BLOCK, .proto = 6, .remote_port = 22},
	{.id = 5, .conn = POLICY_CLEAR_OR_PRIVATE},
};

static struct policy_config config = {.conns = conns,
	.conn_count = ARRAY_LEN(conns),
	.lines = lines,
	.line_count = ARRAY_LEN(lines),
	.names = patterns,
	.name_count = ARRAY_LEN(patterns)};

static struct names *names;
static char text[NAMES_TEXT];

static void begin(void)
{
	static const char *const prefixes[] = {
		"10.0.0.0/16", "10.1.0.0/16", "10.2.0.0/16", "10.2.0.0/16", "10.2.0.9"};

	for (size_t i = 0; i < ARRAY_LEN(prefixes); i++)
		prefix_parse(prefixes[i], &lines[i].remote, NULL);
	names_free(names);
	names = names_new();
	names_configure(names, &config);
}

static struct addr addr_of(const char *from)
{
	struct addr addr = {0};

	addr_parse(from, &addr);
	return addr;
}

/* What is judged before is what is learned then, in the same words. */
static enum names_word learn(const char *qname, const char *remote, uint64_t now_us)
{
	struct addr addr = addr_of(remote);
	const struct policy_name *name = NULL;
	char judged_text[NAMES_TEXT];
	enum names_word judged = names_judge(names, qname, &addr, &name, judged_text);
	enum names_word learned = names_learn(names, qname, &addr, now_us, text);

	if (judged != learned || strcmp(judged_text, text) != 0 || (learned != NAMES_NOTHING && !name))
		ok(false, "%s, %s: judged %d, learned %d", qname, remote, (int)judged, (int)learned);
	return learned;
}

/* The group of the line that decides for a protocol and port; -1 when none does. */
static int group_for(const char *remote, uint8_t proto, uint16_t port)
{
	struct table *table = table_new(names_config(names));
	struct addr addr = addr_of(remote);
	struct table_walk walk = table_walk(table, &addr);
	const struct policy_line *line = table_next(&walk);
	int group;

	while (line && line->proto && !(line->proto == proto && line->remote_port == port))
		line = table_next(&walk);
	group = line ? (int)line->conn : -1;
	table_free(table);
	return group;
}

static void test_match(void)
{
	size_t conn = 99;

	begin();
	ok(names_match(names, "a.CORP.example", &conn) && conn == POLICY_PRIVATE, "below a pattern, any case");
	ok(names_match(names, "x.y.corp.example", &conn) && conn == POLICY_PRIVATE, "far below it");
	ok(!names_match(names, "corp.example", &conn), "not the name above it");
	ok(!names_match(names, "xcorp.example", &conn), "not one that only ends so");
	ok(names_match(names, "open.corp.example", &conn) && conn == POLICY_CLEAR, "the name itself is closest");
	ok(names_match(names, "a.lab.corp.example", &conn) && conn == POLICY_PRIVATE_OR_CLEAR,
		"then the longer pattern");
	ok(!names_match(names, "", &conn) && !names_match(names, ".", &conn), "the root matches nothing");
}

static void test_precedence(void)
{
	begin();
	is_int(learn("a.corp.example", "192.0.2.1", 0), NAMES_NEW, "a private name makes an address private");
	is_int(group_for("192.0.2.1", 0, 0), POLICY_PRIVATE, "by a line of its own");
	is_int(group_for("192.0.2.2", 0, 0), -1, "and no other");
	is_int(learn("a.corp.example", "192.0.2.1", 1), NAMES_JOINED, "a second answer changes nothing");
	is_int(learn("a.corp.example", "10.0.0.1", 0), NAMES_NOTHING, "block by prefix stays");
	is_int(group_for("10.0.0.1", 0, 0), POLICY_BLOCK, "and wins");
	is_int(learn("a.corp.example", "10.1.0.1", 0), NAMES_CONFLICT, "private by name, clear by prefix");
	ok(strstr(text, "private:3") && strstr(text, "clear:7"), "names both lines: %s", text);
	is_int(learn("a.corp.example", "10.2.0.1", 0), NAMES_NEW, "private is stricter than private-or-clear");
	is_int(group_for("10.2.0.1", 17, 53), POLICY_PRIVATE, "so it counts");
	is_int(group_for("10.2.0.1", 6, 22), POLICY_BLOCK, "but a blocked port stays blocked");
	is_int(group_for("10.2.0.2", 6, 22), POLICY_BLOCK, "as for its neighbours");
	is_int(learn("may.example", "10.2.0.3", 0), NAMES_NOTHING, "a weaker name changes nothing");
	is_int(group_for("10.2.0.3", 0, 0), POLICY_PRIVATE_OR_CLEAR, "rebinding opens nothing");
	is_int(learn("open.corp.example", "192.0.2.1", 0), NAMES_NOTHING, "nor does a clear name");
	is_int(group_for("192.0.2.1", 0, 0), POLICY_PRIVATE, "what is private stays so");
	is_int(learn("x.ads.example", "192.0.2.9", 0), NAMES_BLOCKED, "a blocked name is taken out");
	is_int(group_for("192.0.2.9", 0, 0), -1, "and its address is left alone");
	is_int(learn("a.corp.example", "127.0.0.1", 0), NAMES_NOTHING, "loopback joins nothing");
}

/* A line for the very host is replaced, not doubled: the kernel could not tell the two apart. */
static void test_same_host(void)
{
	size_t found = 0;

	begin();
	is_int(learn("a.corp.example", "10.2.0.9", 0), NAMES_NEW, "a host line is made stricter");
	for (size_t i = 0; i < names_config(names)->line_count; i++)
		found += prefix_is_host(&names_config(names)->lines[i].remote) &&
			 names_config(names)->lines[i].proto == 0;
	is_int((intmax_t)found, 1, "by one line in place of the other");
	is_int(group_for("10.2.0.9", 0, 0), POLICY_PRIVATE, "the stricter");
	learn("may.example", "10.2.0.9", 0);
	is_int(group_for("10.2.0.9", 0, 0), POLICY_PRIVATE, "and a weaker name of the same host does not count");
}

static void test_ids(void)
{
	const struct policy_config *merged;
	bool seen[POLICY_LINE_MAX + 1] = {0};
	bool unique = true;

	begin();
	for (int i = 1; i < 250; i++) {
		char remote[ADDR_TEXT];

		snprintf(remote, sizeof(remote), "10.2.3.%d", i);
		learn("a.corp.example", remote, 0);
	}
	merged = names_config(names);
	for (size_t i = 0; i < merged->line_count; i++) {
		uint32_t id = merged->lines[i].id;

		unique = unique && id > 0 && id <= POLICY_LINE_MAX && !seen[id];
		seen[id] = true;
	}
	ok(unique && merged->line_count == 5 + 2 * 249, "every line has an id of its own");
}

static uint32_t only_id(const char *remote)
{
	struct addr addr = addr_of(remote);
	size_t count;
	struct policy_line *host_lines = names_host_lines(names, &addr, &count);
	uint32_t id = count == 1 ? host_lines[0].id : 0;

	free(host_lines);
	return id;
}

/* Ids are given back, or a million joins later none would be free. */
static void test_ids_come_back(void)
{
	uint32_t first;

	begin();
	learn("a.corp.example", "192.0.2.1", 0);
	first = only_id("192.0.2.1");
	names_expire(names, 25 * HOUR_US, NULL, NULL);
	is_int(only_id("192.0.2.1"), 0, "a host that is forgotten has no line");
	learn("a.corp.example", "192.0.2.1", 0);
	ok(first && only_id("192.0.2.1") == first, "its id was free again");
	is_int(learn("may.example", "10.2.0.9", 0), NAMES_NOTHING, "a name no stricter than the host's own line");
	is_int(only_id("10.2.0.9"), 5, "leaves that line");
}

static bool always(void *arg, const struct addr *addr)
{
	(void)arg;
	return addr->family == ADDR_IPV4;
}

static void test_time(void)
{
	begin();
	learn("a.corp.example", "192.0.2.1", 0);
	learn("a.lab.corp.example", "192.0.2.2", 0);
	ok(!names_expire(names, HOUR_US - 1, NULL, NULL), "within the hour all stay");
	ok(!names_expire(names, HOUR_US, always, NULL), "a tunnel keeps its address");
	ok(names_expire(names, HOUR_US, NULL, NULL), "without one it goes");
	is_int(group_for("192.0.2.2", 0, 0), -1, "back to what the prefixes say");
	is_int(group_for("192.0.2.1", 0, 0), POLICY_PRIVATE, "private stays");
	learn("a.corp.example", "192.0.2.1", 2 * HOUR_US);
	ok(!names_expire(names, 24 * HOUR_US, NULL, NULL), "24 hours from the last answer");
	ok(names_expire(names, 26 * HOUR_US, NULL, NULL), "and no longer");
	is_int(group_for("192.0.2.1", 0, 0), -1, "then it is open");
}

struct kept {
	size_t count;
	struct addr addr;
	char pattern[64];
	uint64_t until_us;
};

static void keep(void *arg, const struct addr *addr, const char *pattern, uint64_t until_us)
{
	struct kept *kept = arg;

	kept->count++;
	kept->addr = *addr;
	kept->until_us = until_us;
	snprintf(kept->pattern, sizeof(kept->pattern), "%s", pattern);
}

static void test_restart(void)
{
	struct policy_config fewer = config;
	struct kept kept = {0};

	begin();
	learn("a.corp.example", "192.0.2.1", 0);
	learn("a.lab.corp.example", "192.0.2.2", 0);
	names_each_private(names, keep, &kept);
	is_int((intmax_t)kept.count, 1, "what is private is kept");
	begin();
	ok(names_restore(names, &kept.addr, kept.pattern, kept.until_us), "and comes back");
	is_int(group_for("192.0.2.1", 0, 0), POLICY_PRIVATE, "closed");
	ok(!names_restore(names, &kept.addr, "*.gone.example", kept.until_us), "not by an unknown pattern");
	names_configure(names, &config);
	is_int(group_for("192.0.2.1", 0, 0), POLICY_PRIVATE, "a reload keeps it");
	fewer.names++;
	fewer.name_count--;
	names_configure(names, &fewer);
	is_int(group_for("192.0.2.1", 0, 0), -1, "one that takes the pattern away does not");
}

static void test_bound(void)
{
	enum names_word word = NAMES_NEW;

	begin();
	for (unsigned i = 0; i < NAMES_MAX; i++) {
		char remote[ADDR_TEXT];

		snprintf(remote, sizeof(remote), "192.%u.%u.1", 16 + i / 256, i % 256);
		word = word == NAMES_NEW ? learn("a.corp.example", remote, 0) : word;
	}
	is_int(word, NAMES_NEW, "as many as may be");
	is_int(learn("a.corp.example", "198.51.100.1", 0), NAMES_FULL, "one more private one is withheld");
	is_int(learn("may.example", "198.51.100.1", 0), NAMES_NOTHING, "another is as if it had no name");
}

/* --- the difference ------------------------------------------------------------------------------ */

/* Brings into a table what names_take_changes() tells. */
static void follow(struct table *table)
{
	size_t count, line_count;
	struct addr *hosts = names_take_changes(names, &count);

	for (size_t i = 0; i < count; i++) {
		struct policy_line *host_lines = names_host_lines(names, &hosts[i], &line_count);
		struct table_walk walk = table_walk(table, &hosts[i]);
		const struct policy_line *line;

		while ((line = table_next(&walk)) && prefix_is_host(&line->remote)) {
			table_del(table, line->id);
			walk = table_walk(table, &hosts[i]);
		}
		for (size_t j = 0; j < line_count; j++)
			table_add(table, &host_lines[j]);
		free(host_lines);
	}
	free(hosts);
}

static bool same_line(const struct policy_line *a, const struct policy_line *b)
{
	return a && prefix_equal(&a->remote, &b->remote) && a->proto == b->proto &&
	       a->remote_port == b->remote_port && a->conn == b->conn && a->line == b->line;
}

/* How many lines of the whole a table has not, or has more. */
static int difference(const struct table *table)
{
	const struct policy_config *whole = names_config(names);
	int wrong = table_count(table) != whole->line_count;

	for (size_t i = 0; i < whole->line_count; i++)
		wrong += !same_line(table_get(table, whole->lines[i].id), &whole->lines[i]);
	return wrong;
}

/* Whatever is learned and forgotten, the changes lead to the same lines as the whole. */
static void test_changes(unsigned seed)
{
	static const char *const qnames[] = {"a.corp.example", "b.lab.corp.example", "may.example", "x.ads.example",
		"open.corp.example"};
	struct table *table;
	uint64_t now_us = 0;
	int wrong = 0, joined = 0;

	diag("seed %u", seed);
	srandom(seed);
	begin();
	table = table_new(names_config(names));
	for (int i = 0; i < 4000; i++) {
		char remote[32];

		snprintf(remote, sizeof(remote), "10.%ld.0.%ld", random() % 4, random() % 12);
		joined += learn(qnames[random() % (long)ARRAY_LEN(qnames)], remote, now_us) == NAMES_NEW;
		now_us += (uint64_t)(random() % 1800) * 1000000;
		if (i % 7 == 0)
			names_expire(names, now_us, NULL, NULL);
		if (i % 3 == 0) {
			follow(table);
			wrong += difference(table);
		}
	}
	is_int(wrong, 0, "the changes make the lines what the whole is");
	ok(joined > 100, "through many joins (%d)", joined);
	names_expire(names, now_us + 100 * HOUR_US, NULL, NULL);
	follow(table);
	is_int((intmax_t)table_count(table), ARRAY_LEN(lines), "in the end the configuration's are left");
	table_free(table);
}

int main(int argc, char **argv)
{
	test_match();
	test_precedence();
	test_same_host();
	test_ids();
	test_ids_come_back();
	test_time();
	test_restart();
	test_bound();
	test_changes(argc > 1 ? (unsigned)strtoul(argv[1], NULL, 10) : 20261125);
	names_free(names);
	return tap_done();
}
