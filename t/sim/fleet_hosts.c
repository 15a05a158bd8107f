/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A host's daemon in the fleet (fleet.h): an engine and a policy, wired as
 * daemon/trigger.c does it, over the kernel of fleet_plane.c.
 */
#include "t/sim/fleet.h"

#include "lib/mem.h"

#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define IDLE_LOOKS 4

uint64_t clock_of(const struct host *host)
{
	return now_us + host->ahead_us;
}

void set_wake(struct host *host)
{
	uint64_t due = host->ike_timer < host->policy_timer ? host->ike_timer : host->policy_timer;

	heap_set(&wakes, &host->wake,
		due == IKE_NEVER ? HEAP_NEVER : due > host->ahead_us ? due - host->ahead_us : 0);
}

/* --- the engine's wishes ------------------------------------------------------------------------------ */

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

/* daemon/grant.c: the first line that has all of it. */
static const struct policy_line *line_for(const struct host *host, const struct ike_offer *offer)
{
	const struct policy_line *lines[LINE_SERVER];
	size_t count = policy_accepting_lines(host->policy, &offer->path.remote.addr, lines, ARRAY_LEN(lines));

	for (size_t i = 0; i < count; i++) {
		struct selector allowed = {.local = prefix_of_host(&offer->path.local.addr),
			.remote = prefix_of_host(&offer->path.remote.addr),
			.proto = lines[i]->proto,
			.local_port = lines[i]->local_port,
			.remote_port = lines[i]->remote_port};

		if (ike_offer_fit(offer, &allowed) == IKE_FIT_ALL)
			return lines[i];
	}
	return NULL;
}

static bool take_narrow(void *arg, const struct ike_offer *offer, struct selector *selector, uint64_t *user)
{
	struct host *host = arg;
	const struct policy_line *line = line_for(host, offer);
	struct policy_flow flow;

	if (!line)
		return false;
	*user = policy_flow_want(host->policy, line->id, &offer->path.local.addr,
		&offer->path.remote.addr, clock_of(host));
	if (!policy_flow_get(host->policy, *user, &flow))
		return false;
	*selector = flow.selector;
	return true;
}

/* A flow that is gone has no line: the data plane refuses (daemon/trigger.c). */
static void take_install(void *arg, const struct ike_child *child)
{
	struct host *host = arg;
	struct policy_flow flow;
	struct event *refusal;

	touch(host, child->user);
	if (policy_flow_get(host->policy, child->user, &flow)) {
		policy_child_coming(host->policy, child->user, clock_of(host));
		plane_establish(host, child, &flow);
		return;
	}
	refusal = add_event(EVENT_INSTALLED, host, below(MS));
	refusal->id = child->id;
}

struct grave *grave_of(struct host *host, uint32_t spi, uint64_t child)
{
	for (size_t i = 0; i < GRAVES && i < host->grave_next; i++) {
		struct grave *grave = &host->graves[(host->grave_next - 1 - i) % GRAVES];

		if (child ? grave->child == child : grave->spi == spi)
			return grave;
	}
	return NULL;
}

static void take_remove(void *arg, const struct ike_child *child)
{
	struct host *host = arg;
	struct tunnel *tunnel = tunnel_of_child(host, child->id);
	bool up = tunnel && tunnel->up;

	touch(host, child->user);
	if (tunnel)
		plane_remove(host, tunnel);
	if (!up)
		policy_child_lost(host->policy, child->user, clock_of(host));
}

static void take_traffic(void *arg, const struct ike_child *child, struct ike_traffic *out)
{
	const struct tunnel *tunnel = tunnel_of_child(arg, child->id);

	if (tunnel)
		*out = tunnel->carried;
}

static uint64_t take_outbound(void *arg, const struct addr *to, uint32_t spi)
{
	const struct host *host = arg;
	struct tunnel *tunnel, *next;

	HASH_ITER (hh, host->tunnels, tunnel, next) {
		if (tunnel->child.pair.out.spi == spi && addr_equal(&tunnel->child.pair.out.dst, to))
			return tunnel->child.id;
	}
	return 0;
}

static void take_job(void *arg, const struct ike_job *job)
{
	add_event(EVENT_JOB, arg, below(2 * MS))->job = *job;
}

/*
 * Now and then what is a live SPI already, of either kind, by its length: who draws
 * one has to look whether it is free.
 */
