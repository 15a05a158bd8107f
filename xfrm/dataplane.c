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

static void answer(struct dataplane *dp, dp_done done, void *arg, int error)
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
	/* One that was replaced meanwhile by another without an end is not the one that ended. */
	if (mirrored && mirrored->entry.lifetime_s)
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
	} else if (message->nlmsg_type == XFRM_MSG_EXPIRE && decode_expire(message, &state) &&
		   state.spi == 0) {
		larval_forget(arg, state.seq);
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
	states_sweep(dp);
	larval_clear_table(dp);
	dp->events.lost(dp->arg);
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
		.note = note_event, .event = take_event, .lost = take_loss};
	struct dataplane *dp = mem_new(struct dataplane);

	dp->loop = loop;
	dp->events = *events;
	dp->arg = arg;
	dp->deliver = (struct loop_timer){.fired = deliver, .arg = dp};
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
	free(dp->foreign);
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

/* --- lines -------------------------------------------------------------------------------------------- */

static size_t family_index(const struct dp_line *line)
{
	return line->remote.addr.family == ADDR_IPV4 ? 0 : 1;
}

static void put_line(struct dataplane *dp, const struct dp_line *wanted)
{
	struct line *line = line_find(dp, wanted->id);

	if (line) {
		dp->line_counts[family_index(&line->line)]--;
	} else {
		line = mem_new(struct line);
		line->line.id = wanted->id;
		HASH_ADD(hh, dp->lines, line.id, sizeof(line->line.id), line);
	}
	line->line = *wanted;
	line->gone = false;
	dp->line_counts[family_index(wanted)]++;
}

static void drop_line(struct dataplane *dp, struct line *line)
{
	dp->line_counts[family_index(&line->line)]--;
	HASH_DEL(dp->lines, line);
	free(line);
}

static void replace_lines(struct dataplane *dp, const struct dp_line *lines, size_t count)
{
	struct line *line, *next;

	HASH_ITER (hh, dp->lines, line, next)
		line->gone = true;
	for (size_t i = 0; i < count; i++)
		put_line(dp, &lines[i]);
	HASH_ITER (hh, dp->lines, line, next) {
		if (line->gone)
			drop_line(dp, line);
	}
}

/* Flows without their line or their address; what they had in the kernel is swept with the rest. */
static void drop_orphans(struct dataplane *dp)
{
	struct flow *flow, *next;

	waiting_drop_orphans(dp);
	HASH_ITER (hh, dp->flows, flow, next) {
		if (!line_find(dp, flow->flow.line) || !is_local(dp, &flow->flow.local))
			flow_drop(dp, flow);
	}
}

/* A policy of a host stays while its flow does. */
static bool flow_keeps(const struct dataplane *dp, const struct mirrored *mirrored)
{
	bool out = mirrored->entry.key.dir == ENTRY_OUT;
	const struct entry_key *entry = &mirrored->entry.key;
	struct dp_flow key = {.line = entry_tag_line(entry->tag),
		.part = mirrored->part,
		.local = out ? entry->src.addr : entry->dst.addr,
		.remote = out ? entry->dst.addr : entry->src.addr};
	struct flow *flow;

	if (!mirrored->of_flow)
		return false;
	HASH_FIND(hh, dp->flows, &key, FLOW_KEY_LEN, flow);
	return flow != NULL;
}

/*
 * An entry stands when a flow's policy has its place (a trap of one host is the
 * object that its flow changes), or the kernel has it already as it is.
 */
static bool stands(const struct dataplane *dp, const struct mirrored *mirrored, const struct entry *entry)
{
	return flow_keeps(dp, mirrored) ||
	       (!mirrored->stale && entry_same(&mirrored->entry, entry));
}

static int install(struct dataplane *dp, const struct entry *entry)
{
	struct mirrored *mirrored = mirror_find(dp, &entry->key);

	if (!mirrored || !stands(dp, mirrored, entry))
		return mirror_put(dp, entry, NULL);
	/* One that an earlier run's flow had may be a host's trap now. */
	mirrored->of_flow = flow_keeps(dp, mirrored);
	return 0;
}

static int install_all(struct dataplane *dp, const struct desired *desired)
{
	int first = 0;

	for (size_t i = 0; i < desired->count; i++) {
		int error = install(dp, &desired->entries[i]);

		if (error && !first)
			first = error;
	}
	return first;
}

/* Marks in the mirror what the new set does not hold. */
static void mark_unwanted(struct dataplane *dp, const struct desired *desired)
{
	struct mirrored *mirrored, *next;

	HASH_ITER (hh, dp->mirror, mirrored, next)
		mirrored->unwanted = !flow_keeps(dp, mirrored);
	for (size_t i = 0; i < desired->count; i++) {
		mirrored = mirror_find(dp, &desired->entries[i].key);
		if (mirrored)
			mirrored->unwanted = false;
	}
}

