/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The sequences of one host under one line (research/kernel.md A2, B). A line
 * of one host, or one that is spread (spread.c), shares its trap with the host's
 * policies: there it is one object that changes its meaning by update, and is
 * never deleted and added.
 *
 * A part (dataplane.h) is a flow that has nothing but tunnels: its policies come
 * before those of the whole, which say what becomes of the rest.
 */
#include "xfrm/plane.h"

#include "lib/mem.h"
#include "xfrm/encode.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* What waits for a peer's first packet leaves after this without it: a retransmission has come by then. */
#define AWAIT_US 300000u

struct line *line_find(const struct dataplane *dp, uint32_t id)
{
	struct line *line;

	HASH_FIND(hh, dp->lines, &id, sizeof(id), line);
	return line;
}

static struct flow *find(const struct dataplane *dp, const struct dp_flow *flow)
{
	struct flow *found;

	HASH_FIND(hh, dp->flows, flow, FLOW_KEY_LEN, found);
	return found;
}

enum flow_stance flow_stance(const struct dataplane *dp, const struct dp_flow *flow)
{
	const struct flow *found = find(dp, flow);

	return found ? found->stance : FLOW_IDLE;
}

struct flow *flow_by_reqid(const struct dataplane *dp, uint32_t reqid)
{
	struct flow *flow;

	HASH_FIND(by_reqid, dp->flows_by_reqid, &reqid, sizeof(reqid), flow);
	return flow;
}

/* One that no flow has: after so many flows the numbers begin anew. */
uint32_t flow_fresh_reqid(struct dataplane *dp)
{
	do {
		if (dp->last_reqid < ENTRY_REQID_FIRST || dp->last_reqid >= ENTRY_REQID_LAST)
			dp->last_reqid = ENTRY_REQID_FIRST;
		dp->last_reqid++;
	} while (flow_by_reqid(dp, dp->last_reqid));
	return dp->last_reqid;
}

static void drop_deferred(struct flow *flow)
{
	if (flow->deferred)
		sa_pair_wipe(flow->deferred);
	free(flow->deferred);
	flow->deferred = NULL;
}

static void forget(struct dataplane *dp, struct flow *flow)
{
	loop_timer_stop(dp->loop, &flow->awaited);
	drop_deferred(flow);
	HASH_DEL(dp->flows, flow);
	HASH_DELETE(by_reqid, dp->flows_by_reqid, flow);
	dp->part_flows -= flow->flow.part != 0;
	free(flow);
}

/* --- entries of a host ----------------------------------------------------------------------- */

static struct entry_key host_key(
	const struct dp_line *line, const struct flow *flow, enum entry_dir dir)
{
	struct prefix local = prefix_of_host(&flow->flow.local);
	struct entry_key key = desired_key(line, dir, &local);

	if (dir == ENTRY_OUT)
		key.dst = prefix_of_host(&flow->flow.remote);
	else
		key.src = prefix_of_host(&flow->flow.remote);
	return key;
}

static bool is_host_line(const struct dp_line *line)
{
	return prefix_is_host(&line->remote);
}

/* The trap of a host that has no flow; false when it has none of its own (its line is wide). */
static bool idle_trap(const struct line *line, const struct addr *local, const struct addr *remote,
	struct entry *out)
{
	if (is_host_line(&line->line))
		return desired_out(&line->line, local, out);
	return line->spread && desired_host(&line->line, local, remote, out);
}

/* Where the line is spread it stands already: then nobody's cached routes become stale (K6). */
static int put_hold(struct dataplane *dp, const struct dp_line *line, const struct flow *flow)
{
	struct entry hold;

	if (!desired_host(line, &flow->flow.local, &flow->flow.remote, &hold))
		return 0;
	return mirror_keep(dp, &hold, &flow->flow);
}

/* A part's packets may wait in the hold of the whole. */
static struct flow *find_whole(const struct dataplane *dp, const struct flow *flow)
{
	struct dp_flow whole = flow->flow;

	whole.part = 0;
	return find(dp, &whole);
}

