/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A fleet in one process: every host has an engine, a policy and a kernel of its
 * own, applications on it talk to those on others, and all of it crosses a
 * network that loses, delays, doubles, reorders and partitions, while hosts
 * reboot, lose their daemons, sleep, get other addresses and are shouted at by
 * strangers. Every eighth is behind a NAT, which now and then loses its table.
 *
 *   t/sim/fleet [--seed N] [--hosts N] [--events N] [--trace]
 *
 * The same seed gives the same run: the line "digest" says so. Invariants are
 * checked at each step for what it touched, and every simulated minute for all;
 * a violation is told and counted. After the storm all faults stop: every pair
 * that wants a tunnel must have one in time, no packet may be lost while tunnels
 * are rekeyed again and again, and when nobody talks any more all must be as it
 * was at the beginning, memory too. With --trace each datagram and event is a
 * line of a ladder: -> is IKE, => is ESP. Last line:
 * "fleet: H handshakes, V violations, seed N".
 */
#include "t/sim/fleet.h"

#include "lib/mem.h"

#include <getopt.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What GnuTLS and stdio take once, and keep; and what malloc holds back for later. */
#define LIBRARIES 262144
/* What an engine, a policy and a kernel keep that have had work: rooms of heaps, the guard. */
#define HOST_ROOM 4096
/* Round trips are remembered for an hour, and forgotten with the next one that is measured (ike/rtt.c). */
#define RTT_LIFE (3600 * SECOND)
/* Every host is up again, its peers have found it dead, and the failures are forgotten. */
#define RECOVERY_MAX (BLACK_MAX + PRIVATE_MEMORY)
/* Long enough for lifetimes to end, in packets and in seconds. */
#define REKEY_TIME (CHILD_LIFETIME + 30 * SECOND)
/* What nobody uses is closed, and then forgotten; an IKE SA that N9 left without a CHILD SA comes last. */
#define REST_TIME (IDLE_TIMEOUT * 5 / 4 + SHUNT_LIFETIME + 120 * SECOND)

/* What the defaults are for: a storm that has fewer of them has shown less than it says. */
#define HANDSHAKES_MIN 100000

static unsigned long event_count = 112000, seed = 1;

/* --- the storm ------------------------------------------------------------------------------------- */

static void start_later(struct host *host, uint64_t longest_us)
{
	add_event(EVENT_START, host, below(3) ? below(longest_us) : 0);
}

static void talk(struct host *a, struct host *b)
{
	if (a == b || !a->is_up)
		return;
	talk_of_any_kind(a, b);
	/* Crossing, as traffic that is answered by a connection of its own. */
	if (b->is_up && below(4) == 0)
		talk_of_any_kind(b, a);
}

static void strike(struct host *host, uint64_t what)
{
	if (what < 20) {
		tell("%4zu    reboots", host->number);
		stop_host(host);
		start_later(host, DOWN_MAX);
	} else if (what < 30) {
		tell("%4zu    its daemon dies", host->number);
		stop_daemon(host);
		start_later(host, DOWN_MAX);
	} else if (what < 35) {
		tell("%4zu    its daemon stops", host->number);
		shut_down(host);
		start_later(host, SECOND);
	} else if (what < 55) {
		tell("%4zu    slept", host->number);
		host->ahead_us += below(SLEEP_MAX);
		set_wake(host);
	} else if (what < 65) {
		move_host(host);
	} else if (what < 100) {
		shout(host);
	}
}

static void something(void)
{
	struct host *a = &hosts[below(host_count)], *b = &hosts[below(host_count)];
	uint64_t what = below(1000);

	if (what < 860)
		talk(a, b);
	else if (what < 863)
		change_weather();
	else if (what < 880)
		rebind(&hosts[a->number / 8 * 8 + 4 < host_count ? a->number / 8 * 8 + 4 : 0]);
	else if (a->ike)
		strike(a, what - 880);
}

/* --- the end ---------------------------------------------------------------------------------------- */

/* One of a host with another; `agreed`: that has the other half. */
static bool has_tunnel(const struct host *host, const struct host *peer, bool agreed)
{
	struct tunnel *tunnel, *next;

	HASH_ITER (hh, host->tunnels, tunnel, next) {
		const struct tunnel *other = tunnel_of_spi(peer, tunnel->child.pair.out.spi);

		if (!addr_equal(&tunnel->child.path.remote.addr, &peer->outer))
			continue;
		if (!agreed || (tunnel->up && other && other->up &&
				       other->child.pair.out.spi == tunnel->child.pair.in.spi))
			return true;
	}
	return false;
}

