/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Group files and what a conn's name and keys make of it: rules G1 to G5, P2. */
#include "t/unit/conf_files.h"

#include <time.h>

#define NULL_GROUP "\tright=%opportunisticgroup\n\tauthby=null\n"

static void empty_policies(void)
{
	nftw(files_path("policies"), files_remove, 8, FTW_DEPTH | FTW_PHYS);
}

static void test_lines(void)
{
	struct conf *conf;
	const struct policy_line *line;

	empty_policies();
	files_write("policies/private", "# hosts\n192.0.2.1 # one\n\n 198.51.100.7/24 tcp 0 https\r\n"
					"2001:db8::/32\t17 53 0\n2001:db8::1\n");
	conf = files_load_text("conn private\n" NULL_GROUP);
	ok(conf && conf->policy.line_count == 4, "addresses and prefixes of both families");
	line = &conf->policy.lines[0];
	is_int(line->remote.len, 32, "an address is a host");
	is_int(line->line, 2, "and knows its line");
	line = &conf->policy.lines[1];
	ok(line->proto == 6 && line->local_port == 0 && line->remote_port == 443, "tcp 0 https");
	ok(files_said(CONF_WARNING, "policies/private:4: '198.51.100.7/24' has host bits"), "host bits");
	conf_free(conf);
}

static void test_bad_lines(void)
{
	static const char *const said[] = {":1: '300.1.1.1'", ":2: expected PREFIX", ":3: 'sometimes'",
		":4: 'esp'", ":5: ports need a protocol", ":6: '65536' is no port",
		":7: 'host.example': a name takes no protocol", ":8: 'host..example' is no address"};

	empty_policies();
	files_write("policies/private", "300.1.1.1\n192.0.2.1 tcp\n192.0.2.1 sometimes 0 0\n"
					"192.0.2.1 esp 0 0\n192.0.2.1 0 0 22\n192.0.2.1 tcp 0 65536\n"
					"host.example tcp 0 22\nhost..example\n192.0.2.9\n");
	ok(!files_load_text("conn private\n" NULL_GROUP), "a bad line refuses the whole");
	is_int((intmax_t)files_report.errors, ARRAY_LEN(said), "each is said, the rest still checked");
	for (size_t i = 0; i < ARRAY_LEN(said); i++)
		ok(files_said(CONF_ERROR, said[i]), "private%s", said[i]);
}

#define MANY 5000u

/* Every second line, or all of them. */
static struct conf *load_many(unsigned first, unsigned step)
{
	FILE *file;

	empty_policies();
	files_write("policies/private", "");
	file = fopen(files_path("policies/private"), "w");
	for (unsigned i = first; i < MANY; i += step)
		fprintf(file, "10.%u.%u.0/24\n", i / 200, i % 200);
	fclose(file);
	return files_load_text("conn private\n" NULL_GROUP);
}

/* Of the lines of `some`, how many have another id in `all`; they are in one order. */
static unsigned count_moved(const struct conf *some, const struct conf *all)
{
	unsigned moved = 0, j = 0;

	for (size_t i = 0; i < some->policy.line_count; i++) {
		while (!prefix_equal(&all->policy.lines[j].remote, &some->policy.lines[i].remote))
			j++;
		moved += all->policy.lines[j].id != some->policy.lines[i].id;
	}
	return moved;
}

static unsigned count_twins(const struct conf *conf)
{
	bool *seen = mem_zalloc(POLICY_LINE_MAX + 1);
	unsigned twins = 0;

	for (size_t i = 0; i < conf->policy.line_count; i++) {
		twins += seen[conf->policy.lines[i].id] || conf->policy.lines[i].id == 0;
		seen[conf->policy.lines[i].id] = true;
	}
	free(seen);
	return twins;
}

