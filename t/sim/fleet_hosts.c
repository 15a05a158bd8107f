/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A host of the fleet: an engine and a policy, wired as the daemon does it, over
 * a data plane that only keeps books; the network between them; time.
 */
#include "t/sim/fleet.h"

#include "ike/const.h"
#include "ike/message.h"
#include "lib/mem.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

size_t host_count = 1000;
uint64_t handshakes, violations, now_us, dice;
struct host *hosts;
struct heap queue, wakes;
struct weather weather;
bool trace;

/* --- chance, and what is told ----------------------------------------------------------------- */

uint64_t chance(void)
{
	uint64_t z = (dice += UINT64_C(0x9e3779b97f4a7c15));

	z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
	return z ^ (z >> 31);
}

uint64_t below(uint64_t bound)
{
	return bound ? chance() % bound : 0;
}

void tell(const char *format, ...)
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

void violate(const struct host *host, const char *format, ...)
{
	va_list args;

	violations++;
	va_start(args, format);
	printf("violation at %.3f s, host %zu: ", (double)now_us / 1e6, host->number);
	vprintf(format, args);
	putchar('\n');
	va_end(args);
}

uint64_t clock_of(const struct host *host)
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

void free_event(struct event *event)
{
	free(event->data);
	free(event);
}

/* Who has the address now. */
static struct host *host_of(const struct addr *addr)
{
	size_t number = (size_t)addr->bytes[2] * 256 + addr->bytes[3];
	struct host *host = number >= 1 && number <= host_count ? &hosts[number - 1] : NULL;

	return host && addr_equal(&host->outer, addr) ? host : NULL;
}

/* Each move has another second byte; a stranger's is 77. */
struct addr addr_of(const struct host *host)
{
	struct addr addr;
	char text[32];

	snprintf(text, sizeof(text), "10.%u.%zu.%zu", host->moves % 70, (host->number + 1) / 256,
		(host->number + 1) % 256);
	addr_parse(text, &addr);
	return addr;
}

/* --- the network ------------------------------------------------------------------------------------ */

static unsigned port_index(uint16_t port)
{
	return port == 4500;
}

/* What the sender's translator makes of a datagram's source. */
static struct endpoint translated(struct host *from, const struct endpoint *source)
{
	uint16_t *port = &from->nat.ports[port_index(source->port)];

	if (!from->nat.present)
		return *source;
	if (!*port)
		*port = (uint16_t)(10000 + below(50000));
	return (struct endpoint){.addr = from->outer, .port = *port};
}

/* What the receiver's translator makes of its destination; false: nobody has asked for it. */
static bool translate_back(const struct host *to, struct endpoint *destination)
{
	if (!to->nat.present)
		return true;
	for (unsigned i = 0; i < 2; i++) {
		if (to->nat.ports[i] && to->nat.ports[i] == destination->port) {
			*destination = (struct endpoint){.addr = to->addr, .port = i ? 4500 : 500};
			return true;
		}
	}
	return false;
}

void rebind(struct host *host, bool traffic)
{
	struct tunnel *tunnel, *next;

	if (!host->nat.present)
		return;
	tell("%4zu    its NAT has lost its table", host->number);
	host->nat.ports[0] = host->nat.ports[1] = 0;
	if (!traffic)
		return;
	HASH_ITER (hh, host->tunnels, tunnel, next) {
		const struct sa_pair *pair = &tunnel->child.pair;
		struct endpoint from = {.port = pair->encap_local_port};
		struct host *peer = host_of(&tunnel->child.path.remote.addr);

		if (peer && pair->encap_local_port)
			ike_remap(peer->ike, pair->out.spi, translated(host, &from).port, clock_of(peer));
	}
}

static void deliver(struct host *to, const struct path *path, const uint8_t *data, size_t len)
{
	struct event *event = add_event(EVENT_PACKET, to, MS + below(weather.jitter_us + 1));

	event->path = (struct path){.local = path->remote, .remote = path->local};
	event->data = mem_dup(data, len);
	event->len = len;
}

