/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Debug names (debug.h): the daemon, its groups, its peers. */
#include "config.h"

#include "daemon/debug.h"

#include "daemon/daemon.h"
#include "daemon/joins.h"
#include "daemon/trigger.h"
#include "daemon/verify.h"
#include "lib/mem.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LINE_ROOM 256

static void say_version(void *arg, resolver_line line, void *line_arg)
{
	(void)arg;
	line(line_arg, PACKAGE_NAME " " PACKAGE_VERSION);
}

/* --- groups -------------------------------------------------------------------------------------- */

struct group_counts {
	size_t lines, names;
};

static void say_group(const struct policy_conn *conn, const struct group_counts *counts,
	resolver_line line, void *line_arg)
{
	const struct policy_traits *traits = policy_traits(conn->group);
	const char *shunts = "";
	char text[LINE_ROOM];

	if (traits->initiates)
		shunts = conn->failure_pass ? "; passes when that fails" : "; closed when that fails";
	snprintf(text, sizeof(text), "%.60s: %s%s%s: %zu lines, %zu names%s", conn->name, traits->word,
		strcmp(conn->name, traits->name) == 0 ? "" : " as ",
		strcmp(conn->name, traits->name) == 0 ? "" : traits->name, counts->lines, counts->names, shunts);
	line(line_arg, text);
}

static void say_groups(void *arg, resolver_line line, void *line_arg)
{
	struct daemon *daemon = arg;
	const struct policy_config *config = &daemon->conf->policy;
	struct group_counts *counts = mem_zalloc((config->conn_count + 1) * sizeof(*counts));

	for (size_t i = 0; i < config->line_count; i++)
		counts[config->lines[i].conn].lines++;
	for (size_t i = 0; i < config->name_count; i++)
		counts[config->names[i].conn].names++;
	for (size_t i = 0; i < config->conn_count; i++)
		say_group(&config->conns[i], &counts[i], line, line_arg);
	free(counts);
}

/* --- peers --------------------------------------------------------------------------------------- */

struct peer_lines {
	const struct daemon *daemon;
	const struct addr *addr; /* NULL: all */
	resolver_line line;
	void *line_arg;
};

/* "192.0.2.7: private: tunnelled for 12 s" */
static void say_state(const struct peer_lines *out, const struct policy_flow *flow)
{
	uint64_t now_us = loop_now_us(out->daemon->loop);
	char remote[ADDR_TEXT], text[LINE_ROOM];
	int used = snprintf(text, sizeof(text), "%s: %s: %s for %" PRIu64 " s",
		addr_format(&flow->remote, remote), policy_traits(flow->group)->name,
		policy_state_name(flow->state), (now_us - flow->since_us) / 1000000);

	if (flow->until_us != POLICY_NEVER && flow->until_us > now_us)
		used += snprintf(text + used, sizeof(text) - (size_t)used, ", %" PRIu64 " s more",
			(flow->until_us - now_us) / 1000000);
	if (flow->reason[0])
		snprintf(text + used, sizeof(text) - (size_t)used, ": %.140s", flow->reason);
	out->line(out->line_arg, text);
}

/* What there is to know besides: the line, the selector, the tunnel. */
static void say_more(const struct peer_lines *out, const struct policy_flow *flow)
{
	const struct trigger *trigger = out->daemon->trigger;
	const struct policy_line *line = policy_line_get(trigger_policy(trigger), flow->line);
	char text[LINE_ROOM], selector[SELECTOR_TEXT];
	struct ike_child child;

	snprintf(text, sizeof(text), "line %.100s:%u, %s, trigger %s, %u failures",
		line && line->file ? line->file : "?", line ? line->line : 0,
		selector_format(&flow->selector, selector), policy_trigger_name(flow->trigger), flow->failures);
	out->line(out->line_arg, text);
	if (!trigger_child(trigger, flow->id, &child))
		return;
	snprintf(text, sizeof(text), "tunnel: auth %s/%s, %s, spi in 0x%08x out 0x%08x",
		ike_auth_name(child.local_auth), ike_auth_name(child.remote_auth),
		child.role == IKE_INITIATOR ? "initiator" : "responder", child.pair.in.spi, child.pair.out.spi);
	out->line(out->line_arg, text);
}

static void say_text(const struct peer_lines *out, const char *what, const char *text)
{
	char line[LINE_ROOM];

	if (!text)
		return;
	snprintf(line, sizeof(line), "%s %.200s", what, text);
	out->line(out->line_arg, line);
}

static void say_names(const struct peer_lines *out, const struct policy_flow *flow)
{
	struct verify_texts texts;

	verify_describe(trigger_verify(out->daemon->trigger), flow, loop_now_us(out->daemon->loop), &texts);
	say_text(out, "certificate for", texts.hosts);
	say_text(out, "verified:", texts.verified);
	say_text(out, "withheld from", texts.withheld);
	verify_texts_clear(&texts);
}

static void say_flow(void *arg, const struct policy_flow *flow)
{
	const struct peer_lines *out = arg;

	if (out->addr && !addr_equal(out->addr, &flow->remote))
		return;
	say_state(out, flow);
	if (out->addr) {
		say_more(out, flow);
		say_names(out, flow);
	}
}

static void say_peers(void *arg, const struct addr *addr, resolver_line line, void *line_arg)
{
	struct daemon *daemon = arg;
	struct peer_lines out = {.daemon = daemon, .addr = addr, .line = line, .line_arg = line_arg};

	policy_each_flow(trigger_policy(daemon->trigger), say_flow, &out);
}

const struct resolver_debug debug_texts = {
	.version = say_version, .peers = say_peers, .groups = say_groups};
