/* SPDX-License-Identifier: GPL-2.0-or-later */
/* From lines to the data plane (lines.h). */
#include "daemon/lines.h"

#include "daemon/addrs.h"
#include "lib/mem.h"

#include <stdlib.h>

/*
 * What is needed against wider lines: an allow is installed only where some
 * line could otherwise catch the traffic, for an allow outranks policies of
 * others too.
 */
struct needs {
	bool allow_in;	/* a closed line exists */
	bool allow_out; /* a line that traps or drops exists */
};

static struct needs find_needs(const struct policy_config *config)
{
	struct needs needs = {0};

	for (size_t i = 0; i < config->line_count; i++) {
		const struct policy_traits *traits =
			policy_traits(config->conns[config->lines[i].conn].group);

		needs.allow_in |= traits->guards_inbound;
		needs.allow_out |= traits->traps || traits->drops;
	}
	return needs;
}

/* What a line installs, from what its group demands (the table of RULES.md G). */
static struct dp_line to_dp_line(
	const struct policy_config *config, const struct policy_line *line, struct needs needs)
{
	const struct policy_conn *conn = &config->conns[line->conn];
	const struct policy_traits *traits = policy_traits(conn->group);
	struct dp_line out = {.id = line->id,
		.remote = line->remote,
		.proto = line->proto,
		.local_port = line->local_port,
		.remote_port = line->remote_port,
		.slot = policy_line_slot(line),
		.closed = traits->guards_inbound,
		.in = needs.allow_in ? DP_IN_ALLOW : DP_IN_NOTHING,
		.out = needs.allow_out ? DP_ALLOW : DP_NOTHING};

	if (traits->guards_inbound)
		out.in = DP_IN_BLOCK;
	if (traits->drops)
		out.out = DP_BLOCK;
	else if (traits->traps)
		out.out = conn->negotiation_pass ? DP_TRAP_PASS : DP_TRAP;
	return out;
}

void lines_install(struct dataplane *dp, const struct policy_config *config,
	const struct addrs *addrs, enum lines_which which, dp_done done, void *arg)
{
	size_t own_count, broadcast_count, count = 0;
	const struct addr *own = addrs_own(addrs, &own_count);
	const struct addr *broadcasts = addrs_broadcasts(addrs, &broadcast_count);
	struct dp_line *lines = mem_zalloc(config->line_count * sizeof(*lines));
	struct needs needs = find_needs(config);

	for (size_t i = 0; i < config->line_count; i++) {
		lines[count] = to_dp_line(config, &config->lines[i], needs);
		if (which == LINES_ALL || lines[count].closed)
			count++;
	}
	dp_set_lines(dp, lines, count, own, own_count, broadcasts, broadcast_count, done, arg);
	free(lines);
}
