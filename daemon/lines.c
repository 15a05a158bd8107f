/* SPDX-License-Identifier: GPL-2.0-or-later */
/* From lines to the data plane (lines.h). */
#include "daemon/lines.h"

#include "daemon/addrs.h"
#include "lib/mem.h"

#include <stdlib.h>

#define MAX_BITS 128

/*
 * What else catches the traffic of a line: an allow is installed only against
 * that, for an allow outranks policies of others too.
 */
struct caught {
	unsigned in;  /* lines that drop inbound cleartext: closed ones, and those with a tunnel */
	unsigned out; /* lines that trap or drop, and those with a tunnel */
	unsigned closed; /* lines that are closed while no daemon runs, too */
};

/* A line in the order of prefixes: what encloses comes before what it holds. */
struct nested {
	const struct policy_line *line;
	size_t index;
	struct caught own;
};

/* The prefixes around a line, the innermost last; each has what it and those around it catch. */
struct around {
	struct prefix prefix;
	struct caught caught;
};

static struct caught catches(const struct policy_conn *conn)
{
	const struct policy_traits *traits = policy_traits(conn->group);

	return (struct caught){.in = traits->guards_inbound || traits->accepts,
		.out = traits->traps || traits->drops || traits->accepts,
		.closed = traits->guards_inbound};
}

static int compare(const void *left, const void *right)
{
	const struct nested *a = left, *b = right;
	int order = addr_compare(&a->line->remote.addr, &b->line->remote.addr);

	return order ? order : a->line->remote.len - b->line->remote.len;
}

static struct caught sum(struct caught a, struct caught b)
{
	return (struct caught){
		.in = a.in + b.in, .out = a.out + b.out, .closed = a.closed + b.closed};
}

static struct caught rest(struct caught all, struct caught own)
{
	return (struct caught){
		.in = all.in - own.in, .out = all.out - own.out, .closed = all.closed - own.closed};
}

/* Sorted lines [first, end) have one prefix: each is caught by the others, and by what is around.
 */
static void spread(const struct nested *lines, size_t first, size_t end, struct caught around,
	struct caught *all, struct caught *out)
{
	*all = around;
	for (size_t i = first; i < end; i++)
		*all = sum(*all, lines[i].own);
	for (size_t i = first; i < end; i++)
		out[lines[i].index] = rest(*all, lines[i].own);
}

/* For each line of the configuration, what catches its traffic but itself. The caller frees. */
static struct caught *find_caught(const struct policy_config *config)
{
	struct caught *out = mem_zalloc(config->line_count * sizeof(*out));
	struct nested *lines = mem_zalloc(config->line_count * sizeof(*lines));
	struct around around[MAX_BITS + 1];
	size_t depth = 0, end;

	for (size_t i = 0; i < config->line_count; i++)
		lines[i] = (struct nested){.line = &config->lines[i],
			.index = i,
			.own = catches(&config->conns[config->lines[i].conn])};
	qsort(lines, config->line_count, sizeof(*lines), compare);
	for (size_t i = 0; i < config->line_count; i = end) {
		const struct prefix *prefix = &lines[i].line->remote;

		for (end = i + 1; end < config->line_count; end++) {
			if (!prefix_equal(prefix, &lines[end].line->remote))
				break;
		}
		while (depth && !prefix_contains(&around[depth - 1].prefix, &prefix->addr))
			depth--;
		around[depth].prefix = *prefix;
		spread(lines, i, end, depth ? around[depth - 1].caught : (struct caught){0},
			&around[depth].caught, out);
		depth++;
	}
	free(lines);
	return out;
}

