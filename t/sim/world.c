/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Two engines under a virtual clock (world.h). */
#include "t/sim/world.h"

#include "ike/crypto/cert.h"
#include "ike/message.h"
#include "ike/sa.h"
#include "lib/mem.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <utlist.h>

#define LATENCY_US 1000u

enum event_kind { EVENT_PACKET, EVENT_JOB, EVENT_INSTALLED };

struct world_event {
	enum event_kind kind;
	uint64_t at_us;
	size_t host; /* who is told */
	struct packet packet;
	struct ike_job job;
	struct ike *ike; /* the engine that asked: an answer to a freed one is void */
	uint64_t child;
	bool good;
	struct world_event *prev, *next;
};

uint64_t world_random(struct world *world)
{
	uint64_t z = (world->random += UINT64_C(0x9e3779b97f4a7c15));

	z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
	return z ^ (z >> 31);
}

/* --- the queue ----------------------------------------------------------------------------- */

static int by_time(struct world_event *a, struct world_event *b)
{
	return a->at_us < b->at_us ? -1 : a->at_us > b->at_us;
}

static struct world_event *add_event(
	struct world *world, enum event_kind kind, size_t host, uint64_t delay_us)
{
	struct world_event *event = mem_new(struct world_event), *at = NULL;

	event->kind = kind;
	event->host = host;
	event->at_us = world->now_us + delay_us;
	event->ike = world->hosts[host].ike;
	/* Behind what is due at the same time. */
	DL_FOREACH(world->queue, at)
	{
		if (by_time(event, at) < 0)
			break;
	}
	if (at)
		DL_PREPEND_ELEM(world->queue, at, event);
	else
		DL_APPEND(world->queue, event);
	return event;
}

static void free_event(struct world_event *event)
{
	free(event->packet.data);
	free(event);
}

/* --- the network ------------------------------------------------------------------------------ */

static uint64_t hash_bytes(const uint8_t *data, size_t len)
{
	uint64_t hash = UINT64_C(0xcbf29ce484222325);

	for (size_t i = 0; i < len; i++)
		hash = (hash ^ data[i]) * UINT64_C(0x100000001b3);
	return hash;
}

static void note_sent(struct world *world, const struct packet *packet)
{
	if (world->wire_count < WORLD_WIRE)
		world->wire[world->wire_count++] = (struct wire_entry){.at_us = world->now_us,
			.from = packet->from,
			.exchange = packet->exchange,
			.answer = packet->answer,
			.id = packet->id,
			.len = packet->len,
			.hash = hash_bytes(packet->data, packet->len)};
}

static bool chance(struct world *world, unsigned percent)
{
	return percent && world_random(world) % 100 < percent;
}

static void deliver_later(struct world *world, const struct packet *packet, uint64_t extra_us)
{
	uint64_t jitter_us = world->jitter_us ? world_random(world) % world->jitter_us : 0;
	struct world_event *event = add_event(
		world, EVENT_PACKET, 1 - packet->from, world->delay_us + jitter_us + extra_us);

	event->packet = *packet;
	event->packet.data = mem_dup(packet->data, packet->len);
}

static struct packet make_packet(
	size_t from, const struct path *path, const uint8_t *data, size_t len)
{
	struct packet packet = {.from = from, .path = *path, .len = len, .data = mem_dup(data, len)};
	struct ike_header header;

	if (ike_header_parse(data, len, &header)) {
		packet.exchange = header.exchange;
		packet.answer = header.flags & IKE_FLAG_RESPONSE;
		packet.id = header.id;
	}
	return packet;
}

static void take_send(void *arg, const struct path *path, const uint8_t *data, size_t len)
{
	struct world_host *host = arg;
	struct world *world = host->world;
	struct packet packet = make_packet((size_t)(host - world->hosts), path, data, len);

	note_sent(world, &packet);
	if ((!world->filter || world->filter(world, &packet)) && !chance(world, world->loss_percent)) {
		deliver_later(world, &packet, 0);
		if (chance(world, world->duplicate_percent))
			deliver_later(world, &packet, 0);
	}
	free(packet.data);
}

void world_inject(
	struct world *world, size_t from, const uint8_t *data, size_t len, uint64_t delay_us)
{
	struct path path = world_path(world, from);
	struct packet packet = make_packet(from, &path, data, len);

