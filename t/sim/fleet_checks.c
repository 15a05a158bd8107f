/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What must hold for every host of the fleet (fleet.h): at each step for what it
 * touched, each minute for all.
 */
#include "t/sim/fleet.h"

#include "ike/const.h"
#include "ike/message.h"
#include "lib/mem.h"

#include <stdlib.h>
#include <string.h>
#include <utlist.h>

/* A half-open SA lives for ten seconds. */
#define HALF_OPEN_MAX (11 * SECOND)
/* Its IKE SA may have been replaced, and an exchange may have failed, on either side. */
#define LATE_MAX (60 * SECOND + 4 * RETRANSMIT_TIMEOUT)
/* policy/flow.c: one that had failed is not forgotten earlier. */
#define FLOW_IDLE_MAX (SHUNT_LIFETIME + SECOND)
/* An SA that did not come about is of no interest for longer. */
#define SEEN_MAX (60 * SECOND)

uint64_t undisturbed_since(const struct host *a, const struct host *b)
{
	uint64_t since_us = weather.calm_since_us;

	if (!a->ike || !b->ike)
		return NEVER_CALM;
	since_us = a->disturbed_us > since_us ? a->disturbed_us : since_us;
	return b->disturbed_us > since_us ? b->disturbed_us : since_us;
}

static bool is_long_calm(const struct host *a, const struct host *b)
{
	uint64_t since_us = undisturbed_since(a, b);

	return since_us <= now_us && now_us - since_us > AFTERMATH;
}

/* --- SAs: keys and SPIs ------------------------------------------------------------------------- */

/* Both ends of a pair: what one sends with, the other receives with, and not the other way round. */
void check_keys(const struct host *host, const struct tunnel *tunnel)
{
	const struct sa_pair *pair = &tunnel->child.pair, *theirs;
	const struct host *peer = host_of(&tunnel->child.path.remote.addr);
	const struct tunnel *other = peer ? tunnel_of_spi(peer, pair->out.spi) : NULL;

	if (!other || other->child.pair.out.spi != pair->in.spi ||
		!addr_equal(&other->child.path.remote.addr, &host->outer))
		return;
	theirs = &other->child.pair;
	if (!pair->encap_remote_port != !theirs->encap_remote_port ||
		!pair->encap_remote_port != !(host->nat.present || peer->nat.present))
		violate(host, "a pair with host %zu is in UDP at one end only, or without need", peer->number);
	if (pair->in.encr_key_len < 20 || pair->in.encr_key_len != theirs->out.encr_key_len ||
		pair->out.encr_key_len != theirs->in.encr_key_len ||
		memcmp(pair->in.encr_key, theirs->out.encr_key, pair->in.encr_key_len) != 0 ||
		memcmp(pair->out.encr_key, theirs->in.encr_key, pair->out.encr_key_len) != 0 ||
		memcmp(pair->in.encr_key, pair->out.encr_key, pair->in.encr_key_len) == 0)
		violate(host, "the keys of a pair with host %zu differ", peer->number);
}

static bool is_alive(const struct host *host, uint64_t sa)
{
	struct ike_sa_info info;

	return ike_sa_info(host->ike, sa, &info);
}

/* An SPI is remembered while its SA lives; what the wire has seen of others for a while. */
static void forget_old(struct host *host)
{
	struct seen_sa *seen, *next;

	HASH_ITER (hh, host->seen, seen, next) {
		if (seen->sa ? is_alive(host, seen->sa) : now_us - seen->at_us < SEEN_MAX)
			continue;
		HASH_DEL(host->seen, seen);
		free(seen);
	}
	host->seen_room = 2 * HASH_COUNT(host->seen) + 64;
}

static struct seen_sa *want_seen(struct host *host, uint64_t spi)
{
	struct seen_sa *seen;

	HASH_FIND(hh, host->seen, &spi, sizeof(spi), seen);
	if (!seen) {
		if (HASH_COUNT(host->seen) >= host->seen_room)
			forget_old(host);
		seen = mem_new(struct seen_sa);
		seen->spi = spi;
		HASH_ADD(hh, host->seen, spi, sizeof(seen->spi), seen);
	}
	seen->at_us = now_us;
	return seen;
}