static void take_send(void *arg, const struct path *path, const uint8_t *data, size_t len)
{
	struct host *from = arg, *to = host_of(&path->remote.addr);
	struct ike_header header = {0};
	struct path seen = {.local = translated(from, &path->local), .remote = path->remote};
	bool lost = below(100) < weather.loss || !to || (weather.partitioned && to->side != from->side) ||
		    !translate_back(to, &seen.remote) || !addr_equal(&path->local.addr, &from->addr);

	ike_header_parse(data, len, &header);
	tell("%4zu -> %-4zu %s %s %u, %zu bytes%s", from->number, to ? to->number : 0,
		ike_exchange_name(header.exchange), header.flags & IKE_FLAG_RESPONSE ? "response" : "request",
		header.id, len, lost ? " (lost)" : "");
	if (lost)
		return;
	deliver(to, &seen, data, len);
	if (below(100) < weather.doubles)
		deliver(to, &seen, data, len);
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
	struct selector allowed = {.local = prefix_of_host(&offer->path.local.addr),
		.remote = prefix_of_host(&offer->path.remote.addr)};

	if (!policy_accepting_lines(host->policy, &offer->path.remote.addr, &line, 1) ||
		ike_offer_fit(offer, &allowed) != IKE_FIT_ALL)
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

void take_random(void *arg, void *out, size_t len)
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
		!addr_equal(&other->child.path.remote.addr, &host->outer))
		return;
	if (!pair->encap_remote_port != !other->child.pair.encap_remote_port ||
		!pair->encap_remote_port != !(host->nat.present || peer->nat.present))
		violate(host, "a pair with host %zu is in UDP at one end only, or without need", peer->number);
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
	policy_child_up(host->policy, event->child->user, event->ends, clock_of(host));
}

static void take_event(void *arg, const struct ike_event *event)
{
	struct host *host = arg;
	struct tunnel *tunnel;

	switch (event->kind) {
	case IKE_EVENT_CHILDLESS_UP:
		abort(); /* not asked for */
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

static void take_move(void *arg, const struct ike_child *child)
{
	struct host *host = arg, *peer = host_of(&child->path.remote.addr);
	struct tunnel *tunnel;

	HASH_FIND(hh, host->tunnels, &child->id, sizeof(child->id), tunnel);
	if (!tunnel || (peer && !peer->nat.present)) {
		violate(host, "a CHILD SA is moved that is not there, or has no NAT");
		return;
	}
	tunnel->child.path = child->path;
	tunnel->child.pair.encap_remote_port = child->pair.encap_remote_port;
}

static void take_keepalive(void *arg, const struct path *path, const uint8_t *data, size_t len)
{
	struct host *host = arg;

	(void)data;
	if (!host->nat.present || len != 1)
		violate(host, "a keepalive without a NAT");
	translated(host, &path->local);
}

static const struct ike_ops engine_ops = {.send = take_send,
	.timer = take_ike_timer,
	.event = take_event,
	.conn_for = take_conn_for,
	.narrow = take_narrow,
	.install = take_install,
	.remove = take_remove,
	.move = take_move,
	.keepalive = take_keepalive,
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
	ike_initiate(host->ike, 0, &path, &flow->selector, flow->id, clock_of(host));
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

const struct ike_config *engine_config(bool no_rekey)
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

void start_host(struct host *host)
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
	host->outer = host->addr = addr_of(host);
	/* Every eighth is behind a NAT of its own. */
	host->nat = (struct translator){.present = host->number % 8 == 4};
	if (host->nat.present) {
		host->addr.bytes[0] = 192;
		host->addr.bytes[1] = 168;
	}
	host->ike_timer = host->policy_timer = IKE_NEVER;
	host->policy = policy_new(&policy_wishes, host, &policy);
	policy_set_locals(host->policy, &host->addr, 1);
	host->ike = ike_new(&engine_ops, host, engine_config(false));
}

void move_host(struct host *host)
{
	struct tunnel *tunnel, *next;
	uint64_t *sas = mem_zalloc((HASH_CNT(hh, host->tunnels) + 1) * sizeof(*sas));
	size_t count = 0;

	tell("%4zu    has another address", host->number);
	host->moves++;
	host->outer = addr_of(host);
	host->nat.ports[0] = host->nat.ports[1] = 0;
	/* Behind a NAT a host does not know; else its peers are told in vain, from where it is no more. */
	if (!host->nat.present) {
		host->addr = host->outer;
		policy_set_locals(host->policy, &host->addr, 1);
		HASH_ITER (hh, host->tunnels, tunnel, next)
			sas[count++] = tunnel->child.sa;
		for (size_t i = 0; i < count; i++)
			ike_delete(host->ike, sas[i], clock_of(host));
		policy_forget_failures(host->policy, NULL, clock_of(host));
	}
	free(sas);
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

void stop_host(struct host *host)
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

void check_all(void)
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

void run_until(uint64_t until_us)
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