	deliver_later(world, &packet, delay_us);
	free(packet.data);
}

/* --- a host's ops -------------------------------------------------------------------------------- */

static void take_timer(void *arg, uint64_t at_us)
{
	((struct world_host *)arg)->timer_us = at_us;
}

static int take_conn_for(void *arg, const struct path *path)
{
	const struct world_host *host = arg;

	(void)path;
	return host->ignores_strangers ? -1 : host->answers_by;
}

static bool take_admit(void *arg, const struct ike_claim *claim, char *why, size_t room)
{
	struct world_host *host = arg;

	host->claims++;
	if (!host->demands || cert_hosts_have_name(claim->hosts, host->demands))
		return true;
	snprintf(why, room, "the wrong name");
	return false;
}

static bool take_narrow(
	void *arg, const struct ike_offer *offer, struct selector *selector, uint64_t *user)
{
	struct world_host *host = arg;

	if (host->refuses_narrow)
		return false;
	if (world_line_for(host, offer, selector, user))
		return true;
	*selector = world_selector(host->world, (size_t)(host - host->world->hosts));
	/* Behind a NAT the peer is who the path says. */
	selector->local.addr = offer->path.local.addr;
	selector->remote.addr = offer->path.remote.addr;
	if (host->allows.proto) {
		selector->proto = host->allows.proto;
		selector->local_port = host->allows.local_port;
		selector->local_mask = host->allows.local_mask;
		selector->remote_port = host->allows.remote_port;
		selector->remote_mask = host->allows.remote_mask;
	}
	*user = 7;
	return ike_offer_fit(offer, selector) != IKE_FIT_NONE;
}

static struct world_child *find_child(struct world_host *host, uint64_t id)
{
	for (size_t i = 0; i < host->child_count; i++) {
		if (host->children[i].child.id == id)
			return &host->children[i];
	}
	return NULL;
}

static void take_install(void *arg, const struct ike_child *child)
{
	struct world_host *host = arg;
	struct world_event *event;

	if (host->child_count == WORLD_CHILDREN)
		abort();
	host->children[host->child_count++] = (struct world_child){.child = *child};
	event = add_event(
		host->world, EVENT_INSTALLED, (size_t)(host - host->world->hosts), host->install_us);
	event->child = child->id;
	event->good = !host->refuses_install;
}

/* Exactly what was installed is removed, once. */
static void take_remove(void *arg, const struct ike_child *child)
{
	struct world_host *host = arg;
	struct world_child *known = find_child(host, child->id);

	if (!known || known->child.pair.in.spi != child->pair.in.spi)
		abort();
	*known = host->children[--host->child_count];
}

static void take_move(void *arg, const struct ike_child *child)
{
	struct world_child *known = find_child(arg, child->id);

	if (!known)
		abort();
	known->child.path = child->path;
	known->child.pair.encap_remote_port = child->pair.encap_remote_port;
}

/* It is for the NAT: the peer's kernel drops it. */
static void take_keepalive(void *arg, const struct path *path, const uint8_t *data, size_t len)
{
	struct world_host *host = arg;

	if (len != 1 || data[0] != 0xff || path->local.port != 4500)
		abort();
	host->keepalives++;
}

/* Of our inbound SA the other end has the outbound one. */
static bool peer_sends(const struct world_host *host, const struct ike_child *child)
{
	const struct world *world = host->world;
	const struct world_host *peer = &world->hosts[host == &world->hosts[0]];

	for (size_t i = 0; i < peer->child_count && !peer->quiet && !peer->silent; i++) {
		if (peer->children[i].installed &&
			peer->children[i].child.pair.out.spi == child->pair.in.spi)
			return true;
	}
	return false;
}

static void take_traffic(void *arg, const struct ike_child *child, struct ike_traffic *out)
{
	struct world_host *host = arg;
	struct world_child *known = find_child(host, child->id);

	if (!known || !known->installed)
		abort();
	known->traffic.out_packets += !host->quiet;
	known->traffic.in_packets += peer_sends(host, child);
	*out = known->traffic;
}

