/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A fleet in one process: every host has an engine and a policy, all talk over
 * a network that loses, delays, doubles, reorders and partitions, while hosts
 * crash, sleep, get other addresses and are shouted at by strangers. Every
 * eighth is behind a NAT, which now and then loses its table.
 *
 *   t/sim/fleet [--seed N] [--hosts N] [--events N] [--trace]
 *
 * The same seed gives the same run. Invariants are checked at each step for
 * what it touched, and every simulated minute for all; a violation is told and
 * counted. After the storm the weather clears up: every pair that wants a
 * tunnel must have one in time, and at the end nothing may be left. With
 * --trace each datagram and event is a line of a ladder. Last line:
 * "fleet: H handshakes, V violations, seed N".
 */
#include "t/sim/fleet.h"

#include "lib/mem.h"

#include <getopt.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What GnuTLS and stdio take once, and keep. */
#define LIBRARIES 131072
/* In clear weather, who wants a tunnel has it within this: failures are remembered for 30 s (N6). */
#define RECOVERY_MAX (120 * SECOND)

static unsigned long event_count = 115000, seed = 1;

/* --- what happens ---------------------------------------------------------------------------------------------- */

static void want(struct host *from, struct host *to)
{
	struct policy_answer answer;

	policy_want(from->policy, &from->addr, &to->outer, POLICY_TRIGGER_ACQUIRE, 1, NULL, NULL, &answer,
		clock_of(from));
}

static void crash(struct host *host)
{
	tell("%4zu    crashes", host->number);
	stop_host(host);
	start_host(host);
}

/* Bytes from nobody, or true ones from elsewhere: what stands must stand as it did. */
static void shout(struct host *host)
{
	struct event *some = queue.count ? container_of(queue.nodes[below(queue.count)], struct event, due) : NULL;
	struct path path = {.local = {.addr = host->addr, .port = 500}};
	uint8_t noise[256];
	uint64_t changes = host->changes;
	size_t sas = ike_counters(host->ike).sas;

	path.remote = (struct endpoint){.addr = hosts[below(host_count)].outer, .port = (uint16_t)(1 + below(60000))};
	if (some && some->kind == EVENT_PACKET && below(2)) {
		path.remote.addr.bytes[1] = 77;
		ike_datagram(host->ike, &path, some->data, some->len, clock_of(host));
	} else {
		take_random(NULL, noise, sizeof(noise));
		noise[17] = 0x20;
		noise[18] = (uint8_t)(34 + below(4));
		ike_datagram(host->ike, &path, noise, 28 + below(200), clock_of(host));
	}
	if (host->changes != changes || ike_counters(host->ike).sas != sas)
		violate(host, "a stranger's datagram changed what stands");
}

static void change_weather(void)
{
	weather.loss = below(3) ? (unsigned)below(51) : 0;
	weather.doubles = (unsigned)below(30);
	weather.jitter_us = below(40 * MS);
	weather.partitioned = below(6) == 0;
	for (size_t i = 0; i < host_count; i++)
		hosts[i].side = (unsigned)below(2);
	tell("weather: loss %u %%, doubles %u %%, jitter %.1f ms%s", weather.loss, weather.doubles,
		(double)weather.jitter_us / 1000, weather.partitioned ? ", partitioned" : "");
}

static void something(void)
{
	struct host *a = &hosts[below(host_count)], *b = &hosts[below(host_count)];
	uint64_t what = below(100);

	if (what < 80 && a != b) {
		want(a, b);
		/* Crossing, as traffic that is answered by a connection of its own. */
		if (below(4) == 0)
			want(b, a);
	} else if (what < 84) {
		crash(a);
	} else if (what < 94) {
		shout(a);
	} else if (what < 96) {
		a->ahead_us += below(120 * SECOND); /* it slept */
		tell("%4zu    slept", a->number);
	} else if (what < 97) {
		change_weather();
	} else if (what < 98) {
		move_host(a);
	} else {
		rebind(&hosts[a->number / 8 * 8 + 4 < host_count ? a->number / 8 * 8 + 4 : 0], below(2));
	}
}

/* --- the end ------------------------------------------------------------------------------------------------------- */

static bool has_tunnel(const struct host *a, const struct host *b)
{
	struct tunnel *tunnel, *next, *other;

	HASH_ITER (hh, a->tunnels, tunnel, next) {
		if (!tunnel->installed || !addr_equal(&tunnel->child.path.remote.addr, &b->outer))
			continue;
		HASH_FIND(by_spi, b->by_spi, &tunnel->child.pair.out.spi, sizeof(uint32_t), other);
		if (other && other->installed && other->child.pair.out.spi == tunnel->child.pair.in.spi)
			return true;
	}
	return false;
}

