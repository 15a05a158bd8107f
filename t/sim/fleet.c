/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A fleet in one process: every host has an engine and a policy, all talk over
 * a network that loses, delays, doubles, reorders and partitions, while hosts
 * crash, sleep and are shouted at by strangers.
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
#include "ike/const.h"
#include "ike/id.h"
#include "ike/ike.h"
#include "ike/message.h"
#include "lib/heap.h"
#include "lib/mem.h"
#include "policy/policy.h"

#include <getopt.h>
#include <malloc.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <uthash.h>

#define MS UINT64_C(1000)
#define SECOND UINT64_C(1000000)
/* What GnuTLS and stdio take once, and keep. */
#define LIBRARIES 131072
/* A negotiation that has not ended by then never will. */
#define NEGOTIATION_MAX (30 * SECOND)
/* In clear weather, who wants a tunnel has it within this: failures are remembered for 30 s (N6). */
#define RECOVERY_MAX (120 * SECOND)

/* A CHILD SA in a host's data plane, with its keys. */
struct tunnel {
	struct ike_child child;
	bool installed;
	UT_hash_handle hh;	/* by child id */
	UT_hash_handle by_spi;	/* by our SPI */
};

/* A negotiation that a host has begun and that has not ended. */
struct attempt {
	uint64_t user, began_us;
	UT_hash_handle hh;
};

struct host {
	size_t number;
	struct addr addr;
	struct ike *ike;
	struct policy *policy;
	uint64_t ike_timer, policy_timer, ahead_us; /* its clock is ahead by so much */
	struct heap_node wake;
	struct tunnel *tunnels, *by_spi;
	struct attempt *attempts;
	unsigned side; /* of a partition */
	unsigned life; /* goes up with each crash: what is under way to an earlier one is void */
	uint64_t changes; /* of what stands: ups and downs */
};

enum event_kind { EVENT_PACKET, EVENT_JOB, EVENT_INSTALLED, EVENT_SHUNT };

struct event {
	enum event_kind kind;
	struct heap_node due;
	size_t host;
	unsigned life;
	struct path path;
	uint8_t *data;
	size_t len;
	struct ike_job job;
	uint64_t id; /* of a child or a flow */
};

static struct host *hosts;
static size_t host_count = 1000;
static unsigned long event_count = 100000, seed = 1;
static bool trace;
static uint64_t now_us, dice, handshakes, violations;
static struct heap queue, wakes;
static unsigned loss, doubles, partitioned;
static uint64_t jitter_us;

/* --- chance, and what is told ----------------------------------------------------------------- */

static uint64_t chance(void)
{
	uint64_t z = (dice += UINT64_C(0x9e3779b97f4a7c15));

	z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
	return z ^ (z >> 31);
}

static uint64_t below(uint64_t bound)
{
	return bound ? chance() % bound : 0;
}

__attribute__((format(printf, 1, 2))) static void tell(const char *format, ...)
{
	va_list args;

	if (!trace)
		return;
	va_start(args, format);
	printf("%12.3f ms  ", (double)now_us / 1000);
	vprintf(format, args);
	putchar('\n');
	va_end(args);
}

__attribute__((format(printf, 2, 3))) static void violate(const struct host *host, const char *format, ...)
{
	va_list args;

	violations++;
	va_start(args, format);
	printf("violation at %.3f s, host %zu: ", (double)now_us / 1e6, host->number);
	vprintf(format, args);
	putchar('\n');
	va_end(args);
}

static uint64_t clock_of(const struct host *host)
{
	return now_us + host->ahead_us;
}

/* --- the queue ----------------------------------------------------------------------------------- */

static struct event *add_event(enum event_kind kind, const struct host *host, uint64_t delay_us)
{
	struct event *event = mem_new(struct event);

	event->kind = kind;
	event->host = host->number;
	event->life = host->life;
	heap_set(&queue, &event->due, now_us + delay_us);
	return event;
}

static void free_event(struct event *event)
{
	free(event->data);
	free(event);
}

static struct host *host_of(const struct addr *addr)
{
	size_t number = (size_t)addr->bytes[2] * 256 + addr->bytes[3];

	return addr->bytes[0] == 10 && number >= 1 && number <= host_count ? &hosts[number - 1] : NULL;
}