static void take_random(void *arg, void *out, size_t len)
{
	struct host *host = arg;
	uint8_t *bytes = out;
	const struct tunnel *oldest = host->tunnels;

	for (size_t i = 0; i < len; i++)
		bytes[i] = (uint8_t)chance();
	if (len == sizeof(oldest->child.pair.in.spi) && oldest && below(16) == 0)
		memcpy(out, &oldest->child.pair.in.spi, len);
	if (len == sizeof(oldest->ike_spi) && oldest && oldest->ike_spi && below(16) == 0)
		memcpy(out, &oldest->ike_spi, len);
}

static void take_move(void *arg, const struct ike_child *child)
{
	struct host *host = arg, *peer = host_of(&child->path.remote.addr);
	struct tunnel *tunnel = tunnel_of_child(host, child->id);

	if (!tunnel || (peer && !peer->nat.present)) {
		violate(host, "a CHILD SA is moved that is not there, or has no NAT");
		return;
	}
	touch(host, child->user);
	tunnel->child.path = child->path;
	tunnel->child.pair.encap_remote_port = child->pair.encap_remote_port;
}

/* --- the engine's events ------------------------------------------------------------------------------ */

/* Of each ike_initiate() there is one end, UP or FAILED. */
static void end_attempt(struct host *host, const struct ike_event *event)
{
	struct attempt *attempt;

	HASH_FIND(hh, host->attempts, &event->user, sizeof(event->user), attempt);
	if (!event->ends)
		return;
	if (attempt) {
		HASH_DEL(host->attempts, attempt);
		free(attempt);
	} else {
		violate(host, "a negotiation ends that was not begun, or twice");
	}
}

static void note_use(const struct host *host, struct tunnel *tunnel)
{
	tunnel->idle_since_us = clock_of(host);
	tunnel->idle_from_us = now_us;
}

/* K8, as daemon/idle.c: looked at four times in its timeout. */
static void watch_use(struct host *host, struct tunnel *tunnel)
{
	note_use(host, tunnel);
	add_event(EVENT_IDLE, host, IDLE_TIMEOUT / IDLE_LOOKS)->id = tunnel->child.id;
}

static void look_for_use(struct host *host, uint64_t child)
{
	struct tunnel *tunnel = tunnel_of_child(host, child);
	uint64_t packets;

	if (!tunnel)
		return;
	packets = tunnel->carried.in_packets + tunnel->carried.out_packets;
	if (packets != tunnel->idle_packets) {
		tunnel->idle_packets = packets;
		note_use(host, tunnel);
	}
	if (clock_of(host) - tunnel->idle_since_us < IDLE_TIMEOUT) {
		add_event(EVENT_IDLE, host, IDLE_TIMEOUT / IDLE_LOOKS)->id = child;
		return;
	}
	tally.idle_ends++;
	tell("%4zu    idle", host->number);
	ike_close_idle(host->ike, child, clock_of(host));
}

static void take_up(struct host *host, const struct ike_event *event)
{
	struct tunnel *tunnel = tunnel_of_child(host, event->child->id);

	touch(host, event->child->user);
	host->changes++;
	tally.pairs += event->child->role == IKE_INITIATOR;
	end_attempt(host, event);
	tell("%4zu    up: %08x", host->number, event->child->pair.in.spi);
	if (!tunnel || !tunnel->acknowledged) {
		violate(host, "UP, and the kernel does not have it (K1)");
	} else {
		tunnel->up = true;
		watch_use(host, tunnel);
		check_spi(host, tunnel);
	}
	policy_child_up(host->policy, event->child->user, event->ends, clock_of(host));
	/* N6: a host that comes to us is there. */
	if (event->child->role == IKE_RESPONDER)
		policy_forget_failures(host->policy, &event->path.remote.addr, clock_of(host));
}

static void take_down(struct host *host, const struct ike_event *event)
{
	struct grave *grave = grave_of(host, 0, event->child->id);

	tell("%4zu    down: %08x, %s", host->number, event->child->pair.in.spi, ike_reason_name(event->reason));
	touch(host, event->child->user);
	if (grave)
		grave->reason = event->reason;
	tally.dead_peers += event->reason == IKE_REASON_DEAD_PEER;
	host->changes++;
	policy_child_down(host->policy, event->child->user, ike_reason_name(event->reason), clock_of(host));
}

