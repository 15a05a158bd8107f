/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Many of everything in our own tables, beside a plain hash lookup and an access
 * to memory in the same run:
 *
 *   bench/scale [LINES [PEERS [NEGOTIATIONS]]]     1000000 100000 10000
 *
 * Group files of so many lines through conf/ and policy/: loading, memory,
 * lookups, a reload that changes one line, addresses that join by name; then so
 * many peers with tunnels, and so many negotiations at once. What should not
 * depend on the number is also measured with a hundredth of it.
 */
#include "conf/conf.h"
#include "lib/hash.h"
#include "lib/mem.h"
#include "policy/names.h"
#include "policy/policy.h"

#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define LOOKUPS 1000000u
#define JOINS 1000u
#define PORTS 50000u
#define HUNDREDTH 100u
#define US_OF_DAY UINT64_C(86400000000)

static char folder[] = "/tmp/oe-scale-XXXXXX";

static double now_s(void)
{
	struct timespec now;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
	return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

/* The same numbers in each run. */
static uint32_t chance(void)
{
	static uint64_t state = 88172645463325252u;

	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return (uint32_t)(state >> 16);
}

static size_t heap_bytes(void)
{
	struct mallinfo2 info = mallinfo2();

	return info.uordblks + info.hblkhd;
}

/* --- files ------------------------------------------------------------------------------------- */

static FILE *create(const char *name)
{
	char *path = mem_printf("%s/%s", folder, name);
	FILE *file = fopen(path, "we");

	if (!file) {
		perror(path);
		exit(1);
	}
	free(path);
	return file;
}

/* Half hosts, a quarter networks of IPv4, a quarter of IPv6; each once. */
static void write_line(FILE *file, size_t i)
{
	uint32_t n = (uint32_t)(i / 4);

	switch (i % 4) {
	case 0:
	case 1:
		n = (uint32_t)(i / 4 * 2 + i % 4) * 61;
		fprintf(file, "%u.%u.%u.%u\n", 11 + (n >> 24) % 100, n >> 16 & 255, n >> 8 & 255, n & 255);
		break;
	case 2:
		fprintf(file, "%u.%u.%u.0/%u\n", 120 + (n >> 16) % 60, n >> 8 & 255, n & 255, 24);
		break;
	case 3:
		fprintf(file, "2001:db8:%x:%x::/64\n", n >> 16, n & 0xffff);
		break;
	}
}

static void write_files(size_t lines, bool changed, size_t ports)
{
	FILE *file = create("oe.conf");

	fprintf(file, "config setup\n\tpolicies-dir=\"%s/policies\"\n\tsecretsfile=\"%s/none\"\n", folder, folder);
	fprintf(file, "conn private\n\tleft=%%defaultroute\n\tright=%%opportunisticgroup\n\tauthby=null\n");
	fprintf(file, "conn clear\n\tleft=%%defaultroute\n\tright=%%group\n\tauthby=never\n");
	fclose(file);
	file = create("policies/private");
	fprintf(file, "*.corp.example\n%s\n", changed ? "192.0.2.1" : "192.0.2.2");
	fclose(file);
	file = create("policies/clear"); /* of these the kernel need not know */
	for (size_t i = 1; i < lines; i++)
		write_line(file, i);
	for (size_t i = 0; i < ports; i++)
		fprintf(file, "10.0.0.0/8 %s 0 %zu\n", i % 2 ? "tcp" : "udp", 1 + i / 2);
	fclose(file);
}

static struct conf *load(double *seconds)
{
	struct conf_report report = {0};
	char *path = mem_printf("%s/oe.conf", folder);
	double begin = now_s();
	struct conf *conf = conf_load(path, &report);

	*seconds = now_s() - begin;
	for (size_t i = 0; !conf && i < report.count; i++)
		fprintf(stderr, "%s\n", report.messages[i].text);
	if (!conf)
		exit(1);
	conf_report_clear(&report);
	free(path);
	return conf;
}

/* --- a policy whose owner does nothing -------------------------------------------------------------- */

static uint64_t started[1u << 20];
static size_t start_count;
static uint64_t clock_us = 1;

static void take_flow(void *arg, const struct policy_flow *flow)
{
	(void)arg;
	(void)flow;
}

static void take_initiate(void *arg, const struct policy_flow *flow)
{
	(void)arg;
	started[start_count++ % ARRAY_LEN(started)] = flow->id;
}

static void take_shunt(void *arg, const struct policy_flow *flow, bool pass, uint32_t lifetime_s)
{
	(void)arg;
	(void)flow;
	(void)pass;
	(void)lifetime_s;
}

static void take_observe(void *arg, const struct policy_flow *flow, enum policy_state old, const char *reason)
{
	(void)arg;
	(void)flow;
	(void)old;
	(void)reason;
}

static void take_timer(void *arg, uint64_t at_us)
{
	(void)arg;
	(void)at_us;
}

static void take_gone(void *arg, const struct policy_flow *flow)
{
	(void)flow;
	++*(size_t *)arg;
}

static const struct policy_ops ops = {.hold = take_flow,
	.initiate = take_initiate,
	.shunt = take_shunt,
	.idle = take_flow,
	.observe = take_observe,
	.timer = take_timer};

/* --- lookups ------------------------------------------------------------------------------------------ */

/* What a table of addresses costs that knows no prefixes. */
struct plain {
	struct addr addr;
	UT_hash_handle hh;
};

static double plain_lookup_ns(const struct policy_config *config)
{
	struct plain *nodes = mem_zalloc(config->line_count * sizeof(*nodes)), *table = NULL, *found;
	size_t hits = 0;
	double begin;

	for (size_t i = 0; i < config->line_count; i++) {
		nodes[i].addr = config->lines[i].remote.addr;
		HASH_ADD(hh, table, addr, sizeof(struct addr), &nodes[i]);
	}
	begin = now_s();
	for (unsigned i = 0; i < LOOKUPS; i++) {
		const struct addr *addr = &nodes[chance() % config->line_count].addr;

		HASH_FIND(hh, table, addr, sizeof(*addr), found);
		hits += found != NULL;
	}
	begin = now_s() - begin;
	HASH_CLEAR(hh, table);
	free(nodes);
	return hits ? begin / LOOKUPS * 1e9 : 0;
}

/* A chain of accesses, each to a place that the one before tells. */
static double memory_ns(void)
{
	size_t count = (64u << 20) / sizeof(uint32_t), at = 0;
	uint32_t *next = mem_zalloc(count * sizeof(*next));
	double begin;

	for (size_t i = 0; i < count; i++)
		next[i] = (uint32_t)i;
	for (size_t i = count - 1; i > 0; i--) { /* one cycle through all (Sattolo) */
		size_t other = chance() % i;
		uint32_t swap = next[i];

		next[i] = next[other];
		next[other] = swap;
	}
	begin = now_s();
	for (unsigned i = 0; i < LOOKUPS; i++)
		at = next[at];
	begin = now_s() - begin;
	free(next);
	return at < count ? begin / LOOKUPS * 1e9 : 0;
}

static double lookup_ns(const struct policy *policy, const struct policy_config *config, bool covered)
{
	struct policy_answer answer;
	double begin = now_s();

	for (unsigned i = 0; i < LOOKUPS; i++) {
		struct addr addr = config->lines[chance() % config->line_count].remote.addr;

		if (!covered)
			addr.bytes[0] ^= 0x80;
		policy_explain(policy, NULL, &addr, &answer, 0);
	}
	return (now_s() - begin) / LOOKUPS * 1e9;
}

/* --- lines ---------------------------------------------------------------------------------------------- */

static void measure_lookups(const struct policy *policy, const struct policy_config *config)
{
	double memory = memory_ns(), plain = plain_lookup_ns(config);
	double covered = lookup_ns(policy, config, true), other = lookup_ns(policy, config, false);

	printf("  lookup of a covered address     %7.0f ns = %.1f plain hash lookups (%.0f ns), %.1f memory accesses (%.0f ns)\n",
		covered, covered / plain, plain, covered / memory, memory);
	printf("  lookup of another address       %7.0f ns = %.1f plain hash lookups\n", other, other / plain);
}

/* What has changed, as the daemon brings it into policy/. */
static void follow_names(struct names *names, struct policy *policy)
{
	size_t count, line_count;
	struct addr *hosts = names_take_changes(names, &count);

	for (size_t i = 0; i < count; i++) {
		struct policy_line *lines = names_host_lines(names, &hosts[i], &line_count);

		policy_change_host(policy, &hosts[i], lines, line_count, take_gone, clock_us);
		free(lines);
	}
	free(hosts);
}

static void measure_names(struct policy *policy, const struct conf *conf)
{
	struct names *names = names_new();
	char text[NAMES_TEXT], qname[64];
	double begin;

	names_configure(names, &conf->policy);
	begin = now_s();
	for (unsigned i = 0; i < JOINS; i++) {
		struct addr addr = {.family = ADDR_IPV4, .bytes = {198, 51, (uint8_t)(i >> 8), (uint8_t)i}};

		snprintf(qname, sizeof(qname), "host%u.corp.example", i);
		names_learn(names, qname, &addr, 0, text);
		follow_names(names, policy);
	}
	printf("  an address joins by name        %7.1f us\n", (now_s() - begin) / JOINS * 1e6);
	begin = now_s();
	names_expire(names, US_OF_DAY * 2, NULL, NULL);
	follow_names(names, policy);
	printf("  and is forgotten                %7.1f us\n", (now_s() - begin) / JOINS * 1e6);
	names_free(names);
}

static void measure_reload(struct policy *policy, size_t lines)
{
	double loading, begin;
	struct conf *conf;

	write_files(lines, true, 0);
	conf = load(&loading);
	begin = now_s();
	policy_reconfigure(policy, &conf->policy, take_gone, clock_us);
	printf("  a reload that changes one line  %7.0f ms in conf/, %.0f ms in policy/\n", loading * 1e3,
		(now_s() - begin) * 1e3);
	begin = now_s();
	conf_free(conf);
	printf("  freeing a configuration         %7.0f ms\n", (now_s() - begin) * 1e3);
}

static void measure_lines(size_t lines)
{
	size_t before = heap_bytes(), conf_bytes, policy_bytes;
	double loading, begin;
	struct policy *policy;
	struct conf *conf;

	write_files(lines, false, 0);
	conf = load(&loading);
	conf_bytes = heap_bytes() - before;
	begin = now_s();
	policy = policy_new(&ops, &start_count, &conf->policy);
	begin = now_s() - begin;
	policy_bytes = heap_bytes() - before - conf_bytes;
	printf("%zu lines:\n", lines);
	printf("  loading                         %7.0f ms in conf/, %.0f ms in policy/\n", loading * 1e3, begin * 1e3);
	printf("  memory a line                   %7zu bytes in conf/, %zu in policy/\n", conf_bytes / lines,
		policy_bytes / lines);
	measure_lookups(policy, &conf->policy);
	measure_names(policy, conf);
	measure_reload(policy, lines);
	begin = now_s();
	policy_free(policy);
	printf("  removal from policy/            %7.0f ms\n", (now_s() - begin) * 1e3);
	conf_free(conf);
}

static void measure_ports(size_t ports)
{
	double loading, begin;
	struct policy *policy;
	struct conf *conf;

	write_files(1, false, ports);
	conf = load(&loading);
	begin = now_s();
	policy = policy_new(&ops, &start_count, &conf->policy);
	printf("%zu lines of one prefix with ports: %.0f ms in conf/, %.0f ms in policy/\n", ports, loading * 1e3,
		(now_s() - begin) * 1e3);
	policy_free(policy);
	conf_free(conf);
}

/* --- peers ---------------------------------------------------------------------------------------------- */

static struct addr peer_of(size_t i)
{
	struct addr addr = {.family = ADDR_IPV4, .bytes = {10}};

	addr.bytes[1] = (uint8_t)(i >> 16);
	addr.bytes[2] = (uint8_t)(i >> 8);
	addr.bytes[3] = (uint8_t)i;
	return addr;
}

static size_t decisions;

static void count_decision(void *arg, const struct policy_answer *answer)
{
	(void)arg;
	decisions += answer->verdict == POLICY_ENCRYPTED;
}

/* Somebody wants each of the peers [first, end), and waits. */
static void want(struct policy *policy, size_t first, size_t end)
{
	struct policy_answer answer;
	struct addr local;

	addr_parse("10.255.0.1", &local);
	for (size_t i = first; i < end; i++) {
		struct addr remote = peer_of(i);

		policy_want(policy, &local, &remote, POLICY_TRIGGER_DNS, 0, count_decision, NULL, &answer,
			++clock_us);
	}
}

static void bring_up(struct policy *policy, size_t count)
{
	for (size_t i = 0; i < count; i++)
		policy_child_up(policy, started[i], true, ++clock_us);
	policy_tick(policy, ++clock_us);
}

static void measure_peers(size_t peers, size_t negotiations)
{
	struct policy_conn conn = {.name = (char *)"private", .group = POLICY_PRIVATE, .ike_conn = 0};
	struct policy_line line = {.id = 1};
	struct policy_config config = {.conns = &conn, .conn_count = 1, .lines = &line, .line_count = 1};
	struct policy *policy;
	double begin, wanted, up, again, forgotten, down;
	size_t before = heap_bytes(), bytes, done = 0, tunnels = 0;

	prefix_parse("10.0.0.0/8", &line.remote, NULL);
	policy = policy_new(&ops, &tunnels, &config);
	decisions = 0;
	wanted = up = 0;
	for (; done < peers; done += negotiations) {
		start_count = 0;
		begin = now_s();
		want(policy, done, done + negotiations);
		wanted += now_s() - begin;
		begin = now_s();
		bring_up(policy, start_count);
		up += now_s() - begin;
	}
	bytes = heap_bytes() - before;
	begin = now_s();
	want(policy, 0, done);
	again = now_s() - begin;
	begin = now_s();
	for (size_t i = 0; i < done; i++) {
		struct addr remote = peer_of(chance() % done);

		policy_forget_failures(policy, &remote, ++clock_us);
	}
	forgotten = now_s() - begin;
	begin = now_s();
	policy_free(policy);
	down = now_s() - begin;
	printf("%zu peers, %zu negotiations at once, %zu decided, %zu bytes each; microseconds for each peer:\n", done,
		negotiations, decisions, bytes / done);
	printf("  wanted %.2f, up and its waiter told %.2f, wanted again %.2f, failures forgotten %.2f, gone %.2f\n",
		wanted / (double)done * 1e6, up / (double)done * 1e6, again / (double)done * 1e6,
		forgotten / (double)done * 1e6, down / (double)done * 1e6);
}

static size_t number(int argc, char **argv, int at, size_t otherwise)
{
	return argc > at ? strtoul(argv[at], NULL, 10) : otherwise;
}

int main(int argc, char **argv)
{
	size_t lines = number(argc, argv, 1, 1000000), peers = number(argc, argv, 2, 100000);
	size_t negotiations = number(argc, argv, 3, 10000);
	char *path;

	if (!mkdtemp(folder))
		return 1;
	path = mem_printf("%s/policies", folder);
	mkdir(path, 0700);
	measure_lines(lines / HUNDREDTH);
	measure_lines(lines);
	measure_ports(PORTS / HUNDREDTH);
	measure_ports(PORTS);
	measure_peers(peers / HUNDREDTH, negotiations / HUNDREDTH);
	measure_peers(peers, negotiations);
	free(path);
	path = mem_printf("rm -r %s", folder);
	return system(path);
}
