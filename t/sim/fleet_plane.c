/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The kernel of a host of the fleet (fleet.h), as xfrm/ makes use of it: flows
 * with their stances and queues, pairs of SAs with their keys and counters. It
 * does what is asked at once and says so a little later, as netlink does.
 *
 * A flow sends on the pair that its policy names. One that the peer may not have
 * yet waits until the peer has sent on it, or 300 ms (xfrm/flow.c). An inbound SA
 * that is replaced lingers for what is on its way (xfrm/departing.c).
 */
#include "t/sim/fleet.h"

#include "lib/mem.h"

#include <stdlib.h>
#include <string.h>
#include <utlist.h>

/* Netlink answers soon; not so soon where the machine is busy. */
#define ACK_SOON (3 * MS)
#define ACK_LATE (100 * MS)
#define AWAIT (300 * MS)
#define LINGER SECOND
#define ACQ_EXPIRES (5 * SECOND)

/* --- tables ------------------------------------------------------------------------------------- */

struct flow *flow_of(const struct host *host, const struct addr *local, const struct addr *remote, uint8_t line)
{
	struct flow_key key = {.local = *local, .remote = *remote, .line = line};
	struct flow *flow;

	HASH_FIND(hh, host->flows, &key, sizeof(key), flow);
	return flow;
}

static struct flow *want_flow(
	struct host *host, const struct addr *local, const struct addr *remote, uint8_t line)
{
	struct flow *flow = flow_of(host, local, remote, line);

	if (flow)
		return flow;
	flow = mem_new(struct flow);
	flow->key = (struct flow_key){.local = *local, .remote = *remote, .line = line};
	HASH_ADD(hh, host->flows, key, sizeof(flow->key), flow);
	return flow;
}

struct tunnel *tunnel_of_child(const struct host *host, uint64_t child)
{
	struct tunnel *tunnel;

	HASH_FIND(hh, host->tunnels, &child, sizeof(child), tunnel);
	return tunnel;
}

struct tunnel *tunnel_of_spi(const struct host *host, uint32_t spi)
{
	struct tunnel *tunnel;

	HASH_FIND(by_spi, host->by_spi, &spi, sizeof(spi), tunnel);
	return tunnel;
}

static void forget_spi(struct host *host, struct tunnel *tunnel)
{
	HASH_DELETE(by_spi, host->by_spi, tunnel);
	free(tunnel);
}

/* --- sending --------------------------------------------------------------------------------------- */

/* RFC 7296 2.8: a lifetime in packets; the soft one asks for a successor, at the other it ends. */
static void count_sent(struct host *host, struct tunnel *tunnel)
{
	const struct sa_pair *pair = &tunnel->child.pair;
	uint64_t sent = ++tunnel->carried.out_packets;

	if (pair->soft_packets && sent == pair->soft_packets)
		add_event(EVENT_SOFT, host, below(MS))->id = tunnel->child.id;
	if (pair->max_packets && sent >= pair->max_packets) {
		tunnel->expired = true;
		add_event(EVENT_HARD, host, below(MS))->id = tunnel->child.id;
	}
}

static void send_in(struct host *host, struct tunnel *tunnel, const struct message *message)
{
	talk_sent(message);
	send_esp(host, tunnel, message);
	count_sent(host, tunnel);
}

static void keep(struct flow *flow, const struct message *message)
{
	if (flow->held_count < ARRAY_LEN(flow->held))
		flow->held[flow->held_count++] = *message;
}

/* Once for as long as the state that the first one leaves is there. */
static void acquire(struct host *host, struct flow *flow)
{
	struct event *event;

	if (now_us < flow->larval_end_us)
		return;
	flow->larval_end_us = now_us + ACQ_EXPIRES;
	event = add_event(EVENT_ACQUIRE, host, below(MS));
	event->id = flow->key.line;
	event->path.local.addr = flow->key.local;
	event->path.remote.addr = flow->key.remote;
}

void plane_send(struct host *host, const struct addr *local, const struct addr *remote,
	const struct message *message)
{
	struct flow *flow = want_flow(host, local, remote, message->line);
	struct tunnel *tunnel = flow->sending;

	/* The kernel ends a shunt by itself (K6). */
	if ((flow->stance == STANCE_PASSED || flow->stance == STANCE_BLOCKED) && now_us >= flow->shunt_end_us)
		flow->stance = STANCE_IDLE;
	switch (flow->stance) {
	case STANCE_PASSED:
	case STANCE_BLOCKED:
		talk_shunted(message);
		break;
	case STANCE_IDLE:
		keep(flow, message);
		acquire(host, flow);
		break;
	case STANCE_HELD:
	case STANCE_AWAITED:
		keep(flow, message);
		break;
	case STANCE_ESTABLISHED:
		if (tunnel && !tunnel->expired) {
			send_in(host, tunnel, message);
		} else {
			keep(flow, message);
			acquire(host, flow);
		}
		break;
	}
}

