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
#include <utlist.h>

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

static void forget(struct dataplane *dp, struct flow *flow)
{
	loop_timer_stop(dp->loop, &flow->awaited);
	loop_timer_stop(dp->loop, &flow->strict);
	HASH_DEL(dp->flows, flow);
	HASH_DELETE(by_reqid, dp->flows_by_reqid, flow);
	if (flow->flow.part)
		DL_DELETE(dp->parts, flow);
	free(flow);
}

/* Who has nothing in the kernel is not remembered. */
static void forget_if_idle(struct dataplane *dp, struct flow *flow)
{
	if (flow->stance == FLOW_IDLE && !flow->pairs)
		forget(dp, flow);
}

/* Its tunnel is there, be it for what waits for the peer's first packet. */
bool flow_has_tunnel(const struct flow *flow)
{
	return flow->stance >= FLOW_AWAITED && flow->pairs;
}

/* --- its hold and its trap -------------------------------------------------------------------- */

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

/*
 * Sends on a pair from now on. For the first one this is the last step: packets that wait
 * leave, through the SA (kernel.md A2 5 to 7).
 */
static int send_on(struct dataplane *dp, const struct dp_line *line, struct flow *flow, struct pair *pair)
{
	struct pair *before = flow->sending;
	int error;

	flow->sending = pair;
	error = host_put(dp, line, flow, ENTRY_OUT);
	if (error) {
		flow->sending = before;
		return error;
	}
	loop_timer_stop(dp->loop, &flow->awaited);
	flow->coming = NULL;
	if (flow->stance == FLOW_ESTABLISHED)
		return 0;
	flow->stance = FLOW_ESTABLISHED;
	waiting_release(dp, &flow->flow);
	release_whole(dp, line, flow);
	larval_clear(dp, &flow->flow.remote);
	return 0;
}

static void await(struct dataplane *dp, struct flow *flow, struct pair *pair)
{
	flow->coming = pair;
	loop_timer_start(dp->loop, &flow->awaited, AWAIT_US);
}

/* What the kernel refuses now it may take later. */
static void send_on_coming(struct flow *flow)
{
	struct line *line = line_find(flow->dp, flow->flow.line);

	if (line && flow->coming && send_on(flow->dp, &line->line, flow, flow->coming) != 0)
		await(flow->dp, flow, flow->coming);
}

static void awaited_long_enough(struct loop_timer *timer)
{
	send_on_coming(timer->arg);
}

static void end_lenience(struct flow *flow)
{
	flow->lenient = false;
	loop_timer_stop(flow->dp->loop, &flow->strict);
}

/* The peer protects what it sends (research/kernel.md C): from now on nothing else comes in. */
static void be_strict(struct flow *flow)
{
	struct line *line = line_find(flow->dp, flow->flow.line);

	end_lenience(flow);
	if (line && host_put(flow->dp, &line->line, flow, ENTRY_IN) != 0)
		loop_timer_start(flow->dp->loop, &flow->strict, AWAIT_US);
}

static void lenient_long_enough(struct loop_timer *timer)
{
	be_strict(timer->arg);
}

/* Of a line that lets cleartext in while no tunnel stands. */
static void be_lenient(struct flow *flow, const struct dp_line *line)
{
	flow->lenient = !line->closed;
	if (flow->lenient)
		loop_timer_start(flow->dp->loop, &flow->strict, AWAIT_US);
}

void flow_peer_sent(struct dataplane *dp, uint32_t reqid, uint32_t in_spi)
{
	struct flow *flow = flow_by_reqid(dp, reqid);

	if (flow && flow->lenient)
		be_strict(flow);
	if (flow && flow->coming && flow->coming->in_spi == in_spi)
		send_on_coming(flow);
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
	found->strict = (struct loop_timer){.fired = lenient_long_enough, .arg = found};
	HASH_ADD(hh, dp->flows, flow, FLOW_KEY_LEN, found);
	HASH_ADD(by_reqid, dp->flows_by_reqid, reqid, sizeof(found->reqid), found);
	if (flow->part)
		DL_PREPEND(dp->parts, found);
	return found;
}