/* C4: what neighbours in the hash do is nothing to a line. */
static void test_numbers(void)
{
	struct conf *some = load_many(1, 2), *all = load_many(0, 1);

	ok(count_moved(some, all) > 0, "among many lines some would be numbered otherwise");
	conf_keep_numbers(all, some);
	is_int(count_moved(some, all), 0, "a line that stays keeps its number");
	is_int(count_twins(all), 0, "and each has its own");
	conf_free(some);
	some = load_many(1, 2);
	conf_keep_numbers(some, all);
	is_int(count_moved(some, all), 0, "when its neighbours go, too");
	conf_free(some);
	conf_free(all);
}

static void test_names(void)
{
	struct conf *conf;

	empty_policies();
	files_write("policies/private-or-clear",
		"*.Corp.example\nhost.example.\n192.0.2.1\nhost.example\n");
	conf = files_load_text("conn private-or-clear\n" NULL_GROUP);
	ok(conf && conf->policy.line_count == 1 && conf->policy.name_count == 3, "names beside lines");
	is_str(conf->policy.names[0].pattern, "*.corp.example", "in lower case");
	is_str(conf->policy.names[1].pattern, "host.example", "without the final dot");
	is_int(conf->policy.names[1].line, 2, "with their place");
	ok(files_said(CONF_WARNING, "private-or-clear:4: host.example is in line 2 already"),
		"twice in one group is a warning (P2)");
	conf_free(conf);
	empty_policies();
	files_write("policies/private-or-clear", "host.example\n");
	files_write("policies/private", "\nHOST.example\n");
	conf = files_load_text("conn private\n" NULL_GROUP "conn private-or-clear\n" NULL_GROUP);
	ok(!conf && (files_said(CONF_ERROR, "private:2: host.example is in") ||
			    files_said(CONF_ERROR, "private-or-clear:1: host.example is in")),
		"in two groups an error that names both places");
}

/* Rule G3. */
static void test_no_conn(void)
{
	struct conf *conf;

	empty_policies();
	files_write("policies/private", "192.0.2.0/24\n");
	files_write("policies/block", "198.51.100.0/24\n");
	files_write("policies/clear", "203.0.113.0/24\n");
	conf = files_load_text("");
	ok(conf && files_group(conf, "private")->group == POLICY_PRIVATE &&
			files_group(conf, "private")->ike_conn == SIZE_MAX &&
			!files_group(conf, "private")->failure_pass,
		"a private file without its conn is closed");
	ok(files_group(conf, "block"), "so is block");
	ok(!files_group(conf, "clear"), "clear has no effect");
	is_int((intmax_t)conf->policy.line_count, 2, "the lines of the closed ones count");
	ok(files_said(CONF_DEFECT, "file private has no conn private") &&
			files_said(CONF_DEFECT, "file block has no conn block") &&
			files_said(CONF_WARNING, "file clear has no conn"),
		"and each is said");
	conf_free(conf);
}

static void test_duplicates(void)
{
	struct conf *conf;

	empty_policies();
	files_write("policies/private", "192.0.2.0/24\n192.0.2.0/24\n");
	conf = files_load_text("conn private\n" NULL_GROUP "conn clear\n\tright=%group\n");
	ok(conf && conf->policy.line_count == 1, "twice in one group counts once");
	ok(files_said(CONF_WARNING, "private:2: 192.0.2.0/24 is in line 1 already"), "with a warning");
	conf_free(conf);
	files_write("policies/clear", "192.0.2.0/24\n");
	ok(!files_load_text("conn private\n" NULL_GROUP "conn clear\n\tright=%group\n"),
		"in two groups is an error");
	ok(files_said(CONF_ERROR, "policies/private:") && files_said(CONF_ERROR, "policies/clear:1"),
		"that names both places");
}

struct case_of_group {
	const char *conn, *keys;
	enum policy_group group;
	bool negotiation_pass, failure_pass;
	const char *warning;
};