static uint64_t take_outbound(void *arg, const struct addr *to, uint32_t spi)
{
	const struct world_host *host = arg;

	for (size_t i = 0; i < host->child_count; i++) {
		const struct ike_child *child = &host->children[i].child;

		if (host->children[i].installed && child->pair.out.spi == spi &&
			addr_equal(&child->pair.out.dst, to))
			return child->id;
	}
	return 0;
}

static void take_job(void *arg, const struct ike_job *job)
{
	struct world_host *host = arg;
	struct world_event *event = add_event(
		host->world, EVENT_JOB, (size_t)(host - host->world->hosts), host->job_us);

	host->jobs++;
	host->jobs_of[job->rank]++;
	event->job = *job;
}

static void take_random(void *arg, void *out, size_t len)
{
	struct world_host *host = arg;

	for (size_t i = 0; i < len; i++)
		((uint8_t *)out)[i] = (uint8_t)world_random(host->world);
}

static void take_up(struct world_host *host, const struct ike_event *event)
{
	struct world_child *child = find_child(host, event->child->id);
	struct world_flow *flow = world_flow_of(host, event->user);

	if (!child || !child->installed || child->up)
		abort();
	if (flow) {
		flow->ups++;
		flow->ended += event->ends;
	}
	child->up = true;
	host->up_us = host->world->now_us;
	host->ups++;
}

static void take_event(void *arg, const struct ike_event *event)
{
	struct world_host *host = arg;
	struct world_flow *flow = world_flow_of(host, event->user);

	switch (event->kind) {
	case IKE_EVENT_STAGE:
		host->stages++;
		host->retransmissions += event->stage == IKE_STAGE_RETRANSMIT;
		break;
	case IKE_EVENT_CHILDLESS_UP:
		host->childless_ups++;
		break;
	case IKE_EVENT_UP:
		take_up(host, event);
		break;
	case IKE_EVENT_FAILED:
		host->faileds++;
		if (flow) {
			flow->ended += event->ends;
			flow->faileds++;
			flow->reason = event->reason;
		}
		host->failed_us = host->world->now_us;
		host->failed_reason = event->reason;
		snprintf(host->failed_detail, sizeof(host->failed_detail), "%s",
			event->detail ? event->detail : "");
		break;
	case IKE_EVENT_CHILD_DOWN:
		host->downs++;
		if (flow)
			flow->downs++;
		host->down_us = host->world->now_us;
		host->down_reason = event->reason;
		break;
	case IKE_EVENT_CHILD_MOVED:
		find_child(host, event->child->id)->child.sa = event->child->sa;
		break;
	case IKE_EVENT_REFUSED:
		host->refusals++;
		snprintf(host->refused_detail, sizeof(host->refused_detail), "%s",
			event->detail ? event->detail : "");
		break;
	case IKE_EVENT_SOFT_FAILURE:
		host->softs++;
		host->soft_reason = event->reason;
		break;
	}
}

static const struct ike_ops ops = {.send = take_send,
	.timer = take_timer,
	.event = take_event,
	.conn_for = take_conn_for,
	.admit = take_admit,
	.narrow = take_narrow,
	.install = take_install,
	.remove = take_remove,
	.move = take_move,
	.keepalive = take_keepalive,
	.traffic = take_traffic,
	.outbound = take_outbound,
	.job = take_job,
	.random = take_random};

/* --- the world -------------------------------------------------------------------------------------- */

static void host_init(struct world *world, size_t i, enum ike_auth auth)
{
	static char name[] = "private";
	static uint8_t ppk_name[] = "fleet";
	struct world_host *host = &world->hosts[i];

	host->world = world;
	addr_parse(i == 0 ? "10.9.0.1" : "10.9.0.2", &host->addr);
	host->timer_us = IKE_NEVER;
	host->conns[0] = (struct ike_conn){.name = name,
		.local_auth = auth,
		.remote_auth = auth,
		.mode = IPSEC_TUNNEL,
		.retransmit_interval_ms = 250,
		.retransmit_timeout_ms = 4000,
		.dpd_delay_ms = 30000,
		.replay_window = 64};
	secret_set(&host->psk.secret, "open sesame", 11);
	host->ppk.name = ppk_name;
	host->ppk.name_len = 5;
	secret_set(&host->ppk.secret, "an old friend of both, who keeps quiet", 38);
	host->config = (struct ike_config){
		.conns = host->conns, .conn_count = 1, .psks = &host->psk, .psk_count = 1};
	host->ike = ike_new(&ops, host, &host->config);
}