/* Both talk for as long as the end lasts: some often, so that they use up lifetimes, some now and then. */
static void begin_talks(size_t *numbers)
{
	static const uint64_t intervals_us[] = {2 * SECOND, 8 * SECOND, 30 * SECOND};

	for (size_t i = 0; i + 1 < host_count; i += 2) {
		uint64_t interval_us = intervals_us[i / 2 % ARRAY_LEN(intervals_us)] + below(SECOND);

		/* Who is behind a NAT is reached by what it has begun itself, and by no other line. */
		bool any = !hosts[i].nat.present && !hosts[i + 1].nat.present;
		enum line there = any && i % 5 < 2 ? LINE_CLIENT : LINE_ALL;
		enum line back = any && i % 7 < 3 ? LINE_CLIENT : LINE_ALL;

		numbers[i] = talk_begin(&hosts[i], &hosts[i + 1], there, UINT32_MAX, interval_us, true);
		numbers[i + 1] =
			talk_begin(&hosts[i + 1], &hosts[i], back, UINT32_MAX, interval_us, i % 3 != 0);
	}
}

/* Faults have stopped: every pair that wants a tunnel has one in time, and what is said gets through. */
static void expect_recovery(const size_t *numbers)
{
	run_until(now_us + RECOVERY_MAX);
	for (size_t i = 0; i < (host_count & ~(size_t)1); i++) {
		const struct host *peer = &hosts[i ^ 1];

		if (!has_tunnel(&hosts[i], peer, true))
			violate(&hosts[i], "no tunnel with host %zu, %u s after all faults", peer->number,
				(unsigned)(RECOVERY_MAX / SECOND));
		else if (!talk_delivered(numbers[i]))
			violate(&hosts[i], "nothing has reached host %zu, %u s after all faults", peer->number,
				(unsigned)(RECOVERY_MAX / SECOND));
	}
}

/* A packet that is lost is told by check_loss(). */
static void expect_rekeys(void)
{
	uint64_t pairs = tally.pairs, hard_expires = tally.hard_expires;

	run_until(now_us + AFTERMATH + REKEY_TIME);
	if (tally.pairs - pairs < host_count / 2)
		violate(&hosts[0], "of %zu hosts that talk all the time only %lu have been rekeyed", host_count,
			(unsigned long)(tally.pairs - pairs));
	if (tally.hard_expires != hard_expires)
		violate(&hosts[0], "%lu lifetimes ended without a successor",
			(unsigned long)(tally.hard_expires - hard_expires));
}

/* In clear weather one DELETE is enough. */
static void expect_farewell(void)
{
	for (size_t i = 0; i + 1 < host_count; i += 16) {
		shut_down(&hosts[i]);
		add_event(EVENT_START, &hosts[i], SECOND);
		run_until(now_us + SECOND / 2);
		if (has_tunnel(&hosts[i + 1], &hosts[i], false))
			violate(&hosts[i + 1], "it keeps a tunnel with host %zu, which has said that it stops", i);
	}
}

static void end_talks(const size_t *numbers)
{
	for (size_t i = 0; i < (host_count & ~(size_t)1); i++)
		talk_end(numbers[i]);
}

/* Nobody talks: tunnels close (K8), and no state outlives its bound. */
static void expect_nothing_left(void)
{
	run_until(now_us + REST_TIME);
	for (size_t i = 0; i < host_count; i++) {
		struct ike_counters counters = ike_counters(hosts[i].ike);
		size_t flows = policy_counters(hosts[i].policy).flows;

		if (counters.sas || counters.half_open || hosts[i].tunnels || flows)
			violate(&hosts[i], "%zu SAs, %zu half-open, %u CHILD SAs and %zu flows are left", counters.sas,
				counters.half_open, HASH_CNT(hh, hosts[i].tunnels), flows);
	}
}

/* A last word of each, so that what is old is forgotten; then memory is where it was at the beginning. */
static void expect_rest(size_t before)
{
	size_t after;

	run_until(now_us + RTT_LIFE);
	for (size_t i = 0; i + 1 < host_count; i += 2)
		talk_begin(&hosts[i], &hosts[i + 1], LINE_ALL, 1, SECOND, true);
	expect_nothing_left();
	for (size_t i = 0; i < host_count; i++) {
		plane_clear(&hosts[i]);
		checks_forget(&hosts[i]);
	}
	talks_end();
	after = mallinfo2().uordblks;
	if (after > before + LIBRARIES + host_count * HOST_ROOM)
		violate(&hosts[0], "%zu bytes are not given back, though all is quiet", after - before);
}

