/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The kernel data plane's public face (dataplane.h). Requests are carried out
 * at once and in order; each `done` is called in the loop's next turn.
 */
#include "xfrm/plane.h"

#include "lib/log.h"
#include "lib/mem.h"
#include "xfrm/encode.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/xfrm.h>
#include <netinet/in.h>
#include <netlink/msg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include <utlist.h>

/* --- trying again ----------------------------------------------------------------------------- */

#define REPAIR_US UINT64_C(1000000)
#define REPAIR_MAX_US (64 * REPAIR_US)

void plane_repair_later(struct dataplane *dp)
{
	dp->refused = true;
	if (loop_timer_active(&dp->repair))
		return;
	loop_timer_start(dp->loop, &dp->repair, dp->repair_us);
	dp->repair_us = dp->repair_us < REPAIR_MAX_US ? dp->repair_us * 2 : REPAIR_MAX_US;
}

void plane_is_whole(struct dataplane *dp)
{
	loop_timer_stop(dp->loop, &dp->repair);
	dp->repair_us = REPAIR_US;
}

/* --- telling what was done ------------------------------------------------------------------- */

static void deliver(struct loop_timer *timer)
{
	struct dataplane *dp = timer->arg;

	while (dp->pending) {
		struct pending *pending = dp->pending;
		dp_done done = pending->done;
		void *arg = pending->arg;
		int error = pending->error;

		DL_DELETE(dp->pending, pending);
		free(pending);
		done(arg, error);
	}
}

void plane_answer(struct dataplane *dp, dp_done done, void *arg, int error)
{
	struct pending *pending;

	if (!done)
		return;
	pending = mem_new(struct pending);
	pending->done = done;
	pending->arg = arg;
	pending->error = error;
	DL_APPEND(dp->pending, pending);
	if (!loop_timer_active(&dp->deliver))
		loop_timer_start(dp->loop, &dp->deliver, 0);
}

/* --- events -------------------------------------------------------------------------------------- */

static void take_acquire(struct dataplane *dp, const struct nlmsghdr *message)
{
	struct decoded_acquire acquire;

	if (!decode_acquire(message, &acquire) || !entry_tag_is_ours(acquire.tag))
		return;
	dp->events.acquire(dp->arg, &(struct dp_acquire){.line = entry_tag_line(acquire.tag),
					    .selector = acquire.selector});
}

bool is_local(const struct dataplane *dp, const struct addr *addr)
{
	for (size_t i = 0; i < dp->local_count; i++) {
		if (addr_equal(&dp->locals[i], addr))
			return true;
	}
	return false;
}

static void take_expire(struct dataplane *dp, const struct nlmsghdr *message)
{
	struct decoded_state state;

	if (!decode_expire(message, &state))
		return;
	if (state.spi == 0) /* larval: noted */
		return;
	if (!state.hard && entry_tag_is_ours(state.tag) && is_local(dp, &state.dst))
		flow_peer_sent(dp, state.reqid, state.spi); /* only this is what an inbound one has a soft limit for */
	else if (entry_tag_is_ours(state.tag))
		dp->events.expire(dp->arg,
			&(struct dp_expire){
				.spi = state.spi, .dst = state.dst, .hard = state.hard});
}

/* Only the port is followed: a peer at another address is another peer (N10). */
static void take_mapping(struct dataplane *dp, const struct nlmsghdr *message)
{
	struct decoded_mapping mapping;

	if (decode_mapping(message, &mapping) && addr_equal(&mapping.old_src, &mapping.new_src))
		dp->events.mapping(dp->arg,
			&(struct dp_mapping){.spi = mapping.spi, .port = mapping.new_port});
}

static void take_policy_expire(struct dataplane *dp, const struct nlmsghdr *message)
{
	struct mirrored *mirrored;
	struct entry entry;
	bool hard;

	if (!decode_policy_expire(message, &entry, &hard) || !hard ||
		!entry_tag_is_ours(entry.key.tag))
		return;
	mirrored = mirror_find(dp, &entry.key);
	/* One that has taken its place meanwhile, without an end or with a later one, has not ended. */
	if (mirrored && mirrored->entry.lifetime_s && !mirror_stands(dp, &entry.key))
		flow_policy_expired(dp, mirrored);
}

/* As soon as it is read: which larval states there are, and who waits. Nothing else may happen here (netlink.h). */
static void note_event(void *arg, const struct nlmsghdr *message)
{
	struct decoded_acquire acquire;
	struct decoded_state state;

	if (message->nlmsg_type == XFRM_MSG_ACQUIRE && decode_acquire(message, &acquire) &&
		entry_tag_is_ours(acquire.tag)) {
		larval_note(arg, &acquire);
		waiting_note(arg, &acquire);
	} else if (message->nlmsg_type == XFRM_MSG_EXPIRE && decode_expire(message, &state)) {
		larval_forget(arg, state.seq); /* SAs have none */
	}
}