/* What has waited leaves, into an SA or in the clear, or is thrown away. */
static void release(struct host *host, struct flow *flow)
{
	size_t count = flow->held_count;
	struct message held[ARRAY_LEN(flow->held)];

	memcpy(held, flow->held, sizeof(held));
	flow->held_count = 0;
	flow->larval_end_us = 0;
	for (size_t i = 0; i < count; i++)
		plane_send(host, &flow->key.local, &flow->key.remote, &held[i]);
}

/* --- which pair is sent on (K1) ---------------------------------------------------------------------- */

static void send_on(struct host *host, struct flow *flow, struct tunnel *tunnel)
{
	flow->sending = tunnel;
	flow->coming = NULL;
	if (flow->stance == STANCE_ESTABLISHED)
		return;
	flow->stance = STANCE_ESTABLISHED;
	release(host, flow);
}

static void await(struct host *host, struct flow *flow, struct tunnel *tunnel)
{
	struct event *event = add_event(EVENT_AWAITED, host, AWAIT);

	event->id = flow->key.line;
	event->path.local.addr = flow->key.local;
	event->path.remote.addr = flow->key.remote;
	flow->awaited_us = now_us + AWAIT;
	flow->coming = tunnel;
}

void plane_awaited(struct host *host, const struct path *path, uint8_t line)
{
	struct flow *flow = flow_of(host, &path->local.addr, &path->remote.addr, line);

	if (flow && flow->coming && flow->awaited_us <= now_us)
		send_on(host, flow, flow->coming);
}

void plane_peer_sent(struct host *host, uint32_t spi)
{
	struct tunnel *tunnel = tunnel_of_spi(host, spi);

	if (tunnel && tunnel->flow && tunnel->flow->coming == tunnel)
		send_on(host, tunnel->flow, tunnel);
}

static void begin_sending(struct host *host, struct flow *flow, struct tunnel *tunnel)
{
	bool is_first = !flow->sending;
	bool is_held = flow->stance == STANCE_HELD || flow->stance == STANCE_AWAITED;

	if (!tunnel->child.pair.peer_sends_first || (is_first && !is_held)) {
		send_on(host, flow, tunnel);
		return;
	}
	if (is_first)
		flow->stance = STANCE_AWAITED;
	await(host, flow, tunnel);
}

/* The peer has left the one that goes. */
static void send_on_another(struct host *host, struct flow *flow, const struct tunnel *goes)
{
	struct tunnel *other = flow->tunnels != goes ? flow->tunnels : goes->next;

	if (flow->coming && flow->coming != goes)
		send_on(host, flow, flow->coming);
	else if (other && (flow->sending == goes || flow->stance == STANCE_AWAITED))
		send_on(host, flow, other);
}

/* --- what the daemon asks for ------------------------------------------------------------------------ */

static struct flow *flow_for(struct host *host, const struct policy_flow *wanted)
{
	return want_flow(host, &wanted->local, &wanted->remote, (uint8_t)wanted->line);
}

static bool has_tunnel(const struct flow *flow)
{
	return flow->stance >= STANCE_AWAITED && flow->tunnels;
}

void plane_hold(struct host *host, const struct policy_flow *wanted)
{
	struct flow *flow = flow_for(host, wanted);

	if (!has_tunnel(flow))
		flow->stance = STANCE_HELD;
}

void plane_shunt(struct host *host, const struct policy_flow *wanted, bool pass, uint32_t lifetime_s)
{
	struct flow *flow = flow_for(host, wanted);

	if (has_tunnel(flow))
		return;
	flow->stance = pass ? STANCE_PASSED : STANCE_BLOCKED;
	flow->shunt_end_us = lifetime_s ? now_us + lifetime_s * SECOND : UINT64_MAX;
	release(host, flow);
}

static void bury(struct host *host, const struct ike_child *child)
{
	host->graves[host->grave_next++ % GRAVES] =
		(struct grave){.child = child->id, .spi = child->pair.in.spi};
}

/* Out of the flow; its inbound half stays for a moment, if it is replaced. */
static void leave_flow(struct host *host, struct tunnel *tunnel, bool lingers)
{
	struct flow *flow = tunnel->flow;

	bury(host, &tunnel->child);
	if (flow->sending == tunnel)
		flow->sending = NULL;
	if (flow->coming == tunnel)
		flow->coming = NULL;
	DL_DELETE(flow->tunnels, tunnel);
	HASH_DELETE(hh, host->tunnels, tunnel);
	tunnel->flow = NULL;
	if (lingers)
		add_event(EVENT_DEPART, host, LINGER)->id = tunnel->child.pair.in.spi;
	else
		forget_spi(host, tunnel);
}