static unsigned tunnels_to(const struct host *host, const struct addr *peer)
{
	struct tunnel *tunnel, *next;
	unsigned count = 0;

	HASH_ITER (hh, host->tunnels, tunnel, next)
		count += addr_equal(&tunnel->child.path.remote.addr, peer);
	return count;
}

/* Faults have stopped: every pair that wants a tunnel has one in time, and keeps trying until then. */
static void expect_recovery(void)
{
	size_t pairs = host_count / 2;

	weather.loss = weather.doubles = weather.partitioned = 0;
	weather.jitter_us = MS;
	for (size_t i = 0; i < pairs; i++) {
		struct host *a = &hosts[2 * i], *b = &hosts[2 * i + 1];
		uint64_t until_us = now_us + RECOVERY_MAX;

		while (!has_tunnel(a, b) && now_us < until_us) {
			want(a, b);
			want(b, a);
			run_until(now_us + SECOND);
		}
		if (!has_tunnel(a, b))
			violate(a, "no tunnel with host %zu, %u s after all faults", b->number,
				(unsigned)(RECOVERY_MAX / SECOND));
	}
}

/* Without rekeys and faults, what was redundant, replaced or half-open is gone in time. */
static void expect_calm(void)
{
	for (size_t i = 0; i < host_count; i++)
		ike_reconfigure(hosts[i].ike, engine_config(true), clock_of(&hosts[i]));
	run_until(now_us + RECOVERY_MAX + 600 * SECOND);
	for (size_t i = 0; i < host_count; i++) {
		struct tunnel *tunnel, *next;

		if (ike_counters(hosts[i].ike).half_open)
			violate(&hosts[i], "%zu SAs are half-open for ever",
				ike_counters(hosts[i].ike).half_open);
		HASH_ITER (hh, hosts[i].tunnels, tunnel, next) {
			if (tunnels_to(&hosts[i], &tunnel->child.path.remote.addr) > 1)
				violate(&hosts[i], "two pairs with one host stay");
		}
	}
}

static void expect_nothing_left(void)
{
	for (size_t i = 0; i < host_count; i++)
		ike_shutdown(hosts[i].ike, clock_of(&hosts[i]));
	run_until(now_us + 60 * SECOND);
	for (size_t i = 0; i < host_count; i++) {
		struct ike_counters counters = ike_counters(hosts[i].ike);

		if (counters.sas || counters.half_open || hosts[i].tunnels)
			violate(&hosts[i], "%zu SAs, %zu half-open and %u CHILD SAs are left", counters.sas,
				counters.half_open, HASH_CNT(hh, hosts[i].tunnels));
	}
}

static void free_all(void)
{
	for (size_t i = 0; i < host_count; i++)
		stop_host(&hosts[i]);
	while (queue.count) {
		struct event *event = container_of(heap_first(&queue), struct event, due);

		heap_remove(&queue, &event->due);
		free_event(event);
	}
	heap_clear(&queue);
	heap_clear(&wakes);
	free(hosts);
}

static void read_options(int argc, char **argv)
{
	static const struct option options[] = {{"seed", required_argument, NULL, 's'},
		{"hosts", required_argument, NULL, 'h'}, {"events", required_argument, NULL, 'e'},
		{"trace", no_argument, NULL, 't'}, {NULL, 0, NULL, 0}};
	int letter;

	while ((letter = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (letter == 's')
			seed = strtoul(optarg, NULL, 10);
		else if (letter == 'h')
			host_count = strtoul(optarg, NULL, 10);
		else if (letter == 'e')
			event_count = strtoul(optarg, NULL, 10);
		else if (letter == 't')
			trace = true;
		else
			exit(2);
	}
	if (host_count < 2 || host_count > 60000) {
		fprintf(stderr, "fleet: 2 to 60000 hosts\n");
		exit(2);
	}
}

int main(int argc, char **argv)
{
	size_t before;

	read_options(argc, argv);
	dice = seed * 7919 + 1;
	before = mallinfo2().uordblks;
	hosts = mem_zalloc(host_count * sizeof(*hosts));
	for (size_t i = 0; i < host_count; i++) {
		hosts[i].number = i;
		start_host(&hosts[i]);
	}
	change_weather();
	for (unsigned long n = 0; n < event_count; n++) {
		something();
		run_until(now_us + below(2 * SECOND / host_count * 50 + 1));
	}
	expect_recovery();
	check_all();
	expect_calm();
	expect_nothing_left();
	free_all();
	if (mallinfo2().uordblks > before + LIBRARIES) {
		violations++;
		printf("violation: %zu bytes are not given back\n", mallinfo2().uordblks - before);
	}
	printf("%sok 1 - a fleet of %zu hosts through %lu events\n1..1\n", violations ? "not " : "", host_count,
		event_count);
	printf("fleet: %lu handshakes, %lu violations, seed %lu\n", (unsigned long)handshakes,
		(unsigned long)violations, seed);
	return violations ? 1 : 0;
}