static struct addr addr_of(size_t number)
{
	struct addr addr;
	char text[32];

	snprintf(text, sizeof(text), "10.0.%zu.%zu", (number + 1) / 256, (number + 1) % 256);
	addr_parse(text, &addr);
	return addr;
}

/* --- the network ------------------------------------------------------------------------------------ */

static void deliver(struct host *to, const struct path *path, const uint8_t *data, size_t len)
{
	struct event *event = add_event(EVENT_PACKET, to, MS + below(jitter_us + 1));

	event->path = (struct path){.local = path->remote, .remote = path->local};
	event->data = mem_dup(data, len);
	event->len = len;
}

static void take_send(void *arg, const struct path *path, const uint8_t *data, size_t len)
{
	struct host *from = arg, *to = host_of(&path->remote.addr);
	struct ike_header header = {0};
	bool lost = below(100) < loss || !to || (partitioned && to->side != from->side);

	ike_header_parse(data, len, &header);
	tell("%4zu -> %-4zu %s %s %u, %zu bytes%s", from->number, to ? to->number : 0,
		ike_exchange_name(header.exchange), header.flags & IKE_FLAG_RESPONSE ? "response" : "request",
		header.id, len, lost ? " (lost)" : "");
	if (lost)
		return;
	deliver(to, path, data, len);
	if (below(100) < doubles)
		deliver(to, path, data, len);
}

/* --- the engine's wishes ------------------------------------------------------------------------------ */

static void set_wake(struct host *host)
{
	uint64_t due = host->ike_timer < host->policy_timer ? host->ike_timer : host->policy_timer;

	heap_set(&wakes, &host->wake,
		due == IKE_NEVER ? HEAP_NEVER : due > host->ahead_us ? due - host->ahead_us : 0);
}

static void take_ike_timer(void *arg, uint64_t at_us)
{
	struct host *host = arg;

	host->ike_timer = at_us;
	set_wake(host);
}

static int take_conn_for(void *arg, const struct path *path)
{
	struct host *host = arg;
	int conn = policy_conn_for(host->policy, &path->local.addr, &path->remote.addr);

	return conn < 0 ? -1 : (int)policy_conn_get(host->policy, (size_t)conn)->ike_conn;
}

static bool take_narrow(void *arg, const struct ike_offer *offer, struct selector *selector, uint64_t *user)
{
	struct host *host = arg;
	const struct policy_line *line;
	struct policy_flow flow;

	if (!policy_accepting_lines(host->policy, &offer->path.remote.addr, &line, 1) ||
		!ike_ts_cover(offer->remote_ts, offer->remote_ts_count, &offer->path.remote.addr, 0, 0))
		return false;
	*user = policy_flow_want(host->policy, line->id, &offer->path.local.addr,
		&offer->path.remote.addr, clock_of(host));
	if (!policy_flow_get(host->policy, *user, &flow))
		return false;
	*selector = flow.selector;
	return true;
}

static void take_install(void *arg, const struct ike_child *child)
{
	struct host *host = arg;
	struct tunnel *tunnel = mem_new(struct tunnel), *taken;
	uint32_t spi = child->pair.in.spi;

	HASH_FIND(by_spi, host->by_spi, &spi, sizeof(spi), taken);
	if (taken)
		violate(host, "two live SAs share the SPI %08x", spi);
	tunnel->child = *child;
	HASH_ADD(hh, host->tunnels, child.id, sizeof(uint64_t), tunnel);
	HASH_ADD(by_spi, host->by_spi, child.pair.in.spi, sizeof(uint32_t), tunnel);
	add_event(EVENT_INSTALLED, host, below(3 * MS))->id = child->id;
}

static void take_remove(void *arg, const struct ike_child *child)
{
	struct host *host = arg;
	struct tunnel *tunnel;

	HASH_FIND(hh, host->tunnels, &child->id, sizeof(child->id), tunnel);
	if (!tunnel) {
		violate(host, "a CHILD SA is removed that was not installed");
		return;
	}
	HASH_DELETE(hh, host->tunnels, tunnel);
	HASH_DELETE(by_spi, host->by_spi, tunnel);
	free(tunnel);
}

static void take_job(void *arg, const struct ike_job *job)
{
	add_event(EVENT_JOB, arg, below(2 * MS))->job = *job;
}