void plane_depart(struct host *host, uint32_t spi)
{
	struct tunnel *tunnel = tunnel_of_spi(host, spi);

	if (tunnel && !tunnel->flow)
		forget_spi(host, tunnel);
}

void plane_idle(struct host *host, const struct policy_flow *wanted)
{
	struct flow *flow = flow_of(host, &wanted->local, &wanted->remote, (uint8_t)wanted->line);

	if (!flow)
		return;
	while (flow->tunnels)
		leave_flow(host, flow->tunnels, false);
	HASH_DEL(host->flows, flow);
	free(flow);
}

static void answer_install(struct host *host, uint64_t child, bool good)
{
	struct event *event = add_event(EVENT_INSTALLED, host, below(below(8) ? ACK_SOON : ACK_LATE));

	event->id = child;
	event->good = good;
}

void plane_establish(struct host *host, const struct ike_child *child, const struct policy_flow *wanted)
{
	struct flow *flow = flow_for(host, wanted);
	const struct tunnel *taken = tunnel_of_spi(host, child->pair.in.spi);
	struct tunnel *tunnel;

	if (taken && taken->flow)
		violate(host, "two live SAs share the SPI %08x", child->pair.in.spi);
	answer_install(host, child->id, !taken);
	if (taken) {
		bury(host, child);
		return;
	}
	tunnel = mem_new(struct tunnel);
	tunnel->child = *child;
	tunnel->flow = flow;
	tunnel->since_us = now_us;
	DL_PREPEND(flow->tunnels, tunnel);
	HASH_ADD(hh, host->tunnels, child.id, sizeof(uint64_t), tunnel);
	HASH_ADD(by_spi, host->by_spi, child.pair.in.spi, sizeof(uint32_t), tunnel);
	begin_sending(host, flow, tunnel);
}

void plane_remove(struct host *host, struct tunnel *tunnel)
{
	struct flow *flow = tunnel->flow;

	send_on_another(host, flow, tunnel);
	leave_flow(host, tunnel, flow->tunnels->next != NULL);
}

void plane_clear(struct host *host)
{
	struct tunnel *tunnel, *next;
	struct flow *flow, *next_flow;

	HASH_ITER (hh, host->flows, flow, next_flow) {
		while (flow->tunnels)
			leave_flow(host, flow->tunnels, false);
		HASH_DEL(host->flows, flow);
		free(flow);
	}
	HASH_ITER (by_spi, host->by_spi, tunnel, next)
		forget_spi(host, tunnel);
}

/* --- receiving ------------------------------------------------------------------------------------- */

/* A packet that found its SA by SPI: sealed by the peer with the keys that we open with? */
static void check_seal(const struct host *host, const struct tunnel *tunnel, const struct esp *esp)
{
	const struct ipsec_sa *in = &tunnel->child.pair.in;

	if (esp->key_len != in->encr_key_len || memcmp(esp->key, in->encr_key, in->encr_key_len) != 0)
		violate(host, "a packet of host %zu for the SPI %08x has other keys", esp->from, esp->spi);
}

/* RFC 3948: who is behind a translator is followed to another port, not to another address. */
static void follow_port(struct host *host, const struct tunnel *tunnel, const struct event *event)
{
	struct event *mapping;

	if (!event->esp.in_udp || event->path.remote.port == tunnel->child.pair.encap_remote_port)
		return;
	mapping = add_event(EVENT_MAPPING, host, below(MS));
	mapping->id = event->esp.spi;
	mapping->path = event->path;
}

void plane_take_esp(struct host *host, const struct event *event)
{
	struct tunnel *tunnel = tunnel_of_spi(host, event->esp.spi);

	if (!host->is_up)
		return;
	if (!tunnel || event->esp.in_udp != (tunnel->child.pair.encap_local_port != 0)) {
		check_loss(host, &event->esp);
		return;
	}
	check_seal(host, tunnel, &event->esp);
	tunnel->carried.in_packets++;
	/* From elsewhere it meets the policy of another flow. */
	if (!addr_equal(&event->path.remote.addr, &tunnel->child.pair.in.src))
		return;
	follow_port(host, tunnel, event);
	if (tunnel->flow && tunnel->flow->coming == tunnel)
		add_event(EVENT_PEER_SENT, host, below(MS))->id = event->esp.spi;
	talk_arrived(host, &tunnel->child.pair.in.dst, &tunnel->child.pair.in.src, &event->esp.message);
}