static void release_whole(struct dataplane *dp, const struct dp_line *line, const struct flow *flow)
{
	struct entry_key key = host_key(line, flow, ENTRY_OUT);

	if (flow->part_count)
		mirror_touch(dp, &key);
}

static void protect(struct entry *entry, const struct flow *flow, bool out)
{
	entry->action = ENTRY_PROTECT;
	entry->mode = flow->mode;
	entry->reqid = flow->reqid;
	entry->tmpl_src = out ? flow->flow.local : flow->flow.remote;
	entry->tmpl_dst = out ? flow->flow.remote : flow->flow.local;
}

/* Of parts that overlap the more exact comes first, as among lines (P1). */
static enum entry_sub part_sub(const struct traffic *part)
{
	bool local = port_mask(part->local_port, part->local_mask) != 0;
	bool remote = port_mask(part->remote_port, part->remote_mask) != 0;

	return (enum entry_sub)(ENTRY_PART + !local + !remote);
}

static int put_parts(struct dataplane *dp, struct entry *entry, const struct dp_line *line, const struct flow *flow)
{
	int error = 0;

	for (size_t i = 0; i < flow->part_count && !error; i++) {
		entry_key_set_traffic(&entry->key, &flow->parts[i]);
		entry->priority = entry_priority(line->slot, part_sub(&flow->parts[i]));
		error = mirror_put(dp, entry, &flow->flow);
	}
	return error;
}

static int put_host(struct dataplane *dp, const struct dp_line *line, const struct flow *flow,
	enum entry_dir dir)
{
	struct entry entry = {.priority = entry_priority(line->slot, ENTRY_ESTABLISHED)};

	/* A forwarding host is no end of a transport-mode SA. */
	if (dir == ENTRY_FWD && flow->mode == IPSEC_TRANSPORT)
		return 0;
	protect(&entry, flow, dir == ENTRY_OUT);
	entry.key = host_key(line, flow, dir);
	if (flow->part_count)
		return put_parts(dp, &entry, line, flow);
	return mirror_put(dp, &entry, &flow->flow);
}

/* Two parts may have a kind of traffic in common: the policy is the later one's. */
static void remove_parts(struct dataplane *dp, const struct dp_line *line, const struct flow *flow)
{
	static const enum entry_dir dirs[] = {ENTRY_OUT, ENTRY_IN, ENTRY_FWD};

	for (size_t i = 0; i < flow->part_count * ARRAY_LEN(dirs); i++) {
		struct entry_key key = host_key(line, flow, dirs[i % ARRAY_LEN(dirs)]);
		const struct mirrored *mirrored;

		entry_key_set_traffic(&key, &flow->parts[i / ARRAY_LEN(dirs)]);
		mirrored = mirror_find(dp, &key);
		if (mirrored && mirrored->part == flow->flow.part)
			mirror_del(dp, &key, NULL);
	}
}

static int put_inbound(struct dataplane *dp, const struct dp_line *line, const struct flow *flow)
{
	int error = put_host(dp, line, flow, ENTRY_IN);

	return error ? error : put_host(dp, line, flow, ENTRY_FWD);
}

/* The last step: packets that wait leave now, through the SA (kernel.md A2 5 to 7). */
static int put_outbound(struct dataplane *dp, const struct dp_line *line, struct flow *flow)
{
	int error = put_host(dp, line, flow, ENTRY_OUT);

	if (error)
		return error;
	loop_timer_stop(dp->loop, &flow->awaited);
	flow->stance = FLOW_ESTABLISHED;
	waiting_release(dp, &flow->flow);
	release_whole(dp, line, flow);
	larval_clear(dp, &flow->flow.remote);
	return 0;
}

static int put_outbound_sa(
	struct dataplane *dp, const struct dp_line *line, const struct flow *flow, const struct sa_pair *pair)
{
	return netlink_request(dp->nl,
		encode_sa(&pair->out, pair, flow->reqid, entry_tag(line->id, line->closed), false));
}