/* --- a story ---------------------------------------------------------------------------------------- */

static void begin(void)
{
	now_us = digest = 0;
	tally = (struct tally){.violations = tally.violations};
	dice = seed * 7919 + 1;
	weather = (struct weather){.calm_since_us = NEVER_CALM};
	hosts = mem_zalloc(host_count * sizeof(*hosts));
	for (size_t i = 0; i < host_count; i++) {
		hosts[i].number = i;
		start_host(&hosts[i]);
	}
}

static void end(void)
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
	net_forget();
	free(hosts);
}

static void tell_story(void)
{
	size_t before = mallinfo2().uordblks, rested, *numbers = mem_zalloc(host_count * sizeof(*numbers));

	begin();
	rested = mallinfo2().uordblks;
	change_weather();
	for (unsigned long n = 0; n < event_count; n++) {
		something();
		run_until(now_us + below(2 * SECOND / host_count * 50 + 1));
	}
	clear_weather();
	run_until(now_us + DOWN_MAX);
	begin_talks(numbers);
	expect_recovery(numbers);
	expect_rekeys();
	expect_farewell();
	end_talks(numbers);
	expect_nothing_left();
	expect_rest(rested);
	end();
	free(numbers);
	if (mallinfo2().uordblks > before + LIBRARIES) {
		tally.violations++;
		printf("violation: %zu bytes are not given back\n", mallinfo2().uordblks - before);
	}
}

static void report(void)
{
	printf("# %lu packets in ESP, %lu taken, %lu for no SA; %lu acquires, %lu lookups\n", (unsigned long)tally.esp,
		(unsigned long)tally.delivered, (unsigned long)tally.unknown, (unsigned long)tally.acquires,
		(unsigned long)tally.lookups);
	printf("# %lu pairs came up\n", (unsigned long)tally.pairs);
	printf("# ends: %lu idle, %lu soft limits, %lu hard limits, %lu of dead peers; %lu mappings followed\n",
		(unsigned long)tally.idle_ends, (unsigned long)tally.soft_expires, (unsigned long)tally.hard_expires,
		(unsigned long)tally.dead_peers, (unsigned long)tally.mappings);
	printf("# %.0f simulated minutes, all checked %lu times, digest %016lx\n", (double)now_us / 60e6,
		(unsigned long)tally.checks, (unsigned long)digest);
}

/* The same seed gives the same run, another one another; of a small fleet, for that is as good. */
static bool repeats(void)
{
	unsigned long own_seed = seed, own_events = event_count;
	size_t own_hosts = host_count;
	uint64_t digests[3];

	host_count = 30;
	event_count = 600;
	for (size_t i = 0; i < ARRAY_LEN(digests); i++) {
		seed = own_seed + i / 2;
		tell_story();
		digests[i] = digest;
	}
	seed = own_seed;
	host_count = own_hosts;
	event_count = own_events;
	return digests[0] == digests[1] && digests[0] != digests[2];
}

/* --- the beginning of it all --------------------------------------------------------------------- */

static void read_options(int argc, char **argv)
{
	static const struct option options[] = {{"seed", required_argument, NULL, 's'},
		{"hosts", required_argument, NULL, 'h'}, {"events", required_argument, NULL, 'e'},
		{"trace", no_argument, NULL, 't'}, {NULL, 0, NULL, 0}};
	int letter;

	host_count = 1000;
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
	bool same = true, enough = true;
	int plan = 1;

	read_options(argc, argv);
	/* Who asks for a run of his own wants that one alone. */
	if (argc == 1) {
		same = repeats();
		printf("%sok %d - a seed gives the same run again, and another one another\n", same ? "" : "not ", plan++);
	}
	tell_story();
	report();
	printf("%sok %d - a fleet of %zu hosts through %lu events\n", tally.violations ? "not " : "", plan, host_count,
		event_count);
	if (argc == 1) {
		enough = tally.handshakes >= HANDSHAKES_MIN;
		printf("%sok %d - with at least %d handshakes\n", enough ? "" : "not ", ++plan, HANDSHAKES_MIN);
	}
	printf("1..%d\n", plan);
	printf("fleet: %lu handshakes, %lu violations, seed %lu\n", (unsigned long)tally.handshakes,
		(unsigned long)tally.violations, seed);
	return tally.violations || !same || !enough ? 1 : 0;
}