void world_init(struct world *world, uint64_t seed, enum ike_auth auth)
{
	*world = (struct world){.random = seed, .delay_us = LATENCY_US, .now_us = 1000000};
	host_init(world, 0, auth);
	host_init(world, 1, auth);
}

/* What is under way to a host's old engine comes to nobody; its jobs must end all the same. */
static void forget_events(struct world *world, size_t host)
{
	struct world_event *event, *next;

	DL_FOREACH_SAFE(world->queue, event, next)
	{
		if (event->host != host || event->kind == EVENT_PACKET)
			continue;
		if (event->kind == EVENT_JOB)
			event->job.run(event->job.data);
		DL_DELETE(world->queue, event);
		free_event(event);
	}
}

void world_clear(struct world *world)
{
	struct world_event *event, *next;

	for (size_t i = 0; i < 2; i++) {
		forget_events(world, i);
		ike_free(world->hosts[i].ike);
	}
	DL_FOREACH_SAFE(world->queue, event, next)
	{
		DL_DELETE(world->queue, event);
		free_event(event);
	}
}

void world_reload(struct world *world, size_t host)
{
	forget_events(world, host);
	ike_free(world->hosts[host].ike);
	world->hosts[host].timer_us = IKE_NEVER;
	world->hosts[host].child_count = 0;
	world->hosts[host].ike =
		ike_new(&ops, &world->hosts[host], &world->hosts[host].config);
}

void world_restart(struct world *world, size_t host)
{
	world_reload(world, host);
}

void world_replace_sa(struct world *world, size_t host)
{
	struct ike_sa *sa = world->hosts[host].ike->by_id;

	sa->rekey_us = world->now_us;
	ike_sa_schedule(sa);
	ike_tick(sa->ike, world->now_us);
}

struct path world_path(const struct world *world, size_t from)
{
	return (struct path){.local = {.addr = world->hosts[from].addr, .port = 500},
		.remote = {.addr = world->hosts[1 - from].addr, .port = 500}};
}

struct selector world_selector(const struct world *world, size_t from)
{
	return (struct selector){.local = prefix_of_host(&world->hosts[from].addr),
		.remote = prefix_of_host(&world->hosts[1 - from].addr)};
}

uint64_t world_initiate_by(struct world *world, size_t from, size_t conn)
{
	struct path path = world_path(world, from);
	struct selector selector = world_selector(world, from);

	world->hosts[from].initiated++;
	return ike_initiate(world->hosts[from].ike, conn, &path, &selector, 7, world->now_us);
}

uint64_t world_initiate(struct world *world, size_t from)
{
	return world_initiate_by(world, from, 0);
}

static void take_packet(struct world *world, struct world_event *event)
{
	struct world_host *host = &world->hosts[event->host];
	struct path path = {.local = event->packet.path.remote, .remote = event->packet.path.local};

	if (!host->silent && !host->no_daemon)
		ike_datagram(
			host->ike, &path, event->packet.data, event->packet.len, world->now_us);
}

static void take_installed(struct world *world, struct world_event *event)
{
	struct world_host *host = &world->hosts[event->host];
	struct world_child *child = find_child(host, event->child);

	if (child)
		child->installed = event->good;
	ike_installed(host->ike, event->child, event->good, world->now_us);
}

static void take_first(struct world *world)
{
	struct world_event *event = world->queue;

	DL_DELETE(world->queue, event);
	world->now_us = event->at_us;
	switch (event->kind) {
	case EVENT_PACKET:
		take_packet(world, event);
		break;
	case EVENT_JOB:
		event->job.run(event->job.data);
		ike_job_done(event->ike, event->job.id, world->now_us);
		break;
	case EVENT_INSTALLED:
		take_installed(world, event);
		break;
	}
	free_event(event);
}

/* The host whose timer is due first. */
static struct world_host *first_timer(struct world *world, uint64_t *at_us)
{
	struct world_host *first = NULL;

	*at_us = IKE_NEVER;
	for (size_t i = 0; i < 2; i++) {
		struct world_host *host = &world->hosts[i];

		if (!host->silent && !host->no_daemon && host->timer_us < *at_us) {
			first = host;
			*at_us = host->timer_us;
		}
	}
	return first;
}