static void release_awaited(struct flow *flow)
{
	struct line *line = line_find(flow->dp, flow->flow.line);

	loop_timer_stop(flow->dp->loop, &flow->awaited);
	if (line && flow->deferred)
		put_outbound_sa(flow->dp, &line->line, flow, flow->deferred);
	drop_deferred(flow);
	if (line && flow->stance == FLOW_AWAITED)
		put_outbound(flow->dp, &line->line, flow);
}

static void awaited_long_enough(struct loop_timer *timer)
{
	release_awaited(timer->arg);
}

void flow_peer_sent(struct dataplane *dp, uint32_t reqid, uint32_t in_spi)
{
	struct flow *flow = flow_by_reqid(dp, reqid);

	if (flow && loop_timer_active(&flow->awaited) && flow->pairs && flow->pairs->in_spi == in_spi)
		release_awaited(flow);
}

static struct flow *want(struct dataplane *dp, const struct dp_flow *flow)
{
	struct flow *found = find(dp, flow);

	if (found)
		return found;
	found = mem_new(struct flow);
	found->flow = *flow;
	found->reqid = flow_fresh_reqid(dp);
	found->dp = dp;
	found->awaited = (struct loop_timer){.fired = awaited_long_enough, .arg = found};
	HASH_ADD(hh, dp->flows, flow, FLOW_KEY_LEN, found);
	HASH_ADD(by_reqid, dp->flows_by_reqid, reqid, sizeof(found->reqid), found);
	dp->part_flows += flow->part != 0;
	return found;
}

int flow_hold(struct dataplane *dp, const struct dp_flow *wanted)
{
	struct line *line = line_find(dp, wanted->line);
	struct flow *flow;
	int error;

	if (!line)
		return -ENOENT;
	flow = want(dp, wanted);
	if (flow->stance >= FLOW_AWAITED)
		return 0;
	error = put_hold(dp, &line->line, flow);
	if (!error)
		flow->stance = FLOW_HELD;
	return error;
}

int flow_shunt(struct dataplane *dp, const struct dp_flow *wanted, enum dp_stance stance,
	uint32_t lifetime_s)
{
	struct line *line = line_find(dp, wanted->line);
	struct entry entry = {.action = stance == DP_ALLOW ? ENTRY_ALLOW : ENTRY_BLOCK,
		.lifetime_s = lifetime_s};
	struct flow *flow;
	int error;

	if (!line)
		return -ENOENT;
	if (line->line.closed && stance == DP_ALLOW)
		return -EPERM;
	flow = want(dp, wanted);
	if (flow->stance >= FLOW_AWAITED)
		return 0;
	entry.key = host_key(&line->line, flow, ENTRY_OUT);
	entry.priority = entry_priority(line->line.slot, ENTRY_HOST);
	error = mirror_put(dp, &entry, &flow->flow);
	if (error)
		return error;
	flow->stance = stance == DP_ALLOW ? FLOW_PASSED : FLOW_BLOCKED;
	waiting_release(dp, wanted);
	larval_clear(dp, &wanted->remote);
	return 0;
}

/* --- establishing ------------------------------------------------------------------------------ */

static void note_pair(struct flow *flow, const struct sa_pair *pair)
{
	struct pair *noted = mem_new(struct pair);

	*noted = (struct pair){.in_spi = pair->in.spi,
		.out_spi = pair->out.spi,
		.in_dst = pair->in.dst,
		.out_dst = pair->out.dst,
		.next = flow->pairs};
	flow->pairs = noted;
}

/* The kernel sends on the newest SA at once: one that the peer may not have yet has to wait. */
static int put_or_defer_outbound(
	struct dataplane *dp, const struct dp_line *line, struct flow *flow, const struct sa_pair *pair)
{
	if (flow->stance < FLOW_AWAITED || !pair->peer_sends_first || flow->deferred)
		return put_outbound_sa(dp, line, flow, pair);
	flow->deferred = mem_dup(pair, sizeof(*pair));
	loop_timer_start(dp->loop, &flow->awaited, AWAIT_US);
	return 0;
}