void check_spi(struct host *host, struct tunnel *tunnel)
{
	struct ike_sa_info info;
	struct seen_sa *seen;
	uint64_t sa = tunnel->child.sa;

	if (!ike_sa_info(host->ike, sa, &info)) {
		violate(host, "a CHILD SA has no IKE SA");
		return;
	}
	seen = want_seen(host, info.own_spi);
	if (seen->sa && seen->sa != sa && is_alive(host, seen->sa))
		violate(host, "two live IKE SAs share the SPI %016lx", (unsigned long)info.own_spi);
	seen->sa = sa;
	tunnel->ike_spi = info.own_spi;
}

/* A window of one: each end has begun one exchange at most, and repeats its request as it was (RFC 7296 2.1, 2.3). */
void check_window(struct host *host, const uint8_t *data, size_t len, bool sent)
{
	struct ike_header header;
	struct seen_sa *seen;
	bool of_initiator, is_response;
	uint64_t own;

	if (!ike_header_parse(data, len, &header))
		return;
	of_initiator = header.flags & IKE_FLAG_INITIATOR;
	is_response = header.flags & IKE_FLAG_RESPONSE;
	own = of_initiator == sent ? header.spi_i : header.spi_r;
	if (!own || is_response == sent)
		return;
	HASH_FIND(hh, host->seen, &own, sizeof(own), seen);
	if (!sent && seen && header.id == seen->request)
		seen->open = false;
	if (!sent)
		return;
	seen = want_seen(host, own);
	if (seen->open && (header.id != seen->request || hash_keyed(data, len) != seen->hash) &&
		!host->shutting_down)
		violate(host, "request %u leaves while another, %u, has no answer", header.id, seen->request);
	seen->open = true;
	seen->request = header.id;
	seen->hash = hash_keyed(data, len);
}

void checks_forget(struct host *host)
{
	struct seen_sa *seen, *next;

	HASH_ITER (hh, host->seen, seen, next) {
		HASH_DEL(host->seen, seen);
		free(seen);
	}
	host->seen_room = 0;
}

/* --- packets ------------------------------------------------------------------------------------- */

static bool is_on_purpose(const struct grave *grave)
{
	return grave && (grave->reason == IKE_REASON_IDLE || grave->reason == IKE_REASON_DELETED);
}

/*
 * On an SA that was made without a fault, and has met none, only who ends it on purpose loses what is
 * on its way: a rekey does not.
 */
void check_loss(struct host *at, const struct esp *esp)
{
	struct host *from = &hosts[esp->from];
	const struct grave *here = grave_of(at, esp->spi, 0), *there = grave_of(from, 0, esp->child);

	tally.unknown++;
	if (!is_long_calm(at, from) || esp->since_us < undisturbed_since(at, from) || is_on_purpose(here) ||
		(here && here->reason == IKE_REASON_PEER_DELETED && is_on_purpose(there)))
		return;
	violate(at, "a packet of host %zu is lost: the SA %08x is gone (%s)", from->number, esp->spi,
		here ? ike_reason_name(here->reason) : "nobody knows of it");
}

/* --- flows ----------------------------------------------------------------------------------------- */

static uint32_t count_up(const struct flow *flow)
{
	const struct tunnel *tunnel;
	uint32_t count = 0;

	if (flow)
		DL_FOREACH (flow->tunnels, tunnel)
			count += tunnel->up;
	return count;
}

/* What policy believes is what the kernel has. */
static void check_flow(const struct host *host, const struct policy_flow *info)
{
	const struct flow *flow = flow_of(host, &info->local, &info->remote, (uint8_t)info->line);
	bool is_tunnelled = info->state == POLICY_TUNNELLED;
	uint32_t up = count_up(flow);
	const struct tunnel *tunnel;

	if (info->children != up || is_tunnelled != (up > 0))
		violate(host, "policy counts %u tunnels where the kernel has %u, and is %s", info->children, up,
			policy_state_name(info->state));
	if (is_tunnelled && flow && flow->stance < STANCE_AWAITED)
		violate(host, "a tunnel stands, and packets do not get into it");
	if (flow)
		DL_FOREACH (flow->tunnels, tunnel)
			check_keys(host, tunnel);
}

static struct touched {
	const struct host *host;
	uint64_t user;
} touched[64];
static size_t touched_count;

void touch(const struct host *host, uint64_t user)
{
	for (size_t i = 0; i < touched_count; i++) {
		if (touched[i].host == host && touched[i].user == user)
			return;
	}
	/* What a death touches by the hundred is seen by the minute. */
	if (touched_count < ARRAY_LEN(touched))
		touched[touched_count++] = (struct touched){.host = host, .user = user};
}