static void take_random(void *arg, void *out, size_t len)
{
	uint8_t *bytes = out;

	(void)arg;
	for (size_t i = 0; i < len; i++)
		bytes[i] = (uint8_t)chance();
}

/* Both ends of a pair: what one sends with, the other receives with, and not the other way round. */
static void check_keys(const struct host *host, const struct tunnel *tunnel)
{
	const struct sa_pair *pair = &tunnel->child.pair;
	struct host *peer = host_of(&tunnel->child.path.remote.addr);
	struct tunnel *other = NULL;

	if (peer)
		HASH_FIND(by_spi, peer->by_spi, &pair->out.spi, sizeof(uint32_t), other);
	if (!other || other->child.pair.out.spi != pair->in.spi ||
		!addr_equal(&other->child.path.remote.addr, &host->addr))
		return;
	if (pair->in.encr_key_len < 20 || pair->in.encr_key_len != other->child.pair.out.encr_key_len ||
		memcmp(pair->in.encr_key, other->child.pair.out.encr_key, pair->in.encr_key_len) != 0 ||
		memcmp(pair->out.encr_key, other->child.pair.in.encr_key, pair->in.encr_key_len) != 0 ||
		memcmp(pair->in.encr_key, pair->out.encr_key, pair->in.encr_key_len) == 0)
		violate(host, "the keys of a pair with host %zu differ", peer->number);
}

static void end_attempt(struct host *host, uint64_t user)
{
	struct attempt *attempt;

	HASH_FIND(hh, host->attempts, &user, sizeof(user), attempt);
	if (!attempt)
		return;
	HASH_DEL(host->attempts, attempt);
	free(attempt);
}

static void take_up(struct host *host, const struct ike_event *event)
{
	struct tunnel *tunnel;

	HASH_FIND(hh, host->tunnels, &event->child->id, sizeof(uint64_t), tunnel);
	if (!tunnel || !tunnel->installed)
		violate(host, "UP before the data plane has it (K1)");
	else
		check_keys(host, tunnel);
	host->changes++;
	handshakes += event->role == IKE_INITIATOR;
	if (event->role == IKE_INITIATOR)
		end_attempt(host, event->child->user);
	tell("%4zu    up", host->number);
	policy_child_up(host->policy, event->child->user, clock_of(host));
}

static void take_event(void *arg, const struct ike_event *event)
{
	struct host *host = arg;
	struct tunnel *tunnel;

	switch (event->kind) {
	case IKE_EVENT_UP:
		take_up(host, event);
		break;
	case IKE_EVENT_FAILED:
		tell("%4zu    failed: %s", host->number, ike_reason_name(event->reason));
		end_attempt(host, event->user);
		policy_failed(host->policy, event->user, ike_reason_name(event->reason), clock_of(host));
		break;
	case IKE_EVENT_CHILD_DOWN:
		tell("%4zu    down: %s", host->number, ike_reason_name(event->reason));
		host->changes++;
		policy_child_down(host->policy, event->child->user, "", clock_of(host));
		break;
	case IKE_EVENT_CHILD_MOVED:
		HASH_FIND(hh, host->tunnels, &event->child->id, sizeof(uint64_t), tunnel);
		if (tunnel)
			tunnel->child.sa = event->child->sa;
		break;
	case IKE_EVENT_STAGE:
	case IKE_EVENT_REFUSED:
	case IKE_EVENT_SOFT_FAILURE:
		break;
	}
}

static const struct ike_ops engine_ops = {.send = take_send,
	.timer = take_ike_timer,
	.event = take_event,
	.conn_for = take_conn_for,
	.narrow = take_narrow,
	.install = take_install,
	.remove = take_remove,
	.job = take_job,
	.random = take_random};

/* --- policy's wishes ------------------------------------------------------------------------------------- */

static void take_nothing(void *arg, const struct policy_flow *flow)
{
	(void)arg;
	(void)flow;
}

