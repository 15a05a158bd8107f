/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What lines have in the kernel (dataplane.h): all of them at once, with what an
 * earlier run has left, or those of single hosts, without looking at the others.
 */
#include "xfrm/plane.h"

#include "lib/log.h"
#include "lib/mem.h"

#include <stdlib.h>
#include <string.h>

/* --- all of them ---------------------------------------------------------------------------------------- */

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

void lines_replace(struct dataplane *dp, const struct dp_line *lines, size_t count)
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
void lines_begin_bulk(struct dataplane *dp, const struct desired *desired)
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

static int sweep_one(struct dataplane *dp, const struct mirrored *mirrored, bool *heal4, bool *heal6)
{
	struct entry_key key = mirrored->entry.key;

	return mirror_del(dp, &key, key.src.addr.family == ADDR_IPV4 ? heal4 : heal6);
}

static void heal(struct dataplane *dp, bool heal4, bool heal6)
{
	if (heal4)
		mirror_heal(dp, ADDR_IPV4);
	if (heal6)
		mirror_heal(dp, ADDR_IPV6);
}

int lines_sweep_unwanted(struct dataplane *dp)
{
	bool heal4 = false, heal6 = false;
	struct mirrored *mirrored, *next;
	int first = 0;

	HASH_ITER (hh, dp->mirror, mirrored, next) {
		int error = mirrored->unwanted ? sweep_one(dp, mirrored, &heal4, &heal6) : 0;

		first = first ? first : error;
	}
	heal(dp, heal4, heal6);
	return first;
}

/* Where the kernel has not taken all: what closes stays, what only opens has no place any more. */
static void keep_what_closes(struct dataplane *dp)
{
	struct mirrored *mirrored, *next;

	HASH_ITER (hh, dp->mirror, mirrored, next)
		mirrored->unwanted = mirrored->unwanted && mirrored->entry.action == ENTRY_ALLOW;
}

static void replace_addrs(
	struct addr **list, size_t *list_count, const struct addr *addrs, size_t count)
{
	free(*list);
	*list = mem_dup(addrs, count * sizeof(*addrs));
	*list_count = count;
}

void locals_replace(struct dataplane *dp, const struct addr *locals, size_t count)
{
	replace_addrs(&dp->locals, &dp->local_count, locals, count);
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
	int adopted = dp->adopted ? 0 : mirror_adopt(dp), error, swept;

	lines_replace(dp, lines, count);
	search_choose(dp, lines, count);
	spread_choose(dp, lines, count);
	drop_orphans(dp);
	desired_of(dp, lines, count, &desired);
	mark_unwanted(dp, &desired);
	lines_begin_bulk(dp, &desired);
	error = install_all(dp, &desired);
	/* What an earlier run has left in the way is removed only now: never a gap (K2, K5). */
	if (error)
		keep_what_closes(dp);
	swept = lines_sweep_unwanted(dp);
	search_end_bulk(dp);
	if (!dp->adopted)
		states_sweep(dp, true);
	dp->adopted = dp->adopted || !adopted;
	desired_clear(&desired);
	return adopted ? adopted : error ? error : swept;
}

/* With what was refused before, be it that an SA goes. */
static int set_whole(struct dataplane *dp, const struct dp_line *lines, size_t count)
{
	bool was_refused = dp->refused;
	int error;

	dp->refused = false;
	error = set_all(dp, lines, count);
	if (was_refused) {
		states_sweep(dp, true);
		mirror_heal_due(dp);
	}
	if (error)
		plane_repair_later(dp);
	if (!dp->refused)
		plane_is_whole(dp);
	return error;
}

void dp_set_lines(struct dataplane *dp, const struct dp_line *lines, size_t line_count,
	const struct addr *locals, size_t local_count, const struct addr *broadcasts,
	size_t broadcast_count, dp_done done, void *arg)
{
	locals_replace(dp, locals, local_count);
	replace_addrs(&dp->broadcasts, &dp->broadcast_count, broadcasts, broadcast_count);
	plane_answer(dp, done, arg, set_whole(dp, lines, line_count));
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
	error = set_whole(dp, lines, count);
	free(lines);
	return error;
}

void lines_repair(struct loop_timer *timer)
{
	int error = set_all_again(timer->arg);

	if (error)
		log_warning("the kernel still refuses policies: %s", strerror(-error));
	else
		log_info("the kernel has all policies now");
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
	if (!dp->adopted || dp->refused || families_differ(before, dp->line_counts)) {
		error = set_all_again(dp);
	} else {
		mark_old(dp, &old, &desired);
		error = install_all(dp, &desired);
		if (!error)
			sweep_old(dp, &old);
	}
	desired_clear(&old);
	desired_clear(&desired);
	plane_answer(dp, done, arg, error);
}