void check_touched(void)
{
	struct policy_flow info;

	for (size_t i = 0; i < touched_count; i++) {
		if (touched[i].host->ike && policy_flow_get(touched[i].host->policy, touched[i].user, &info))
			check_flow(touched[i].host, &info);
	}
	touched_count = 0;
}

/* --- bounds ------------------------------------------------------------------------------------------ */

/* Every negotiation ends; what is over is forgotten. */
static void check_flow_age(void *arg, const struct policy_flow *info)
{
	const struct host *host = arg;
	uint64_t age_us = clock_of(host) - info->since_us, bound_us = UINT64_MAX;

	check_flow(host, info);
	switch (info->state) {
	case POLICY_IDLE:
		bound_us = FLOW_IDLE_MAX;
		break;
	case POLICY_NEGOTIATING:
		bound_us = NEGOTIATION_MAX;
		break;
	case POLICY_CLEAR_UNTIL:
		bound_us = SHUNT_LIFETIME + SECOND;
		break;
	case POLICY_BLOCKED_UNTIL:
		bound_us = PRIVATE_MEMORY + SECOND;
		break;
	case POLICY_TUNNELLED:
		break;
	}
	if (age_us > bound_us)
		violate(host, "a flow is %s for %.0f s", policy_state_name(info->state), (double)age_us / 1e6);
}

static void check_tunnel_age(struct host *host, struct tunnel *tunnel)
{
	uint64_t life_us = now_us - host->disturbed_us;
	uint64_t age_us = now_us - tunnel->since_us;
	/* Who slept is early by the world's clock, and may be late by its own: it sleeps once more meanwhile. */
	uint64_t idle_us = now_us - tunnel->idle_from_us;

	if (age_us > CHILD_LIFETIME + LATE_MAX && life_us > CHILD_LIFETIME)
		violate(host, "a CHILD SA is %.0f s old and not replaced", (double)age_us / 1e6);
	if (tunnel->up && idle_us > IDLE_TIMEOUT + IDLE_TIMEOUT / 4 + LATE_MAX && life_us > IDLE_TIMEOUT)
		violate(host, "a CHILD SA stays that nobody uses for %.0f s (K8)", (double)idle_us / 1e6);
	if (!tunnel->up && age_us > NEGOTIATION_MAX)
		violate(host, "a CHILD SA is installed for %.0f s and not up", (double)age_us / 1e6);
}

/* 2.8, ikev2.md 1b: of two pairs of one flow one goes. (What a fault has left over ends for want of use.) */
static void check_redundant(const struct host *host, const struct flow *flow)
{
	const struct host *peer = host_of(&flow->key.remote);
	const struct tunnel *tunnel;
	unsigned old = 0;

	if (!peer || !is_long_calm(host, peer))
		return;
	DL_FOREACH (flow->tunnels, tunnel)
		old += now_us - tunnel->since_us > AFTERMATH &&
		       tunnel->since_us > undisturbed_since(host, peer);
	if (old > 1)
		violate(host, "%u pairs with host %zu stay", old, peer->number);
}

static void check_host(struct host *host)
{
	struct attempt *attempt, *next_attempt;
	struct tunnel *tunnel, *next;
	struct flow *flow, *next_flow;

	policy_each_flow(host->policy, check_flow_age, host);
	HASH_ITER (hh, host->tunnels, tunnel, next) {
		check_tunnel_age(host, tunnel);
		check_keys(host, tunnel);
		check_spi(host, tunnel);
	}
	HASH_ITER (hh, host->flows, flow, next_flow)
		check_redundant(host, flow);
	HASH_ITER (hh, host->attempts, attempt, next_attempt) {
		if (now_us - attempt->began_us > NEGOTIATION_MAX)
			violate(host, "a negotiation does not end");
	}
	if (now_us - host->asked_us > HALF_OPEN_MAX && ike_counters(host->ike).half_open)
		violate(host, "%zu SAs are half-open, and nobody has asked for %.0f s",
			ike_counters(host->ike).half_open, (double)(now_us - host->asked_us) / 1e6);
}

void check_all(void)
{
	tally.checks++;
	for (size_t i = 0; i < host_count; i++) {
		if (hosts[i].ike)
			check_host(&hosts[i]);
	}
}