static void take_initiate(void *arg, const struct policy_flow *flow)
{
	struct host *host = arg;
	struct path path = {.local = {.addr = flow->local, .port = 500},
		.remote = {.addr = flow->remote, .port = 500}};
	struct attempt *attempt;

	HASH_FIND(hh, host->attempts, &flow->id, sizeof(flow->id), attempt);
	if (attempt) {
		violate(host, "a second negotiation for one flow (N1)");
		return;
	}
	attempt = mem_new(struct attempt);
	attempt->user = flow->id;
	attempt->began_us = now_us;
	HASH_ADD(hh, host->attempts, user, sizeof(attempt->user), attempt);
	ike_initiate(host->ike, 0, &path, &flow->selector, flow->id, 0, clock_of(host));
}

static void take_shunt(void *arg, const struct policy_flow *flow, bool pass, uint32_t lifetime_s)
{
	struct host *host = arg;

	(void)lifetime_s;
	if (pass && flow->group == POLICY_PRIVATE)
		violate(host, "private is opened");
	add_event(EVENT_SHUNT, host, MS)->id = flow->id;
}

static void take_observe(void *arg, const struct policy_flow *flow, enum policy_state old, const char *reason)
{
	(void)arg;
	(void)flow;
	(void)old;
	(void)reason;
}

static void take_policy_timer(void *arg, uint64_t at_us)
{
	struct host *host = arg;

	host->policy_timer = at_us;
	set_wake(host);
}

static const struct policy_ops policy_wishes = {.hold = take_nothing,
	.initiate = take_initiate,
	.shunt = take_shunt,
	.idle = take_nothing,
	.observe = take_observe,
	.timer = take_policy_timer};

/* --- hosts -------------------------------------------------------------------------------------------------- */

/* The same for all; the engine copies it. */
static const struct ike_config *engine_config(bool no_rekey)
{
	static char name[] = "fleet";
	static struct ike_conn conn = {.name = name,
		.local_auth = IKE_AUTH_PSK,
		.remote_auth = IKE_AUTH_PSK,
		.mode = IPSEC_TUNNEL,
		.retransmit_timeout_ms = 4000,
		.dpd_delay_ms = 30000,
		.rekey_margin_s = 30,
		.rekey_fuzz = 100,
		.ike_lifetime_s = 900,
		.child_lifetime_s = 600};
	static struct ike_psk psk;
	static struct ike_config config = {
		.conns = &conn, .conn_count = 1, .psks = &psk, .psk_count = 1};

	secret_set(&psk.secret, "the fleet's own", 15);
	conn.no_rekey = no_rekey;
	return &config;
}

static void start_host(struct host *host)
{
	static char group[] = "private", fallback[] = "private-or-clear", file[] = "private";
	/* Every fourth host may fall back. */
	bool soft = host->number % 4 == 3;
	struct policy_conn group_conn = {.name = soft ? fallback : group,
		.group = soft ? POLICY_PRIVATE_OR_CLEAR : POLICY_PRIVATE,
		.failure_pass = soft};
	struct policy_line line = {.id = 1, .file = file, .line = 1};
	struct policy_config policy = {
		.conns = &group_conn, .conn_count = 1, .lines = &line, .line_count = 1};

	prefix_parse("10.0.0.0/8", &line.remote, NULL);
	host->ike_timer = host->policy_timer = IKE_NEVER;
	host->policy = policy_new(&policy_wishes, host, &policy);
	policy_set_locals(host->policy, &host->addr, 1);
	host->ike = ike_new(&engine_ops, host, engine_config(false));
}

/* Jobs of an engine must have ended before it is freed; their answers come to nobody. */
static void end_jobs(const struct host *host)
{
	for (size_t i = 0; i < queue.count; i++) {
		struct event *event = container_of(queue.nodes[i], struct event, due);

		if (event->kind == EVENT_JOB && event->host == host->number && event->life == host->life &&
			event->job.run) {
			event->job.run(event->job.data);
			event->job.run = NULL;
		}
	}
}

static void stop_host(struct host *host)
{
	struct tunnel *tunnel, *next;
	struct attempt *attempt, *next_attempt;

	end_jobs(host);
	ike_free(host->ike);
	policy_free(host->policy);
	HASH_ITER (hh, host->tunnels, tunnel, next) {
		HASH_DELETE(hh, host->tunnels, tunnel);
		HASH_DELETE(by_spi, host->by_spi, tunnel);
		free(tunnel);
	}
	HASH_ITER (hh, host->attempts, attempt, next_attempt) {
		HASH_DEL(host->attempts, attempt);
		free(attempt);
	}
	host->life++;
	heap_remove(&wakes, &host->wake);
}

