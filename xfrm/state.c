/* SPDX-License-Identifier: GPL-2.0-or-later */
/* SAs and larval states (plane.h). */
#include "xfrm/plane.h"

#include "lib/log.h"
#include "lib/mem.h"
#include "xfrm/encode.h"

#include <errno.h>
#include <linux/xfrm.h>
#include <netinet/in.h>
#include <netlink/msg.h>
#include <stdlib.h>
#include <string.h>
#include <utlist.h>

/* Those towards one host; the first of them makes it, the last frees it. */
struct larval_host {
	struct addr dst;
	struct larval *larvals;
	UT_hash_handle hh;
};

static struct larval_host *find_host(const struct dataplane *dp, const struct addr *dst)
{
	struct larval_host *host;

	HASH_FIND(hh, dp->larval_hosts, dst, sizeof(*dst), host);
	return host;
}

static struct larval_host *want_host(struct dataplane *dp, const struct addr *dst)
{
	struct larval_host *host = find_host(dp, dst);

	if (host)
		return host;
	host = mem_new(struct larval_host);
	host->dst = *dst;
	HASH_ADD(hh, dp->larval_hosts, dst, sizeof(host->dst), host);
	return host;
}

void larval_note(struct dataplane *dp, const struct decoded_acquire *acquire)
{
	struct larval *larval;

	HASH_FIND(hh, dp->larvals, &acquire->seq, sizeof(acquire->seq), larval);
	if (larval)
		return;
	larval = mem_new(struct larval);
	larval->seq = acquire->seq;
	larval->src = acquire->src;
	larval->dst = acquire->dst;
	larval->host = want_host(dp, &acquire->dst);
	DL_APPEND(larval->host->larvals, larval);
	HASH_ADD(hh, dp->larvals, seq, sizeof(larval->seq), larval);
}

static void forget(struct dataplane *dp, struct larval *larval)
{
	struct larval_host *host = larval->host;

	HASH_DEL(dp->larvals, larval);
	DL_DELETE(host->larvals, larval);
	free(larval);
	if (host->larvals)
		return;
	HASH_DEL(dp->larval_hosts, host);
	free(host);
}

void larval_forget(struct dataplane *dp, uint32_t seq)
{
	struct larval *larval;

	HASH_FIND(hh, dp->larvals, &seq, sizeof(seq), larval);
	if (larval)
		forget(dp, larval);
}

static void take_spi(void *arg, const struct nlmsghdr *message)
{
	struct decoded_state state;

	if (message->nlmsg_type == XFRM_MSG_NEWSA && decode_state(message, &state))
		*(uint32_t *)arg = state.spi;
}

void state_delete(struct dataplane *dp, const struct addr *dst, uint32_t spi)
{
	int error = netlink_request(dp->nl, encode_sa_delete(dst, spi));

	if (error && error != -ESRCH)
		plane_repair_later(dp);
}

/* A larval state has SPI 0 and cannot be deleted; with one of its own it can (kernel.md A2 7). */
static void remove_larval(
	struct dataplane *dp, const struct addr *src, const struct addr *dst, uint32_t seq)
{
	uint32_t spi = 0;

	if (netlink_query(dp->nl, encode_alloc_spi(src, dst, seq), take_spi, &spi) == 0 && spi)
		state_delete(dp, dst, spi);
}

void larval_clear(struct dataplane *dp, const struct addr *dst)
{
	struct larval_host *host;

	netlink_read_events(dp->nl);
	while ((host = find_host(dp, dst))) {
		struct larval *larval = host->larvals;

		remove_larval(dp, &larval->src, &larval->dst, larval->seq);
		forget(dp, larval);
	}
}

void larval_clear_table(struct dataplane *dp)
{
	struct larval *larval, *next;

	HASH_ITER (hh, dp->larvals, larval, next)
		forget(dp, larval);
}

/* --- the sweep: collected first, for a dump must not be interrupted by requests ---------------- */

struct sweep {
	struct dataplane *dp;
	struct prefix *covered; /* by our lines: the outermost prefixes, sorted */
	size_t covered_count;
	struct decoded_state *states;
	size_t count, room;
};

static int compare_prefixes(const void *left, const void *right)
{
	const struct prefix *a = left, *b = right;
	int order = addr_compare(&a->addr, &b->addr);

	return order ? order : a->len - b->len;
}

static void note_covered(struct sweep *sweep)
{
	const struct line *line, *next;
	size_t count = 0;

	sweep->covered = mem_zalloc(HASH_COUNT(sweep->dp->lines) * sizeof(*sweep->covered));
	HASH_ITER (hh, sweep->dp->lines, line, next)
		sweep->covered[count++] = line->line.remote;
	if (count)
		qsort(sweep->covered, count, sizeof(*sweep->covered), compare_prefixes);
	for (size_t i = 0; i < count; i++) {
		size_t kept = sweep->covered_count;

		if (kept == 0 || !prefix_contains(&sweep->covered[kept - 1], &sweep->covered[i].addr))
			sweep->covered[sweep->covered_count++] = sweep->covered[i];
	}
}