/* Rule G2. */
static void test_rows(void)
{
	static const struct case_of_group cases[] = {
		{"private", "", POLICY_PRIVATE, false, false, NULL},
		{"private", "failureshunt=passthrough", POLICY_PRIVATE, false, false, "failureshunt"},
		{"private", "negotiationshunt=pass", POLICY_PRIVATE, false, false, "negotiationshunt"},
		{"private", "type=passthrough", POLICY_PRIVATE, false, false, "type=passthrough"},
		{"private", "auto=ignore", POLICY_PRIVATE, false, false, "auto=ignore"},
		{"private", "auto=add", POLICY_PRIVATE, false, false, "auto=add"},
		{"private-or-clear", "", POLICY_PRIVATE_OR_CLEAR, false, true, NULL},
		{"private-or-clear", "negotiationshunt=pass", POLICY_PRIVATE_OR_CLEAR, true, true, NULL},
		{"private-or-clear", "failureshunt=drop", POLICY_PRIVATE_OR_CLEAR, false, false, NULL},
		{"private-or-clear", "type=drop", POLICY_BLOCK, false, false, NULL},
		{"clear-or-private", "auto=add", POLICY_CLEAR_OR_PRIVATE, false, true, NULL},
		{"clear", "type=passthrough", POLICY_CLEAR, false, true, NULL},
		{"clear", "type=reject", POLICY_BLOCK, false, false, NULL},
		{"block", "", POLICY_BLOCK, false, false, NULL},
		{"block", "type=passthrough", POLICY_BLOCK, false, false, "type=passthrough"},
		{"mesh", "", POLICY_PRIVATE, false, false, NULL},
		{"mesh", "failureshunt=pass", POLICY_PRIVATE_OR_CLEAR, false, true, NULL},
		{"mesh", "auto=add", POLICY_CLEAR_OR_PRIVATE, false, true, NULL},
		{"mesh", "type=passthrough", POLICY_CLEAR, false, true, NULL},
		{"mesh", "type=reject", POLICY_BLOCK, false, false, NULL}};

	empty_policies();
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		const struct case_of_group *want = &cases[i];
		char *text = mem_printf("conn %s\n%s\t%s\n", want->conn, NULL_GROUP, want->keys);
		struct conf *conf = files_load_text(text);
		const struct policy_conn *got = files_group(conf, want->conn);

		ok(got && got->group == want->group &&
				got->negotiation_pass == want->negotiation_pass &&
				got->failure_pass == want->failure_pass,
			"conn %s %s", want->conn, want->keys);
		ok(want->warning ? files_said(CONF_WARNING, want->warning) : files_report.count == 0,
			"%s", want->warning ? "with a warning" : "without a word");
		conf_free(conf);
		free(text);
	}
	ok(!files_load_text("conn ../../secret\n" NULL_GROUP), "a name that is no file's is refused");
}

static uint32_t id_of(const struct conf *conf, const char *text)
{
	struct prefix prefix;

	prefix_parse(text, &prefix, NULL);
	for (size_t i = 0; conf && i < conf->policy.line_count; i++) {
		if (prefix_equal(&conf->policy.lines[i].remote, &prefix))
			return conf->policy.lines[i].id;
	}
	return 0;
}

static void test_ids(void)
{
	struct conf *conf;
	uint32_t first, second;

	empty_policies();
	files_write("policies/private", "192.0.2.1\n192.0.2.2\n");
	conf = files_load_text("conn private\n" NULL_GROUP);
	first = id_of(conf, "192.0.2.1");
	second = id_of(conf, "192.0.2.2");
	ok(first && second && first != second, "every line has an id of its own");
	conf_free(conf);
	files_write("policies/private", "# changed\n203.0.113.0/24\n192.0.2.2\n192.0.2.1\n");
	conf = files_load_text("conn private\n" NULL_GROUP);
	ok(id_of(conf, "192.0.2.1") == first && id_of(conf, "192.0.2.2") == second,
		"that it keeps when lines come, go and move");
	conf_free(conf);
}

