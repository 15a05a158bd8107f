/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Making, changing and freeing the whole (policy.h): what still matches stays (C4). */
#include "policy/flow.h"

#include "lib/mem.h"

#include <stdlib.h>
#include <string.h>

#define DEFAULT_SHUNT_LIFETIME_S 900

/* The names of files repeat with every line, nearly always that of the line before: one copy of each. */
static char *own_file(struct policy *policy, const char *file)
{
	if (!file)
		return NULL;
	for (size_t i = policy->file_count; i-- > 0;) {
		if (strcmp(policy->files[i], file) == 0)
			return policy->files[i];
	}
	policy->files =
		mem_resize(policy->files, policy->file_count + 1, sizeof(*policy->files));
	return policy->files[policy->file_count++] = mem_strdup(file);
}

/* Whoever filled it: what must stay closed does (G2). */
static void own_conn(struct policy_conn *conn)
{
	bool may_pass = policy_traits(conn->group)->may_pass;

	conn->name = mem_strdup(conn->name);
	conn->negotiation_pass = conn->negotiation_pass && may_pass;
	conn->failure_pass = conn->failure_pass && may_pass;
	if (!conn->shunt_lifetime_s)
		conn->shunt_lifetime_s = DEFAULT_SHUNT_LIFETIME_S;
}

void policy_load(struct policy *policy, const struct policy_config *config)
{
	struct policy_config copy = *config;

	policy->conns = mem_dup(config->conns, config->conn_count * sizeof(*config->conns));
	policy->conn_count = config->conn_count;
	for (size_t i = 0; i < policy->conn_count; i++)
		own_conn(&policy->conns[i]);
	copy.lines = mem_dup(config->lines, config->line_count * sizeof(*config->lines));
	for (size_t i = 0; i < config->line_count; i++)
		copy.lines[i].file = own_file(policy, config->lines[i].file);
	policy->table = table_new(&copy);
	free(copy.lines);
}

void policy_unload(struct policy *policy)
{
	table_free(policy->table);
	for (size_t i = 0; i < policy->conn_count; i++)
		free(policy->conns[i].name);
	for (size_t i = 0; i < policy->file_count; i++)
		free(policy->files[i]);
	free(policy->conns);
	free(policy->files);
}

struct policy *policy_new(const struct policy_ops *ops, void *arg, const struct policy_config *config)
{
	struct policy *policy = mem_new(struct policy);

	policy->ops = *ops;
	policy->arg = arg;
	policy->timer_us = POLICY_NEVER;
	policy_load(policy, config);
	return policy;
}

void policy_free(struct policy *policy)
{
	struct waiter *waiter, *next_waiter;
	struct flow *flow, *next;

	if (!policy)
		return;
	HASH_ITER (hh, policy->waiters, waiter, next_waiter)
		waiter_free(policy, waiter);
	HASH_ITER (by_id, policy->by_id, flow, next)
		flow_free(policy, flow);
	heap_clear(&policy->due);
	policy_unload(policy);
	free(policy->locals);
	free(policy);
}

void policy_set_locals(struct policy *policy, const struct addr *locals, size_t count)
{
	free(policy->locals);
	policy->locals = mem_dup(locals, count * sizeof(*locals));
	policy->local_count = count;
}

/* --- the difference ------------------------------------------------------------------------- */

static bool same_conn(const struct policy_conn *a, const struct policy_conn *b)
{
	return strcmp(a->name, b->name) == 0 && a->group == b->group &&
	       a->negotiation_pass == b->negotiation_pass && a->failure_pass == b->failure_pass &&
	       (a->ike_conn == SIZE_MAX) == (b->ike_conn == SIZE_MAX);
}

/*
 * The line that a flow would have now: it must mean the same, and be the one that wins. One with
 * another number is another one to the data plane, which then ends what the flow has there.
 */