static int put_states(
	struct dataplane *dp, const struct dp_line *line, struct flow *flow, const struct sa_pair *pair)
{
	uint32_t tag = entry_tag(line->id, line->closed);
	int error = netlink_request(dp->nl, encode_sa(&pair->in, pair, flow->reqid, tag, true));

	if (error)
		return error;
	error = put_or_defer_outbound(dp, line, flow, pair);
	if (error)
		netlink_request(dp->nl, encode_sa_delete(&pair->in.dst, pair->in.spi));
	else
		note_pair(flow, pair);
	return error;
}

static void delete_pair(struct dataplane *dp, const struct pair *pair)
{
	netlink_request(dp->nl, encode_sa_delete(&pair->out_dst, pair->out_spi));
	netlink_request(dp->nl, encode_sa_delete(&pair->in_dst, pair->in_spi));
}

static void drop_newest_pair(struct dataplane *dp, struct flow *flow)
{
	struct pair *pair = flow->pairs;

	delete_pair(dp, pair);
	flow->pairs = pair->next;
	free(pair);
}

static bool is_held(const struct dataplane *dp, const struct flow *flow)
{
	const struct flow *whole = find_whole(dp, flow);

	return whole && whole->stance == FLOW_HELD;
}

int flow_establish(struct dataplane *dp, const struct dp_flow *wanted, const struct sa_pair *pair)
{
	struct line *line = line_find(dp, wanted->line);
	struct flow *flow;
	bool waits;
	int error;

	if (!line)
		return -ENOENT;
	flow = want(dp, wanted);
	if (wanted->part && !flow->part_count)
		flow->part_count = sa_pair_traffic(pair, flow->parts);
	error = put_states(dp, &line->line, flow, pair);
	if (error)
		return error;
	/* A second pair beside the first is found through the same reqid, if it is in the same mode. */
	if (flow->stance == FLOW_ESTABLISHED && flow->mode == pair->mode)
		return 0;
	waits = is_held(dp, flow) && pair->peer_sends_first;
	flow->mode = pair->mode;
	error = put_inbound(dp, &line->line, flow);
	if (!error && waits) {
		flow->stance = FLOW_AWAITED;
		loop_timer_start(dp->loop, &flow->awaited, AWAIT_US);
		return 0;
	}
	if (!error)
		error = put_outbound(dp, &line->line, flow);
	if (error)
		drop_newest_pair(dp, flow);
	return error;
}

int flow_move_pair(struct dataplane *dp, const struct dp_flow *wanted, const struct sa_pair *pair)
{
	struct flow *flow = find(dp, wanted);
	struct line *line = line_find(dp, wanted->line);
	uint32_t tag;
	int error;

	if (!flow || !line)
		return -ENOENT;
	tag = entry_tag(line->line.id, line->line.closed);
	error = netlink_request(dp->nl, encode_sa_move(&pair->in, pair, flow->reqid, tag, true));
	if (flow->deferred && flow->deferred->in.spi == pair->in.spi)
		flow->deferred->encap_remote_port = pair->encap_remote_port;
	else if (!error)
		error = netlink_request(
			dp->nl, encode_sa_move(&pair->out, pair, flow->reqid, tag, false));
	return error;
}

int flow_remove_pair(struct dataplane *dp, const struct dp_flow *wanted, const struct sa_pair *pair)
{
	struct flow *flow = find(dp, wanted);

	for (struct pair **link = flow ? &flow->pairs : NULL; link && *link; link = &(*link)->next) {
		struct pair *found = *link;

		if (found->in_spi != pair->in.spi)
			continue;
		if (flow->deferred && flow->deferred->in.spi == pair->in.spi)
			drop_deferred(flow);
		else if (flow->deferred) /* the peer has left the one that goes: it is on the other */
			release_awaited(flow);
		netlink_request(dp->nl, encode_sa_delete(&found->out_dst, found->out_spi));
		if (flow->pairs->next)
			departing_add(dp, &found->in_dst, found->in_spi);
		else
			netlink_request(dp->nl, encode_sa_delete(&found->in_dst, found->in_spi));
		*link = found->next;
		free(found);
		return 0;
	}
	return 0;
}