/* What a line installs, from what its group demands (the table of RULES.md G). */
static struct dp_line to_dp_line(
	const struct policy_conn *conn, const struct policy_line *line, struct caught caught)
{
	const struct policy_traits *traits = policy_traits(conn->group);
	struct dp_line out = {.id = line->id,
		.remote = line->remote,
		.proto = line->proto,
		.local_port = line->local_port,
		.remote_port = line->remote_port,
		.slot = policy_line_slot(line),
		.closed = traits->guards_inbound,
		.excepted = !traits->guards_inbound && caught.closed,
		.in = caught.in ? DP_IN_ALLOW : DP_IN_NOTHING,
		.out = caught.out ? DP_ALLOW : DP_NOTHING};

	if (traits->guards_inbound)
		out.in = DP_IN_BLOCK;
	if (traits->drops)
		out.out = DP_BLOCK;
	else if (traits->traps)
		out.out = conn->negotiation_pass ? DP_TRAP_PASS : DP_TRAP;
	return out;
}

/* Whether a line has a place while no daemon runs; nothing that it installs may then wait for one. */
static bool is_for_closed(struct dp_line *line)
{
	if (line->excepted)
		line->out = DP_ALLOW;
	return line->closed || line->excepted;
}

void lines_install(struct dataplane *dp, const struct policy_config *config,
	const struct addrs *addrs, enum lines_which which, dp_done done, void *arg)
{
	size_t own_count, broadcast_count, count = 0;
	const struct addr *own = addrs_own(addrs, &own_count);
	const struct addr *broadcasts = addrs_broadcasts(addrs, &broadcast_count);
	struct dp_line *lines = mem_zalloc(config->line_count * sizeof(*lines));
	struct caught *caught = find_caught(config);

	for (size_t i = 0; i < config->line_count; i++) {
		const struct policy_line *line = &config->lines[i];

		lines[count] = to_dp_line(&config->conns[line->conn], line, caught[i]);
		if (which == LINES_ALL || is_for_closed(&lines[count]))
			count++;
	}
	dp_set_masqueraded(dp, config->masqueraded, config->masqueraded_count);
	dp_set_lines(dp, lines, count, own, own_count, broadcasts, broadcast_count, done, arg);
	free(lines);
	free(caught);
}

/* --- some hosts ----------------------------------------------------------------------------------- */

/* A host whose lines are looked at. */
struct looking {
	struct lines_change *change;
	const struct policy *policy;
	struct caught all; /* by every line that covers the host */
};

static void note_gone(void *arg, const struct policy_line *line)
{
	struct looking *looking = arg;
	struct lines_change *change = looking->change;

	if (!prefix_is_host(&line->remote))
		return;
	change->gone = mem_resize(change->gone, change->gone_count + 1, sizeof(*change->gone));
	change->gone[change->gone_count++] = line->id;
}

void lines_note_old(struct lines_change *change, const struct policy *policy, const struct addr *host)
{
	struct looking looking = {.change = change, .policy = policy};

	policy_each_line(policy, host, note_gone, &looking);
}

static void add_caught(void *arg, const struct policy_line *line)
{
	struct looking *looking = arg;

	looking->all = sum(looking->all, catches(policy_conn_get(looking->policy, line->conn)));
}

static void note_line(void *arg, const struct policy_line *line)
{
	struct looking *looking = arg;
	struct lines_change *change = looking->change;
	const struct policy_conn *conn = policy_conn_get(looking->policy, line->conn);
	struct caught others = rest(looking->all, catches(conn));

	if (!prefix_is_host(&line->remote))
		return;
	change->lines = mem_resize(change->lines, change->line_count + 1, sizeof(*change->lines));
	change->lines[change->line_count++] = to_dp_line(conn, line, others);
}

void lines_note_new(struct lines_change *change, const struct policy *policy, const struct addr *host)
{
	struct looking looking = {.change = change, .policy = policy};

	policy_each_line(policy, host, add_caught, &looking);
	policy_each_line(policy, host, note_line, &looking);
}

void lines_apply(struct dataplane *dp, struct lines_change *change, dp_done done, void *arg)
{
	dp_change_lines(dp, change->gone, change->gone_count, change->lines, change->line_count, done, arg);
	free(change->gone);
	free(change->lines);
	*change = (struct lines_change){0};
}