void world_run(struct world *world, uint64_t until_us)
{
	for (;;) {
		uint64_t timer_us;
		struct world_host *host = first_timer(world, &timer_us);
		uint64_t event_us = world->queue ? world->queue->at_us : IKE_NEVER;

		if (event_us > until_us && timer_us > until_us)
			break;
		if (event_us <= timer_us) {
			take_first(world);
			continue;
		}
		if (timer_us > world->now_us)
			world->now_us = timer_us;
		host->timer_us = IKE_NEVER;
		ike_tick(host->ike, world->now_us);
	}
	world->now_us = until_us;
}

void world_run_for(struct world *world, uint64_t us)
{
	world_run(world, world->now_us + us);
}

/* --- looking -------------------------------------------------------------------------------------------- */

size_t world_up_count(const struct world *world, size_t host)
{
	size_t count = 0;

	for (size_t i = 0; i < world->hosts[host].child_count; i++)
		count += world->hosts[host].children[i].up;
	return count;
}

static bool same_sa(const struct ipsec_sa *a, const struct ipsec_sa *b)
{
	return a->spi == b->spi && addr_equal(&a->src, &b->src) && addr_equal(&a->dst, &b->dst) &&
	       a->encr_key_len == b->encr_key_len && a->encr_key_len >= 16 &&
	       memcmp(a->encr_key, b->encr_key, a->encr_key_len) == 0 &&
	       a->integ_key_len == b->integ_key_len &&
	       memcmp(a->integ_key, b->integ_key, a->integ_key_len) == 0;
}

static bool mirrors(const struct sa_pair *a, const struct sa_pair *b)
{
	return same_sa(&a->in, &b->out) && same_sa(&a->out, &b->in) && a->mode == b->mode &&
	       a->encr == b->encr && a->integ == b->integ && a->esn == b->esn && a->in.spi != a->out.spi &&
	       memcmp(a->in.encr_key, a->out.encr_key, a->in.encr_key_len) != 0 &&
	       prefix_equal(&a->selector.local, &b->selector.remote) &&
	       prefix_equal(&a->selector.remote, &b->selector.local) &&
	       a->selector.local_port == b->selector.remote_port &&
	       a->selector.proto == b->selector.proto;
}

bool world_agrees(const struct world *world)
{
	const struct world_host *a = &world->hosts[0], *b = &world->hosts[1];

	if (a->child_count != b->child_count)
		return false;
	for (size_t i = 0; i < a->child_count; i++) {
		size_t j = 0;

		while (j < b->child_count &&
			!mirrors(&a->children[i].child.pair, &b->children[j].child.pair))
			j++;
		if (j == b->child_count)
			return false;
	}
	return true;
}

size_t world_sent(const struct world *world, size_t from, uint8_t exchange, bool answer)
{
	size_t count = 0;

	for (size_t i = 0; i < world->wire_count; i++) {
		const struct wire_entry *entry = &world->wire[i];

		count += entry->from == from && entry->exchange == exchange &&
			 entry->answer == answer;
	}
	return count;
}

bool world_weather(
	struct world *world, unsigned loss_percent, unsigned duplicate_percent, unsigned jitter_ms)
{
	const struct world_host *host = &world->hosts[0];

	world->loss_percent = loss_percent;
	world->duplicate_percent = duplicate_percent;
	world->jitter_us = jitter_ms * WORLD_MS;
	world_initiate(world, 0);
	world_run_for(world, 8000 * WORLD_MS);
	world->loss_percent = 0;
	world_run_for(world, 60000 * WORLD_MS);
	return (host->child_count == 1 && world_agrees(world)) ||
	       (host->faileds == 1 && host->failed_reason == IKE_REASON_TIMEOUT);
}

void world_spoil_notify(struct packet *packet, uint16_t type)
{
	/* No SPI (RFC 7296 3.10). */
	const uint8_t notify[] = {0, 0, (uint8_t)(type >> 8), (uint8_t)type};

	for (size_t i = 0; packet->exchange == IKE_EXCHANGE_IKE_SA_INIT && i + 4 <= packet->len; i++) {
		if (memcmp(packet->data + i, notify, sizeof(notify)) == 0)
			packet->data[i + 2] = 0x9c;
	}
}