/* What is about to be deleted, and what to be replaced: both are slow where there are many. */
static void begin_bulk(struct dataplane *dp, const struct desired *desired)
{
	struct search_bulk bulk = {0};
	struct mirrored *mirrored, *next;

	HASH_ITER (hh, dp->mirror, mirrored, next) {
		if (mirrored->unwanted)
			search_count(&bulk, &mirrored->entry.key);
	}
	for (size_t i = 0; i < desired->count; i++) {
		mirrored = mirror_find(dp, &desired->entries[i].key);
		if (mirrored && !stands(dp, mirrored, &desired->entries[i]))
			search_count(&bulk, &mirrored->entry.key);
	}
	search_begin_bulk(dp, &bulk);
}

static void sweep_one(struct dataplane *dp, const struct mirrored *mirrored, bool *heal4, bool *heal6)
{
	struct entry_key key = mirrored->entry.key;

	mirror_del(dp, &key, key.src.addr.family == ADDR_IPV4 ? heal4 : heal6);
}

static void heal(struct dataplane *dp, bool heal4, bool heal6)
{
	if (heal4)
		mirror_heal(dp, ADDR_IPV4);
	if (heal6)
		mirror_heal(dp, ADDR_IPV6);
}

static void sweep_unwanted(struct dataplane *dp)
{
	bool heal4 = false, heal6 = false;
	struct mirrored *mirrored, *next;

	HASH_ITER (hh, dp->mirror, mirrored, next) {
		if (mirrored->unwanted)
			sweep_one(dp, mirrored, &heal4, &heal6);
	}
	heal(dp, heal4, heal6);
}

static void replace_addrs(
	struct addr **list, size_t *list_count, const struct addr *addrs, size_t count)
{
	free(*list);
	*list = mem_dup(addrs, count * sizeof(*addrs));
	*list_count = count;
}

void dp_set_masqueraded(struct dataplane *dp, const struct prefix *sources, size_t count)
{
	free(dp->masqueraded);
	dp->masqueraded = mem_dup(sources, count * sizeof(*sources));
	dp->masqueraded_count = count;
}

/* All that `lines` want, and nothing else of ours but what flows have. 0 or -errno. */
static int set_all(struct dataplane *dp, const struct dp_line *lines, size_t count)
{
	struct desired desired;
	int error = dp->adopted ? 0 : mirror_adopt(dp);

	replace_lines(dp, lines, count);
	search_choose(dp, lines, count);
	spread_choose(dp, lines, count);
	drop_orphans(dp);
	desired_of(dp, lines, count, &desired);
	mark_unwanted(dp, &desired);
	begin_bulk(dp, &desired);
	if (!error)
		error = install_all(dp, &desired);
	/* What an earlier run has left in the way is removed only now: never a gap (K2, K5). */
	if (!error)
		sweep_unwanted(dp);
	search_end_bulk(dp);
	if (!dp->adopted)
		states_sweep(dp);
	dp->adopted = dp->adopted || !error;
	dp->incomplete = error != 0;
	desired_clear(&desired);
	return error;
}

void dp_set_lines(struct dataplane *dp, const struct dp_line *lines, size_t line_count,
	const struct addr *locals, size_t local_count, const struct addr *broadcasts,
	size_t broadcast_count, dp_done done, void *arg)
{
	replace_addrs(&dp->locals, &dp->local_count, locals, local_count);
	replace_addrs(&dp->broadcasts, &dp->broadcast_count, broadcasts, broadcast_count);
	answer(dp, done, arg, set_all(dp, lines, line_count));
}

/* --- lines of hosts ------------------------------------------------------------------------------------ */

/* The policies that a host's line may have in the kernel, with those of a tunnel of that host. */
static void add_old(const struct dataplane *dp, struct desired *old, const struct dp_line *line)
{
	desired_add_line(dp, old, line);
	for (size_t i = 0; i < dp->local_count; i++) {
		struct prefix local = prefix_of_host(&dp->locals[i]);

		if (dp->locals[i].family != line->remote.addr.family)
			continue;
		for (int dir = ENTRY_IN; dir <= ENTRY_FWD; dir++)
			desired_add(old, &(struct entry){.key = desired_key(line, (enum entry_dir)dir, &local)});
	}
}

static void drop_flows(struct dataplane *dp, const struct dp_line *line)
{
	flow_end_parts(dp, line->id);
	for (size_t i = 0; i < dp->local_count; i++) {
		struct dp_flow key = {.line = line->id, .local = dp->locals[i], .remote = line->remote.addr};
		struct flow *flow;

		HASH_FIND(hh, dp->flows, &key, FLOW_KEY_LEN, flow);
		if (flow)
			flow_drop(dp, flow);
	}
}

/* Takes over the new lines, drops those that are gone, and fills in what was theirs before. */
static void change_lines(struct dataplane *dp, const uint32_t *gone, size_t gone_count,
	const struct dp_line *lines, size_t line_count, struct desired *old)
{
	for (size_t i = 0; i < gone_count; i++) {
		struct line *line = line_find(dp, gone[i]);

		if (line && !line->gone)
			add_old(dp, old, &line->line);
		if (line)
			line->gone = true;
	}
	for (size_t i = 0; i < line_count; i++)
		put_line(dp, &lines[i]);
	for (size_t i = 0; i < gone_count; i++) {
		struct line *line = line_find(dp, gone[i]);

		if (!line || !line->gone)
			continue;
		drop_flows(dp, &line->line);
		drop_line(dp, line);
	}
}