static void take_event(void *arg, const struct ike_event *event)
{
	struct host *host = arg;
	struct tunnel *tunnel;

	switch (event->kind) {
	case IKE_EVENT_CHILDLESS_UP:
		violate(host, "an SA without a CHILD SA, which nobody has asked for");
		break;
	case IKE_EVENT_UP:
		take_up(host, event);
		break;
	case IKE_EVENT_FAILED:
		tell("%4zu    failed: %s", host->number, ike_reason_name(event->reason));
		touch(host, event->user);
		end_attempt(host, event);
		policy_failed(host->policy, event->user, ike_reason_name(event->reason), clock_of(host));
		break;
	case IKE_EVENT_CHILD_DOWN:
		take_down(host, event);
		break;
	case IKE_EVENT_CHILD_MOVED:
		tunnel = tunnel_of_child(host, event->child->id);
		if (tunnel) {
			tunnel->child.sa = event->child->sa;
			check_spi(host, tunnel);
		}
		break;
	case IKE_EVENT_SOFT_FAILURE:
		policy_failing(host->policy, event->user, ike_reason_name(event->reason), clock_of(host));
		break;
	case IKE_EVENT_STAGE:
		tally.handshakes += event->stage == IKE_STAGE_INSTALLED && event->role == IKE_INITIATOR;
		break;
	case IKE_EVENT_REFUSED:
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
	.move = take_move,
	.keepalive = take_keepalive,
	.traffic = take_traffic,
	.outbound = take_outbound,
	.job = take_job,
	.random = take_random};

/* --- policy's wishes ------------------------------------------------------------------------------------- */

static void take_hold(void *arg, const struct policy_flow *flow)
{
	touch(arg, flow->id);
	plane_hold(arg, flow);
}

static void take_idle(void *arg, const struct policy_flow *flow)
{
	touch(arg, flow->id);
	plane_idle(arg, flow);
}

static void take_initiate(void *arg, const struct policy_flow *flow)
{
	struct host *host = arg;
	struct path path = {.local = {.addr = flow->local, .port = 500},
		.remote = {.addr = flow->remote, .port = 500}};
	struct attempt *attempt;

	touch(host, flow->id);
	HASH_FIND(hh, host->attempts, &flow->id, sizeof(flow->id), attempt);
	if (attempt)
		violate(host, "a second negotiation for one flow (N1)");
	attempt = mem_new(struct attempt);
	attempt->user = flow->id;
	attempt->began_us = now_us;
	HASH_ADD(hh, host->attempts, user, sizeof(attempt->user), attempt);
	ike_initiate(host->ike, 0, &path, &flow->selector, flow->id, clock_of(host));
}

static void take_shunt(void *arg, const struct policy_flow *flow, bool pass, uint32_t lifetime_s)
{
	struct host *host = arg;

	touch(host, flow->id);
	if (pass && flow->group == POLICY_PRIVATE)
		violate(host, "private is opened");
	plane_shunt(host, flow, pass, lifetime_s);
	add_event(EVENT_SHUNT, host, MS)->id = flow->id;
}

static void tell_flow(
	const struct host *host, const struct policy_flow *flow, enum policy_state old, const char *reason)
{
	const struct host *peer = host_of(&flow->remote);
	char remote[ADDR_TEXT];

	if (peer)
		snprintf(remote, sizeof(remote), "host %zu", peer->number);
	else
		addr_format(&flow->remote, remote);
	tell("%4zu    %s: %s -> %s%s%s", host->number, remote, policy_state_name(old),
		policy_state_name(flow->state), reason[0] ? ", " : "", reason);
}

static void take_observe(void *arg, const struct policy_flow *flow, enum policy_state old, const char *reason)
{
	const struct host *host = arg;

	note(NOTE_STATE + old, host->number, flow->state);
	if (trace)
		tell_flow(host, flow, old, reason);
	touch(host, flow->id);
}

static void take_policy_timer(void *arg, uint64_t at_us)
{
	struct host *host = arg;

	host->policy_timer = at_us;
	set_wake(host);
}

static const struct policy_ops policy_wishes = {.hold = take_hold,
	.initiate = take_initiate,
	.shunt = take_shunt,
	.idle = take_idle,
	.observe = take_observe,
	.timer = take_policy_timer};

/* --- life and death ------------------------------------------------------------------------------------------ */

static struct ike *make_engine(struct host *host)
{
	static char name[] = "fleet";
	struct ike_conn conn = {.name = name,
		.local_auth = IKE_AUTH_PSK,
		.remote_auth = IKE_AUTH_PSK,
		.mode = IPSEC_TUNNEL,
		.retransmit_timeout_ms = RETRANSMIT_TIMEOUT / MS,
		.dpd_delay_ms = DPD_DELAY / MS,
		.rekey_margin_s = 30,
		.rekey_fuzz = 100,
		.child_max_packets = 128,
		.ike_lifetime_s = 900,
		.child_lifetime_s = CHILD_LIFETIME / SECOND};
	struct ike_psk psk = {0};
	struct ike_config config = {.conns = &conn, .conn_count = 1, .psks = &psk, .psk_count = 1};
	struct ike *ike;

	secret_set(&psk.secret, "the fleet's own", 15);
	ike = ike_new(&engine_ops, host, &config);
	secret_clear(&psk.secret);
	return ike;
}

static struct policy *make_policy(struct host *host)
{
	static char group[] = "private", fallback[] = "private-or-clear", file[] = "private";
	/* Every fourth host may fall back. */
	bool soft = host->number % 4 == 3;
	struct policy_conn conn = {.name = soft ? fallback : group,
		.group = soft ? POLICY_PRIVATE_OR_CLEAR : POLICY_PRIVATE,
		.failure_pass = soft,
		.shunt_lifetime_s = SHUNT_LIFETIME / SECOND,
		.idle_timeout_s = IDLE_TIMEOUT / SECOND};
	struct policy_line lines[] = {{.id = LINE_ALL},
		{.id = LINE_CLIENT, .proto = IPPROTO_TCP, .remote_port = SERVICE_PORT},
		{.id = LINE_SERVER, .proto = IPPROTO_TCP, .local_port = SERVICE_PORT}};
	struct policy_config config = {
		.conns = &conn, .conn_count = 1, .lines = lines, .line_count = ARRAY_LEN(lines)};
	struct policy *policy;

	for (unsigned i = 0; i < ARRAY_LEN(lines); i++) {
		lines[i].file = file;
		lines[i].line = i + 1;
		prefix_parse("10.0.0.0/8", &lines[i].remote, NULL);
	}
	policy = policy_new(&policy_wishes, host, &config);
	policy_set_locals(policy, &host->addr, 1);
	return policy;
}

static void set_address(struct host *host)
{
	host->outer = host->addr = addr_of(host);
	/* Every eighth is behind a NAT of its own. */
	host->nat = (struct translator){.present = host->number % 8 == 4};
	if (host->nat.present) {
		host->addr.bytes[0] = 192;
		host->addr.bytes[1] = 168;
	}
}

/* What an earlier run had in the kernel goes, and is negotiated anew (daemon/resume.c). */
static void resume(struct host *host)
{
	size_t count = 0;
	struct flow_key *peers = mem_zalloc((HASH_CNT(hh, host->flows) + 1) * sizeof(*peers));
	struct policy_answer answer;
	struct flow *flow, *next;

	HASH_ITER (hh, host->flows, flow, next) {
		if (flow->tunnels && addr_equal(&flow->key.local, &host->addr))
			peers[count++] = flow->key;
	}
	plane_clear(host);
	for (size_t i = 0; i < count; i++)
		policy_want(host->policy, &peers[i].local, &peers[i].remote, POLICY_TRIGGER_DNS, 0, NULL, NULL,
			&answer, clock_of(host));
	free(peers);
}

void start_host(struct host *host)
{
	if (host->outer.family == 0)
		set_address(host);
	host->is_up = true;
	host->shutting_down = false;
	host->disturbed_us = now_us;
	host->ike_timer = host->policy_timer = IKE_NEVER;
	host->policy = make_policy(host);
	host->ike = make_engine(host);
	tell("%4zu    starts", host->number);
	resume(host);
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

void stop_daemon(struct host *host)
{
	struct attempt *attempt, *next;

	if (!host->ike)
		return;
	end_jobs(host);
	ike_free(host->ike);
	policy_free(host->policy);
	host->ike = NULL;
	host->policy = NULL;
	HASH_ITER (hh, host->attempts, attempt, next) {
		HASH_DEL(host->attempts, attempt);
		free(attempt);
	}
	checks_forget(host);
	host->grave_next = 0;
	host->life++;
	host->disturbed_us = now_us;
	heap_remove(&wakes, &host->wake);
}

void stop_host(struct host *host)
{
	stop_daemon(host);
	plane_clear(host);
	host->is_up = false;
}

void shut_down(struct host *host)
{
	host->shutting_down = true;
	ike_shutdown(host->ike, clock_of(host));
	stop_daemon(host);
	plane_clear(host);
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
	host->disturbed_us = now_us;
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

/* --- time -------------------------------------------------------------------------------------------------------- */

static void take_installed(struct host *host, const struct event *event)
{
	struct tunnel *tunnel = tunnel_of_child(host, event->id);

	if (tunnel)
		tunnel->acknowledged = true;
	ike_installed(host->ike, event->id, event->good, clock_of(host));
}

static void take_acquire(struct host *host, const struct path *path, uint32_t line)
{
	struct policy_answer answer;

	tally.acquires++;
	policy_want(host->policy, &path->local.addr, &path->remote.addr, POLICY_TRIGGER_ACQUIRE, line, NULL,
		NULL, &answer, clock_of(host));
}

/* daemon/trigger.c, trigger_expire(). Whose lifetime is over before there is a successor has lost something. */
static void take_expire(struct host *host, uint64_t child, bool hard)
{
	const struct tunnel *tunnel = tunnel_of_child(host, child);

	if (!tunnel)
		return;
	tally.soft_expires += !hard;
	tally.hard_expires += hard;
	if (hard)
		host->disturbed_us = now_us;
	tell("%4zu    %s limit of %08x", host->number, hard ? "hard" : "soft", tunnel->child.pair.out.spi);
	if (hard)
		ike_end_child(host->ike, child, clock_of(host));
	else
		ike_rekey(host->ike, child, clock_of(host));
}

/* xfrm/dataplane.c, take_mapping(). */
static void take_mapping(struct host *host, const struct event *event)
{
	tally.mappings++;
	ike_remap(host->ike, (uint32_t)event->id, event->path.remote.port, clock_of(host));
}

/* What a daemon hears: nothing, when it is dead or another one. */
static void do_daemon_event(struct host *host, struct event *event)
{
	if (event->life != host->life || !host->ike)
		return;
	switch (event->kind) {
	case EVENT_JOB:
		event->job.run(event->job.data);
		ike_job_done(host->ike, event->job.id, clock_of(host));
		break;
	case EVENT_INSTALLED:
		take_installed(host, event);
		break;
	case EVENT_SHUNT:
		policy_shunt_done(host->policy, event->id, true, clock_of(host));
		break;
	case EVENT_ACQUIRE:
		take_acquire(host, &event->path, (uint32_t)event->id);
		break;
	case EVENT_MAPPING:
		take_mapping(host, event);
		break;
	case EVENT_PEER_SENT:
		plane_peer_sent(host, (uint32_t)event->id);
		break;
	case EVENT_AWAITED:
		plane_awaited(host, &event->path, (uint8_t)event->id);
		break;
	case EVENT_SOFT:
	case EVENT_HARD:
		take_expire(host, event->id, event->kind == EVENT_HARD);
		break;
	case EVENT_DEPART:
		plane_depart(host, (uint32_t)event->id);
		break;
	case EVENT_IDLE:
		look_for_use(host, event->id);
		break;
	case EVENT_PACKET:
	case EVENT_ESP:
	case EVENT_TALK:
	case EVENT_HURRY:
	case EVENT_START:
		break;
	}
}

void do_event(struct event *event)
{
	struct host *host = &hosts[event->host];

	if (event->kind == EVENT_PACKET)
		take_packet(host, event);
	else if (event->kind == EVENT_ESP)
		plane_take_esp(host, event);
	else if (event->kind == EVENT_TALK)
		talk_due(event->id, event->serial);
	else if (event->kind == EVENT_HURRY)
		talk_hurry(event->id, event->serial);
	else if (event->kind == EVENT_START)
		start_host(host);
	else
		do_daemon_event(host, event);
}

void do_wake(struct host *host)
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