static void take_event(void *arg, const struct nlmsghdr *message)
{
	switch (message->nlmsg_type) {
	case XFRM_MSG_ACQUIRE:
		take_acquire(arg, message);
		break;
	case XFRM_MSG_EXPIRE:
		take_expire(arg, message);
		break;
	case XFRM_MSG_MAPPING:
		take_mapping(arg, message);
		break;
	case XFRM_MSG_POLEXPIRE:
		take_policy_expire(arg, message);
		break;
	}
}

/* Acquires that were not heard have left larval states, and their hosts would be deaf. */
static void take_loss(void *arg)
{
	struct dataplane *dp = arg;

	waiting_clear(dp);
	states_sweep(dp, true);
	larval_clear_table(dp);
	dp->events.lost(dp->arg);
}

static void take_change(void *arg, bool deleted)
{
	struct dataplane *dp = arg;

	if (deleted)
		guard_look_later(dp);
	dp->events.foreign(dp->arg);
}

/* --- opening --------------------------------------------------------------------------------------- */

static void write_sysctl(const char *path, const char *value)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);

	if (fd < 0 || write(fd, value, strlen(value)) < 0)
		log_warning("%s cannot be set to %s (%s): first packets will be lost", path, value,
			strerror(errno));
	if (fd >= 0)
		close(fd);
}

struct dataplane *dp_open(struct loop *loop, const struct dp_events *events, void *arg, int *error)
{
	static const struct netlink_events netlink_events = {
		.note = note_event, .event = take_event, .lost = take_loss, .changed = take_change};
	struct dataplane *dp = mem_new(struct dataplane);

	dp->loop = loop;
	dp->events = *events;
	dp->arg = arg;
	dp->deliver = (struct loop_timer){.fired = deliver, .arg = dp};
	dp->repair = (struct loop_timer){.fired = lines_repair, .arg = dp};
	dp->repair_us = REPAIR_US;
	guard_open(dp);
	dp->nl = netlink_open(loop, &netlink_events, dp, error);
	if (!dp->nl) {
		free(dp);
		return NULL;
	}
	/* K9: packets wait for their SA, and a larval state that we miss does not last. */
	write_sysctl("/proc/sys/net/core/xfrm_larval_drop", "0");
	write_sysctl("/proc/sys/net/core/xfrm_acq_expires", "5");
	search_open(dp);
	states_warm_up(dp);
	return dp;
}

void dp_close(struct dataplane *dp)
{
	struct pending *pending, *next_pending;
	struct line *line, *next_line;
	struct flow *flow, *next_flow;

	if (!dp)
		return;
	loop_timer_stop(dp->loop, &dp->deliver);
	departing_clear(dp);
	loop_timer_stop(dp->loop, &dp->repair);
	loop_timer_stop(dp->loop, &dp->guard);
	free(dp->peers);
	waiting_clear(dp);
	DL_FOREACH_SAFE (dp->pending, pending, next_pending)
		free(pending);
	HASH_ITER (hh, dp->flows, flow, next_flow) {
		struct pair *pair;

		while ((pair = flow->pairs)) {
			flow->pairs = pair->next;
			free(pair);
		}
		loop_timer_stop(dp->loop, &flow->awaited);
		loop_timer_stop(dp->loop, &flow->strict);
		HASH_DEL(dp->flows, flow);
		HASH_DELETE(by_reqid, dp->flows_by_reqid, flow);
		free(flow);
	}
	HASH_ITER (hh, dp->lines, line, next_line) {
		HASH_DEL(dp->lines, line);
		free(line);
	}
	mirror_clear(dp);
	larval_clear_table(dp);
	netlink_close(dp->nl);
	free(dp->locals);
	free(dp->broadcasts);
	free(dp->masqueraded);
	free(dp);
}

int dp_bypass_socket(int fd, uint8_t family)
{
	struct xfrm_userpolicy_info info;
	int level = family == ADDR_IPV4 ? IPPROTO_IP : IPPROTO_IPV6;
	int option = family == ADDR_IPV4 ? IP_XFRM_POLICY : IPV6_XFRM_POLICY;

	memset(&info, 0, sizeof(info));
	info.action = XFRM_POLICY_ALLOW;
	info.sel.family = family == ADDR_IPV4 ? AF_INET : AF_INET6;
	for (int dir = XFRM_POLICY_IN; dir <= XFRM_POLICY_OUT; dir++) {
		info.dir = (uint8_t)dir;
		if (setsockopt(fd, level, option, &info, sizeof(info)) != 0)
			return -errno;
	}
	return 0;
}

struct dp_peer *dp_take_peers(struct dataplane *dp, size_t *count)
{
	struct dp_peer *peers = dp->peers;

	*count = dp->peer_count;
	dp->peers = NULL;
	dp->peer_count = 0;
	return peers;
}

/* --- flows ------------------------------------------------------------------------------------------------ */