static int compare_covered(const void *key, const void *element)
{
	const struct prefix *prefix = element;

	return prefix_contains(prefix, key) ? 0 : addr_compare(key, &prefix->addr);
}

static bool under_our_lines(const struct sweep *sweep, const struct addr *dst)
{
	return sweep->covered_count && bsearch(dst, sweep->covered, sweep->covered_count,
					      sizeof(*sweep->covered), compare_covered) != NULL;
}

static bool is_of_flow(const struct dataplane *dp, const struct decoded_state *state)
{
	const struct flow *flow = flow_by_reqid(dp, state->reqid);

	return flow && flow->pairs;
}

static bool is_stale(const struct sweep *sweep, const struct decoded_state *state)
{
	if (state->proto != IPPROTO_ESP)
		return false;
	if (state->spi == 0)
		return state->reqid == 0 && state->seq && under_our_lines(sweep, &state->dst);
	return entry_tag_is_ours(state->tag) && state->reqid >= ENTRY_REQID_FIRST &&
	       state->reqid <= ENTRY_REQID_LAST && !is_of_flow(sweep->dp, state);
}

static void take_state(void *arg, const struct nlmsghdr *message)
{
	struct sweep *sweep = arg;
	struct decoded_state state;

	if (message->nlmsg_type != XFRM_MSG_NEWSA || !decode_state(message, &state) ||
		!is_stale(sweep, &state))
		return;
	if (sweep->count == sweep->room) {
		sweep->room = sweep->room ? sweep->room * 2 : 64;
		sweep->states = mem_resize(sweep->states, sweep->room, sizeof(*sweep->states));
	}
	sweep->states[sweep->count++] = state;
}

static int by_hosts(const void *a, const void *b)
{
	const struct dp_peer *x = a, *y = b;
	int order = addr_compare(&x->remote, &y->remote);

	return order ? order : addr_compare(&x->local, &y->local);
}

/* The hosts of inbound SAs; several SAs with one are one. */
static void note_peers(struct dataplane *dp, const struct sweep *sweep)
{
	struct dp_peer *peers = mem_zalloc((sweep->count + 1) * sizeof(*peers));
	size_t found = 0, count = 0;

	for (size_t i = 0; i < sweep->count; i++) {
		const struct decoded_state *state = &sweep->states[i];

		if (state->spi && is_local(dp, &state->dst) && !is_local(dp, &state->src))
			peers[found++] = (struct dp_peer){
				.local = state->dst, .remote = state->src, .in_spi = state->spi};
	}
	qsort(peers, found, sizeof(*peers), by_hosts);
	for (size_t i = 0; i < found; i++) {
		if (count == 0 || by_hosts(&peers[count - 1], &peers[i]) != 0)
			peers[count++] = peers[i];
	}
	free(dp->peers);
	dp->peers = peers;
	dp->peer_count = count;
}

int states_sweep(struct dataplane *dp, bool pairs)
{
	struct sweep sweep = {.dp = dp};
	int error;

	note_covered(&sweep);
	error = netlink_query(dp->nl, encode_sa_dump(), take_state, &sweep);
	if (!dp->adopted)
		note_peers(dp, &sweep);
	for (size_t i = 0; i < sweep.count; i++) {
		const struct decoded_state *state = &sweep.states[i];

		if (state->spi && pairs)
			state_delete(dp, &state->dst, state->spi);
		else if (!state->spi)
			remove_larval(dp, &state->src, &state->dst, state->seq);
	}
	free(sweep.states);
	free(sweep.covered);
	return error;
}

static void take_counters(void *arg, const struct nlmsghdr *message)
{
	decode_state(message, arg);
}

int state_counters(struct dataplane *dp, const struct addr *dst, uint32_t spi, uint64_t *packets,
	uint64_t *bytes, uint64_t *last_used_s)
{
	struct decoded_state state = {0};
	int error = netlink_query(dp->nl, encode_sa_get(dst, spi), take_counters, &state);

	*packets = state.packets;
	*bytes = state.bytes;
	*last_used_s = state.last_used_s;
	return error;
}

/*
 * The first SA of a kind may take seconds, while the kernel loads modules. It
 * had better not be a peer's (research/lab.md).
 */
void states_warm_up(struct dataplane *dp)
{
	struct sa_pair pair = {.mode = IPSEC_TRANSPORT, .encr = IPSEC_ENCR_AES_GCM_16};
	struct ipsec_sa sa = {.spi = 0xffffff01, .encr_key_len = 20};
	int error;

	addr_parse("127.0.0.1", &sa.src);
	sa.dst = sa.src;
	error = netlink_request(dp->nl,
		encode_sa(&sa, &pair, ENTRY_REQID_FIRST, entry_tag(0, false), true));
	if (error == 0 || error == -EEXIST)
		netlink_request(dp->nl, encode_sa_delete(&sa.dst, sa.spi));
	else
		log_error("this kernel cannot do ESP with AES-GCM (%s): no tunnel will stand",
			strerror(-error));
}