/* A hold or a shunt stands; where a tunnel was, whose SAs have gone, cleartext may come in again. */
static void leave_tunnel(struct dataplane *dp, const struct dp_line *line, struct flow *flow, enum flow_stance stance)
{
	if (flow->stance >= FLOW_AWAITED)
		host_return_inbound(dp, line, flow);
	loop_timer_stop(dp->loop, &flow->awaited);
	end_lenience(flow);
	flow->stance = stance;
}

int flow_hold(struct dataplane *dp, const struct dp_flow *wanted)
{
	struct line *line = line_find(dp, wanted->line);
	struct flow *flow;
	int error;

	if (!line)
		return -ENOENT;
	flow = want(dp, wanted);
	if (flow_has_tunnel(flow))
		return 0;
	error = put_hold(dp, &line->line, flow);
	if (!error)
		leave_tunnel(dp, &line->line, flow, FLOW_HELD);
	forget_if_idle(dp, flow);
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
	if (flow_has_tunnel(flow))
		return 0;
	entry.key = host_key(&line->line, flow, ENTRY_OUT);
	entry.priority = entry_priority(line->line.slot, ENTRY_HOST);
	error = mirror_put(dp, &entry, &flow->flow);
	if (error) {
		forget_if_idle(dp, flow);
		return error;
	}
	leave_tunnel(dp, &line->line, flow, stance == DP_ALLOW ? FLOW_PASSED : FLOW_BLOCKED);
	waiting_release(dp, wanted);
	larval_clear(dp, &wanted->remote);
	return 0;
}

/* --- establishing ------------------------------------------------------------------------------ */

static struct pair *note_pair(struct flow *flow, const struct sa_pair *pair)
{
	struct pair *noted = mem_new(struct pair);

	*noted = (struct pair){.in_spi = pair->in.spi,
		.out_spi = pair->out.spi,
		.in_dst = pair->in.dst,
		.out_dst = pair->out.dst,
		.next = flow->pairs};
	flow->pairs = noted;
	return noted;
}

/* An answer that was lost is no refusal: what is not somebody else's goes. */
static int put_state(struct dataplane *dp, const struct dp_line *line, const struct flow *flow,
	const struct sa_pair *pair, bool inbound)
{
	const struct ipsec_sa *sa = inbound ? &pair->in : &pair->out;
	int error = netlink_request(
		dp->nl, encode_sa(sa, pair, flow->reqid, entry_tag(line->id, line->closed), inbound));

	if (error && error != -EEXIST)
		state_delete(dp, &sa->dst, sa->spi);
	return error;
}

static int put_states(struct dataplane *dp, const struct dp_line *line, const struct flow *flow,
	const struct sa_pair *pair)
{
	int error = put_state(dp, line, flow, pair, true);

	if (error)
		return error;
	error = put_state(dp, line, flow, pair, false);
	if (error)
		state_delete(dp, &pair->in.dst, pair->in.spi);
	return error;
}

static void delete_pair(struct dataplane *dp, const struct pair *pair)
{
	state_delete(dp, &pair->out_dst, pair->out_spi);
	state_delete(dp, &pair->in_dst, pair->in_spi);
}

static void forget_pair(struct flow *flow, struct pair *pair)
{
	LL_DELETE(flow->pairs, pair);
	if (flow->sending == pair)
		flow->sending = NULL;
	if (flow->coming == pair)
		flow->coming = NULL;
	free(pair);
}

static void drop_newest_pair(struct dataplane *dp, struct flow *flow)
{
	delete_pair(dp, flow->pairs);
	forget_pair(flow, flow->pairs);
}

/* Packets wait, in its own hold or in that of the whole. */
static bool is_held(const struct dataplane *dp, const struct flow *flow)
{
	const struct flow *whole = find_whole(dp, flow);

	return flow->stance == FLOW_AWAITED || (whole && whole->stance == FLOW_HELD);
}

/* A pair beside one that stands, under the same reqid. The kernel has its SAs. */
static int add_beside(struct dataplane *dp, const struct dp_line *line, struct flow *flow,
	const struct sa_pair *pair, struct pair *noted)
{
	if (!pair->peer_sends_first)
		return send_on(dp, line, flow, noted);
	await(dp, flow, noted);
	return 0;
}