/* As mark_unwanted(), among `old` only. */
static void mark_old(struct dataplane *dp, const struct desired *old, const struct desired *desired)
{
	struct mirrored *mirrored;

	for (size_t i = 0; i < old->count; i++) {
		mirrored = mirror_find(dp, &old->entries[i].key);
		if (mirrored)
			mirrored->unwanted = !flow_keeps(dp, mirrored);
	}
	for (size_t i = 0; i < desired->count; i++) {
		mirrored = mirror_find(dp, &desired->entries[i].key);
		if (mirrored)
			mirrored->unwanted = false;
	}
}

static void sweep_old(struct dataplane *dp, const struct desired *old)
{
	bool heal4 = false, heal6 = false;

	for (size_t i = 0; i < old->count; i++) {
		struct mirrored *mirrored = mirror_find(dp, &old->entries[i].key);

		if (mirrored && mirrored->unwanted)
			sweep_one(dp, mirrored, &heal4, &heal6);
	}
	heal(dp, heal4, heal6);
}

static int set_all_again(struct dataplane *dp)
{
	struct dp_line *lines = mem_zalloc(HASH_COUNT(dp->lines) * sizeof(*lines));
	struct line *line, *next;
	size_t count = 0;
	int error;

	HASH_ITER (hh, dp->lines, line, next)
		lines[count++] = line->line;
	error = set_all(dp, lines, count);
	free(lines);
	return error;
}

/* Whether a family has lines, and so exemptions (K3), now and not before, or before and not now. */
static bool families_differ(const size_t before[2], const size_t after[2])
{
	return !before[0] != !after[0] || !before[1] != !after[1];
}

void dp_change_lines(struct dataplane *dp, const uint32_t *gone, size_t gone_count,
	const struct dp_line *lines, size_t line_count, dp_done done, void *arg)
{
	struct desired old = {0}, desired = {0};
	size_t before[2] = {dp->line_counts[0], dp->line_counts[1]};
	int error;

	change_lines(dp, gone, gone_count, lines, line_count, &old);
	for (size_t i = 0; i < line_count; i++)
		desired_add_line(dp, &desired, &lines[i]);
	if (!dp->adopted || dp->incomplete || families_differ(before, dp->line_counts)) {
		error = set_all_again(dp);
	} else {
		mark_old(dp, &old, &desired);
		error = install_all(dp, &desired);
		if (!error)
			sweep_old(dp, &old);
		dp->incomplete = error != 0;
	}
	desired_clear(&old);
	desired_clear(&desired);
	answer(dp, done, arg, error);
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
	answer(dp, done, arg, flow_hold(dp, flow));
}

void dp_shunt(struct dataplane *dp, const struct dp_flow *flow, enum dp_stance stance,
	uint32_t lifetime_s, dp_done done, void *arg)
{
	answer(dp, done, arg, flow_shunt(dp, flow, stance, lifetime_s));
}

void dp_idle(struct dataplane *dp, const struct dp_flow *flow, dp_done done, void *arg)
{
	answer(dp, done, arg, flow_idle(dp, flow));
}

void dp_establish(struct dataplane *dp, const struct dp_flow *flow, const struct sa_pair *pair,
	dp_done done, void *arg)
{
	answer(dp, done, arg, flow_establish(dp, flow, pair));
}

void dp_move_pair(struct dataplane *dp, const struct dp_flow *flow, const struct sa_pair *pair,
	dp_done done, void *arg)
{
	answer(dp, done, arg, flow_move_pair(dp, flow, pair));
}

void dp_remove_pair(struct dataplane *dp, const struct dp_flow *flow, const struct sa_pair *pair,
	dp_done done, void *arg)
{
	answer(dp, done, arg, flow_remove_pair(dp, flow, pair));
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
	return !entry_tag_is_closed(mirrored->entry.key.tag) || mirrored->of_flow;
}

static bool goes_at_flush(const struct mirrored *mirrored)
{
	(void)mirrored;
	return true;
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

static int let_go(struct dataplane *dp, bool (*goes)(const struct mirrored *mirrored))
{
	const struct desired nothing = {0};
	struct mirrored *mirrored, *next;
	int error = 0;

	waiting_clear(dp);
	close_again(dp);
	if (!dp->adopted)
		error = mirror_adopt(dp);
	HASH_ITER (hh, dp->mirror, mirrored, next)
		mirrored->unwanted = goes(mirrored);
	begin_bulk(dp, &nothing);
	sweep_unwanted(dp);
	if (dp->mirror) {
		search_end_bulk(dp);
	} else {
		search_restore(dp);
		replace_lines(dp, NULL, 0);
	}
	forget_flows(dp);
	states_sweep(dp);
	return error;
}

void dp_stop(struct dataplane *dp, dp_done done, void *arg)
{
	answer(dp, done, arg, let_go(dp, goes_at_stop));
}

void dp_flush(struct dataplane *dp, dp_done done, void *arg)
{
	answer(dp, done, arg, let_go(dp, goes_at_flush));
}