/* --- going down ----------------------------------------------------------------------------------- */

static void delete_pairs(struct dataplane *dp, struct flow *flow)
{
	while (flow->pairs)
		drop_newest_pair(dp, flow);
}

/* The outbound policy of the host goes back to the line: by update where it has a trap of its own. */
static int return_outbound(struct dataplane *dp, const struct line *line, const struct flow *flow)
{
	struct entry_key key = host_key(&line->line, flow, ENTRY_OUT);
	struct entry trap;
	bool heal = false;
	int error;

	if (idle_trap(line, &flow->flow.local, &flow->flow.remote, &trap))
		return mirror_keep(dp, &trap, NULL);
	error = mirror_del(dp, &key, &heal);
	if (heal)
		mirror_heal(dp, key.src.addr.family);
	return error;
}

/* In and fwd of a host go: those of its line, which say what comes in, lie beneath. */
static void return_inbound(struct dataplane *dp, const struct dp_line *line, const struct flow *flow)
{
	struct entry_key in = host_key(line, flow, ENTRY_IN), fwd = host_key(line, flow, ENTRY_FWD);

	mirror_del(dp, &in, NULL);
	mirror_del(dp, &fwd, NULL);
}

/* What its packets meet next are the policies of the whole, which stand already. */
static void end_part(struct dataplane *dp, const struct line *line, struct flow *flow)
{
	struct addr remote = flow->flow.remote;

	if (line)
		remove_parts(dp, &line->line, flow);
	delete_pairs(dp, flow);
	larval_clear(dp, &remote);
	forget(dp, flow);
}

int flow_idle(struct dataplane *dp, const struct dp_flow *wanted)
{
	struct line *line = line_find(dp, wanted->line);
	struct flow *flow = find(dp, wanted);
	bool was_established;
	int error;

	if (!flow)
		return 0;
	if (wanted->part) {
		end_part(dp, line, flow);
		return 0;
	}
	was_established = flow->stance >= FLOW_AWAITED;
	/* Out first: while SAs and inbound policies go, packets wait in a hold (kernel.md A2, end). */
	if (line && was_established)
		put_hold(dp, &line->line, flow);
	if (line && was_established)
		return_inbound(dp, &line->line, flow);
	delete_pairs(dp, flow);
	larval_clear(dp, &wanted->remote);
	error = line ? return_outbound(dp, line, flow) : 0;
	larval_clear(dp, &wanted->remote);
	forget(dp, flow);
	return error;
}

/* Their numbers are their caller's: they are looked for, where there are any. */
void flow_end_parts(struct dataplane *dp, uint32_t line)
{
	struct flow *flow, *next;

	if (!dp->part_flows)
		return;
	HASH_ITER (hh, dp->flows, flow, next) {
		struct dp_flow key = flow->flow;

		if (key.line == line && key.part)
			flow_idle(dp, &key);
	}
}

void flow_drop(struct dataplane *dp, struct flow *flow)
{
	delete_pairs(dp, flow);
	forget(dp, flow);
}

/* The kernel has ended a shunt: the host's flow is its line's again. */
void flow_policy_expired(struct dataplane *dp, struct mirrored *mirrored)
{
	struct entry entry = mirrored->entry;
	struct line *line = line_find(dp, entry_tag_line(entry.key.tag));
	struct dp_flow wanted = {.line = entry_tag_line(entry.key.tag),
		.local = entry.key.src.addr,
		.remote = entry.key.dst.addr};
	struct flow *flow = find(dp, &wanted);
	struct entry trap;

	mirror_forget(dp, mirrored);
	larval_clear(dp, &wanted.remote);
	if (line && idle_trap(line, &wanted.local, &wanted.remote, &trap))
		mirror_put(dp, &trap, NULL);
	else if (entry.action == ENTRY_ALLOW)
		mirror_heal(dp, entry.key.src.addr.family);
	if (flow && (flow->stance == FLOW_PASSED || flow->stance == FLOW_BLOCKED)) {
		forget(dp, flow);
		dp->events.shunt_ended(dp->arg, &wanted);
	}
}