/* The first pair, or the first in another mode. */
static int add_first(struct dataplane *dp, const struct dp_line *line, struct flow *flow,
	const struct sa_pair *pair, struct pair *noted)
{
	bool waits = pair->peer_sends_first && is_held(dp, flow);
	int error;

	flow->mode = pair->mode;
	if (flow->stance < FLOW_AWAITED)
		be_lenient(flow, line);
	error = host_put_inbound(dp, line, flow);
	if (error || !waits)
		return error ? error : send_on(dp, line, flow, noted);
	flow->stance = FLOW_AWAITED;
	await(dp, flow, noted);
	return 0;
}

/* What the newest pair has brought goes, and what was before it is as it was. */
static void undo(struct dataplane *dp, const struct dp_line *line, struct flow *flow, enum ipsec_mode mode)
{
	enum ipsec_mode undone = flow->mode;

	drop_newest_pair(dp, flow);
	if (!flow->pairs)
		end_lenience(flow);
	flow->mode = mode;
	if (flow->pairs && undone != mode)
		host_put_inbound(dp, line, flow);
	else if (!flow->pairs && flow->part_count)
		host_remove_parts(dp, line, flow);
	else if (!flow->pairs)
		host_return_inbound(dp, line, flow);
	forget_if_idle(dp, flow);
}

int flow_establish(struct dataplane *dp, const struct dp_flow *wanted, const struct sa_pair *pair)
{
	struct line *line = line_find(dp, wanted->line);
	enum ipsec_mode mode;
	struct pair *noted;
	struct flow *flow;
	int error;

	if (!line)
		return -ENOENT;
	flow = want(dp, wanted);
	if (wanted->part && !flow->part_count)
		flow->part_count = sa_pair_traffic(pair, flow->parts);
	error = put_states(dp, &line->line, flow, pair);
	if (error) {
		forget_if_idle(dp, flow);
		return error;
	}
	mode = flow->mode;
	noted = note_pair(flow, pair);
	if (flow->sending && mode == pair->mode)
		error = add_beside(dp, &line->line, flow, pair, noted);
	else
		error = add_first(dp, &line->line, flow, pair, noted);
	if (error)
		undo(dp, &line->line, flow, mode);
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
	if (!error)
		error = netlink_request(
			dp->nl, encode_sa_move(&pair->out, pair, flow->reqid, tag, false));
	return error;
}

/* The peer has left the one that goes: it is on the other that was to come, or on the youngest that stays. */
static void send_on_another(struct flow *flow, const struct pair *goes)
{
	struct pair *other = flow->pairs != goes ? flow->pairs : goes->next;

	if (flow->coming && flow->coming != goes)
		send_on_coming(flow);
	else if (other && (flow->sending == goes || flow->stance == FLOW_AWAITED)) {
		flow->coming = other;
		send_on_coming(flow);
	}
}

int flow_remove_pair(struct dataplane *dp, const struct dp_flow *wanted, const struct sa_pair *pair)
{
	struct flow *flow = find(dp, wanted);
	struct pair *found = flow ? flow->pairs : NULL;

	while (found && found->in_spi != pair->in.spi)
		found = found->next;
	if (!found)
		return 0;
	send_on_another(flow, found);
	state_delete(dp, &found->out_dst, found->out_spi);
	if (flow->pairs->next)
		departing_add(dp, &found->in_dst, found->in_spi);
	else
		state_delete(dp, &found->in_dst, found->in_spi);
	forget_pair(flow, found);
	if (!flow->coming)
		loop_timer_stop(dp->loop, &flow->awaited);
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

/* What its packets meet next are the policies of the whole, which stand already. */
static void end_part(struct dataplane *dp, const struct line *line, struct flow *flow)
{
	struct addr remote = flow->flow.remote;

	if (line)
		host_remove_parts(dp, &line->line, flow);
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
		host_return_inbound(dp, &line->line, flow);
	delete_pairs(dp, flow);
	larval_clear(dp, &wanted->remote);
	error = line ? return_outbound(dp, line, flow) : 0;
	larval_clear(dp, &wanted->remote);
	forget(dp, flow);
	return error;
}

/* Their numbers are their caller's: they are looked for. */
void flow_end_parts(struct dataplane *dp, uint32_t line)
{
	struct flow *flow, *next;

	DL_FOREACH_SAFE (dp->parts, flow, next) {
		struct dp_flow key = flow->flow;

		if (key.line == line)
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