static void test_many(void)
{
	struct timespec begin, end;
	struct strbuf text = {0};
	struct conf *conf;
	bool *seen = mem_zalloc(1u << 20);
	bool good = true;

	empty_policies();
	for (unsigned i = 0; i < 300000; i++)
		strbuf_printf(&text, "10.%u.%u.%u\n", i >> 16, i >> 8 & 255, i & 255);
	files_write("policies/clear", text.text);
	strbuf_clear(&text);
	clock_gettime(CLOCK_MONOTONIC, &begin);
	conf = files_load_text("conn clear\n\tright=%group\n\tauthby=never\n");
	clock_gettime(CLOCK_MONOTONIC, &end);
	is_int((intmax_t)(conf ? conf->policy.line_count : 0), 300000, "300,000 lines load");
	diag("in %ld ms", (end.tv_sec - begin.tv_sec) * 1000 + (end.tv_nsec - begin.tv_nsec) / 1000000);
	for (size_t i = 0; conf && i < conf->policy.line_count; i++) {
		uint32_t id = conf->policy.lines[i].id;

		good = good && id && id < 1u << 20 && !seen[id];
		seen[id & ((1u << 20) - 1)] = true;
	}
	ok(good, "and no two have the same id");
	conf_free(conf);
	free(seen);
}

/* Lines that the kernel would walk through for each packet. */
static void write_many(const char *file, const char *first, unsigned count, const char *format)
{
	struct strbuf text = {0};

	strbuf_printf(&text, "%s\n", first);
	for (unsigned i = 0; i < count; i++)
		strbuf_printf(&text, format, i / 256, i % 256);
	files_write(file, text.text);
	strbuf_clear(&text);
}

static struct conf *load_two_groups(void)
{
	return files_load_text("conn private\n" NULL_GROUP "conn clear\n\tright=%group\n\tauthby=never\n");
}

/* Of which file, with a line, and which words. */
static bool said_at(enum conf_severity severity, const char *place, const char *words)
{
	return files_said(severity, place) && files_said(severity, words);
}

static void test_weight(void)
{
	struct conf *conf;

	empty_policies();
	write_many("policies/private", "10.0.0.0/8", 600, "10.0.0.0/8 tcp %u %u\n");
	conf = load_two_groups();
	ok(conf && said_at(CONF_WARNING, "policies/private:", "one by one"), "hundreds of ports of one prefix are worth a word");
	conf_free(conf);
	write_many("policies/private", "10.0.0.0/8", 5000, "10.0.0.0/8 tcp %u %u\n");
	conf = load_two_groups();
	ok(!conf && said_at(CONF_ERROR, "policies/private:", "at most 4096"), "thousands are refused, with place, number and remedy");
	conf_free(conf);
	files_write("policies/private", "192.0.2.1\n");
	write_many("policies/clear", "10.0.0.0/8", 5000, "10.0.0.0/8 tcp %u %u\n");
	conf = load_two_groups();
	ok(conf && files_report.count == 0, "what is clear by itself is not in the kernel, and may be so many");
	conf_free(conf);
	files_write("policies/private", "10.0.0.0/7\n");
	conf = load_two_groups();
	ok(!conf && said_at(CONF_ERROR, "policies/clear:", "at most 4096"), "but not within what is private");
	conf_free(conf);
	files_write("policies/private", "10.0.0.0/7\n");
	write_many("policies/clear", "192.0.2.1", 5000, "10.0.%u.%u\n");
	conf = load_two_groups();
	ok(conf && files_report.count == 0, "thousands of hosts are no trouble");
	conf_free(conf);
	files_write("policies/clear", "");
	write_many("policies/private", "192.0.2.1", 100001, "2001:db8:%x::%x\n");
	conf = load_two_groups();
	ok(!conf && said_at(CONF_ERROR, "policies/private:", "at most 100000"), "a hundred thousand in the kernel are the end");
	conf_free(conf);
}

int main(void)
{
	files_begin();
	test_lines();
	test_bad_lines();
	test_names();
	test_numbers();
	test_no_conn();
	test_duplicates();
	test_rows();
	test_ids();
	test_many();
	test_weight();
	return files_done();
}