void dp_hold(struct dataplane *dp, const struct dp_flow *flow, dp_done done, void *arg)
{
	plane_answer(dp, done, arg, flow_hold(dp, flow));
}

void dp_shunt(struct dataplane *dp, const struct dp_flow *flow, enum dp_stance stance,
	uint32_t lifetime_s, dp_done done, void *arg)
{
	plane_answer(dp, done, arg, flow_shunt(dp, flow, stance, lifetime_s));
}

void dp_idle(struct dataplane *dp, const struct dp_flow *flow, dp_done done, void *arg)
{
	plane_answer(dp, done, arg, flow_idle(dp, flow));
}

void dp_establish(struct dataplane *dp, const struct dp_flow *flow, const struct sa_pair *pair,
	dp_done done, void *arg)
{
	plane_answer(dp, done, arg, flow_establish(dp, flow, pair));
}

void dp_move_pair(struct dataplane *dp, const struct dp_flow *flow, const struct sa_pair *pair,
	dp_done done, void *arg)
{
	plane_answer(dp, done, arg, flow_move_pair(dp, flow, pair));
}

void dp_remove_pair(struct dataplane *dp, const struct dp_flow *flow, const struct sa_pair *pair,
	dp_done done, void *arg)
{
	plane_answer(dp, done, arg, flow_remove_pair(dp, flow, pair));
}

int dp_read_counters(struct dataplane *dp, const struct sa_pair *pair, struct dp_counters *out)
{
	int error = state_counters(dp, &pair->in.dst, pair->in.spi, &out->in_packets, &out->in_bytes,
		&out->in_last_used_s);

	if (!error)
		error = state_counters(dp, &pair->out.dst, pair->out.spi, &out->out_packets,
			&out->out_bytes, &out->out_last_used_s);
	return error;
}

/* --- the end ------------------------------------------------------------------------------------------------- */

static bool goes_at_stop(const struct mirrored *mirrored)
{
	return !entry_tag_stays(mirrored->entry.key.tag) || mirrored->of_flow;
}

static bool goes_at_flush(const struct mirrored *mirrored)
{
	(void)mirrored;
	return true;
}

static bool is_ipv4(const struct mirrored *mirrored)
{
	return mirrored->entry.key.src.addr.family == ADDR_IPV4;
}

static void forget_flows(struct dataplane *dp)
{
	struct flow *flow, *next;

	HASH_ITER (hh, dp->flows, flow, next)
		flow_drop(dp, flow);
}

/* A closed line of one host keeps its object: back to a trap, never away (K5). */
static void close_again(struct dataplane *dp)
{
	struct flow *flow, *next;

	HASH_ITER (hh, dp->flows, flow, next) {
		struct dp_flow key = flow->flow;

		flow_idle(dp, &key);
	}
}

/* Exemptions (K3) stay with what they are exempt from. */
static void mark_going(struct dataplane *dp, bool (*goes)(const struct mirrored *mirrored))
{
	struct mirrored *mirrored, *next;
	bool stays4 = false, stays6 = false;

	HASH_ITER (hh, dp->mirror, mirrored, next) {
		mirrored->unwanted = goes(mirrored);
		if (!mirrored->unwanted)
			*(is_ipv4(mirrored) ? &stays4 : &stays6) = true;
	}
	HASH_ITER (hh, dp->mirror, mirrored, next) {
		if (entry_tag_line(mirrored->entry.key.tag) == 0)
			mirrored->unwanted = !(is_ipv4(mirrored) ? stays4 : stays6);
	}
}

static int let_go(struct dataplane *dp, bool (*goes)(const struct mirrored *mirrored), bool pairs)
{
	const struct desired nothing = {0};
	int error = 0, swept;

	waiting_clear(dp);
	close_again(dp);
	if (!dp->adopted)
		error = mirror_adopt(dp);
	mark_going(dp, goes);
	lines_begin_bulk(dp, &nothing);
	swept = lines_sweep_unwanted(dp);
	if (dp->mirror)
		search_end_bulk(dp);
	else
		search_restore(dp);
	forget_flows(dp);
	/* What is open on purpose is not closed by a later attempt. */
	if (goes == goes_at_flush)
		lines_replace(dp, NULL, 0);
	states_sweep(dp, pairs);
	return error ? error : swept;
}

void dp_stop(struct dataplane *dp, dp_done done, void *arg)
{
	plane_answer(dp, done, arg, let_go(dp, goes_at_stop, true));
}

void dp_release(struct dataplane *dp, const struct addr *locals, size_t local_count, dp_done done, void *arg)
{
	locals_replace(dp, locals, local_count);
	plane_answer(dp, done, arg, let_go(dp, goes_at_stop, false));
}

void dp_flush(struct dataplane *dp, dp_done done, void *arg)
{
	plane_answer(dp, done, arg, let_go(dp, goes_at_flush, true));
}