static const struct policy_line *successor(const struct policy *policy, const struct flow *flow,
	const struct policy_line *old_line, const struct policy_conn *old_conn)
{
	struct table_walk walk = table_walk(policy->table, &flow->info.remote);
	const struct policy_line *line;

	while ((line = table_next(&walk))) {
		if (line->id == old_line->id && policy_line_same(line, old_line) &&
			same_conn(&policy->conns[line->conn], old_conn))
			return line;
		if (line->proto == 0)
			break;
	}
	return NULL;
}

void policy_reconfigure(struct policy *policy, const struct policy_config *config,
	void (*gone)(void *arg, const struct policy_flow *flow), uint64_t now_us)
{
	struct policy old = *policy;
	struct flow *flow, *next;

	policy->now_us = now_us;
	policy->files = NULL;
	policy->file_count = 0;
	policy_load(policy, config);
	HASH_ITER (by_id, policy->by_id, flow, next) {
		const struct policy_line *old_line = table_get(old.table, flow->info.line);
		const struct policy_line *line = successor(
			policy, flow, old_line, &old.conns[flow->info.conn]);

		if (line) {
			flow_set_line(policy, flow, line);
			continue;
		}
		gone(policy->arg, &flow->info);
		flow_free(policy, flow);
	}
	policy_unload(&old);
	waiters_look_all(policy);
	policy_forget_failures(policy, NULL, now_us);
}

/* --- one host ------------------------------------------------------------------------------------ */

/* What a flow was under before its host's lines changed. */
struct before {
	struct flow *flow;
	struct policy_line line;
};

static struct before *note_flows(const struct policy *policy, const struct addr *host, size_t *count)
{
	struct before *list = NULL;

	*count = 0;
	for (struct flow *flow = flow_first_of(policy, host); flow; flow = flow->next) {
		list = mem_resize(list, *count + 1, sizeof(*list));
		list[(*count)++] = (struct before){
			.flow = flow, .line = *table_get(policy->table, flow->info.line)};
	}
	return list;
}

static void replace_host_lines(struct policy *policy, const struct addr *host,
	const struct policy_line *lines, size_t count)
{
	struct table_walk walk = table_walk(policy->table, host);
	const struct policy_line *line;

	while ((line = table_next(&walk)) && prefix_is_host(&line->remote)) {
		table_del(policy->table, line->id);
		walk = table_walk(policy->table, host);
	}
	for (size_t i = 0; i < count; i++) {
		struct policy_line copy = lines[i];

		copy.file = own_file(policy, copy.file);
		table_add(policy->table, &copy);
	}
}

/* Who waits for a flow that is gone is looked at when all have been told from each other. */
static void wake(struct policy *policy, const uint64_t *handles, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		struct waiter *waiter = waiter_find(policy, handles[i]);

		if (waiter)
			waiter_look(policy, waiter);
	}
}

void policy_change_host(struct policy *policy, const struct addr *host, const struct policy_line *lines,
	size_t count, void (*gone)(void *arg, const struct policy_flow *flow), uint64_t now_us)
{
	size_t flow_count, handle_count = 0;
	struct before *before = note_flows(policy, host, &flow_count);
	uint64_t *handles = NULL;

	policy->now_us = now_us;
	replace_host_lines(policy, host, lines, count);
	for (size_t i = 0; i < flow_count; i++) {
		struct flow *flow = before[i].flow;
		const struct policy_line *line =
			successor(policy, flow, &before[i].line, flow_conn(policy, flow));

		handles = mem_resize(handles, handle_count + flow->waiter_count, sizeof(*handles));
		for (size_t j = 0; j < flow->waiter_count; j++)
			handles[handle_count++] = flow->waiters[j];
		if (line) {
			flow_set_line(policy, flow, line);
			continue;
		}
		gone(policy->arg, &flow->info);
		flow_free(policy, flow);
	}
	wake(policy, handles, handle_count);
	free(handles);
	free(before);
	policy_settle(policy);
}