/* --- time ------------------------------------------------------------------------------------------------------ */

static void do_event(struct event *event)
{
	struct host *host = &hosts[event->host];
	struct tunnel *tunnel;

	if (event->life != host->life)
		return;
	switch (event->kind) {
	case EVENT_PACKET:
		ike_datagram(host->ike, &event->path, event->data, event->len, clock_of(host));
		break;
	case EVENT_JOB:
		event->job.run(event->job.data);
		ike_job_done(host->ike, event->job.id, clock_of(host));
		break;
	case EVENT_INSTALLED:
		HASH_FIND(hh, host->tunnels, &event->id, sizeof(event->id), tunnel);
		if (tunnel)
			tunnel->installed = true;
		ike_installed(host->ike, event->id, true, clock_of(host));
		break;
	case EVENT_SHUNT:
		policy_shunt_done(host->policy, event->id, true, clock_of(host));
		break;
	}
}

static void do_wake(struct host *host)
{
	uint64_t clock = clock_of(host);

	/* Timers fire once. */
	if (host->ike_timer <= clock) {
		host->ike_timer = IKE_NEVER;
		ike_tick(host->ike, clock);
	}
	if (host->policy_timer <= clock) {
		host->policy_timer = IKE_NEVER;
		policy_tick(host->policy, clock);
	}
	set_wake(host);
}

/* Of every minute: what must hold for all. */
static void check_all(void)
{
	for (size_t i = 0; i < host_count; i++) {
		struct host *host = &hosts[i];
		struct tunnel *tunnel, *next;
		struct attempt *attempt, *next_attempt;

		HASH_ITER (hh, host->tunnels, tunnel, next)
			check_keys(host, tunnel);
		HASH_ITER (hh, host->attempts, attempt, next_attempt) {
			if (now_us - attempt->began_us > NEGOTIATION_MAX)
				violate(host, "a negotiation does not end");
		}
	}
}

static void run_until(uint64_t until_us)
{
	static uint64_t minute;

	while (heap_due(&queue) <= until_us || heap_due(&wakes) <= until_us) {
		if (heap_due(&wakes) < heap_due(&queue)) {
			struct host *host = container_of(heap_first(&wakes), struct host, wake);

			now_us = heap_due(&wakes) > now_us ? heap_due(&wakes) : now_us;
			do_wake(host);
		} else {
			struct event *event = container_of(heap_first(&queue), struct event, due);

			now_us = event->due.due_us;
			heap_remove(&queue, &event->due);
			do_event(event);
			free_event(event);
		}
		if (now_us / (60 * SECOND) != minute) {
			minute = now_us / (60 * SECOND);
			check_all();
		}
	}
	now_us = until_us;
}

/* --- what happens ---------------------------------------------------------------------------------------------- */

static void want(struct host *from, struct host *to)
{
	struct policy_answer answer;

	policy_want(from->policy, &from->addr, &to->addr, POLICY_TRIGGER_ACQUIRE, 1, NULL, NULL, &answer,
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

	path.remote = (struct endpoint){.addr = addr_of(below(host_count)), .port = (uint16_t)(1 + below(60000))};
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
	loss = below(3) ? (unsigned)below(51) : 0;
	doubles = (unsigned)below(30);
	jitter_us = below(40 * MS);
	partitioned = below(6) == 0;
	for (size_t i = 0; i < host_count; i++)
		hosts[i].side = (unsigned)below(2);
	tell("weather: loss %u %%, doubles %u %%, jitter %.1f ms%s", loss, doubles,
		(double)jitter_us / 1000, partitioned ? ", partitioned" : "");
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
	}
}

/* --- the end ------------------------------------------------------------------------------------------------------- */

static bool has_tunnel(const struct host *a, const struct host *b)
{
	struct tunnel *tunnel, *next, *other;

	HASH_ITER (hh, a->tunnels, tunnel, next) {
		if (!tunnel->installed || !addr_equal(&tunnel->child.path.remote.addr, &b->addr))
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

	loss = doubles = partitioned = 0;
	jitter_us = MS;
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
		hosts[i].addr = addr_of(i);
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
