/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Status and peers as JSON (report.h). */
#include "config.h"

#include "daemon/report.h"

#include "daemon/daemon.h"
#include "daemon/load.h"
#include "daemon/refusals.h"
#include "daemon/starts.h"
#include "daemon/tell.h"
#include "daemon/trigger.h"
#include "daemon/verify.h"
#include "lib/mem.h"
#include "lib/strbuf.h"
#include "resolver/resolver.h"
#include "xfrm/dataplane.h"

#include <stdlib.h>
#include <unistd.h>

/* Of so many tunnels `peers` shows what they have carried. */
#define COUNTERS_MAX 2000

static json_t *endpoints(const struct endpoint *list, size_t count)
{
	json_t *array = json_array();
	char text[ADDR_TEXT];

	for (size_t i = 0; i < count; i++)
		json_array_append_new(array, json_string(endpoint_format(&list[i], text)));
	return array;
}

static json_t *warnings(const struct daemon *daemon)
{
	json_t *array = json_array();
	char **bypasses, **foreign;
	size_t foreign_count = dp_warnings(daemon->dp, &foreign);
	size_t bypass_count = resolver_bypasses(daemon->resolver, &bypasses);

	for (size_t i = 0; i < daemon->warning_count; i++)
		json_array_append_new(array, json_string(daemon->warnings[i]));
	for (size_t i = 0; i < bypass_count; i++)
		json_array_append_new(array, json_string(bypasses[i]));
	load_free_texts(bypasses, bypass_count);
	for (size_t i = 0; i < foreign_count; i++)
		json_array_append_new(array, json_string(foreign[i]));
	if (trigger_flushed(daemon->trigger))
		json_array_append_new(
			array, json_string("flushed: nothing is protected until the next reload"));
	load_free_texts(foreign, foreign_count);
	return array;
}

static json_t *ike_status(const struct daemon *daemon)
{
	struct ike_counters c = ike_counters(trigger_ike(daemon->trigger));

	return json_pack("{s:I,s:I,s:I,s:I,s:I,s:I,s:I,s:I,s:I,s:I,s:I,s:I}", "sas", (json_int_t)c.sas,
		"half_open", (json_int_t)c.half_open, "initiated", (json_int_t)c.initiated,
		"responded", (json_int_t)c.responded, "established", (json_int_t)c.established,
		"failed", (json_int_t)c.failed, "datagrams", (json_int_t)c.datagrams, "malformed",
		(json_int_t)c.malformed, "unknown_spi", (json_int_t)c.unknown_spi, "bad_icv",
		(json_int_t)c.bad_icv, "half_open_limit", (json_int_t)c.half_open_limit,
		"cookies", (json_int_t)c.cookies);
}

static void add_resolver(const struct daemon *daemon, json_t *status)
{
	struct resolver_counters c = resolver_counters(daemon->resolver);
	size_t count;
	const struct endpoint *forwarders = resolver_forwarders(daemon->resolver, &count);

	json_object_set_new(status, "queries", json_integer((json_int_t)c.queries));
	json_object_set_new(status, "answered", json_integer((json_int_t)c.answered));
	json_object_set_new(status, "held", json_integer((json_int_t)c.held));
	json_object_set_new(status, "held_now", json_integer((json_int_t)c.held_now));
	json_object_set_new(status, "servfail", json_integer((json_int_t)c.servfail));
	json_object_set_new(status, "refused", json_integer((json_int_t)c.refused));
	json_object_set_new(status, "malformed", json_integer((json_int_t)c.malformed));
	json_object_set_new(status, "forwarders", endpoints(forwarders, count));
	json_object_set_new(status, "listen",
		endpoints(daemon->conf->resolver.listen, daemon->conf->resolver.listen_count));
}

json_t *report_status(const struct daemon *daemon)
{
	struct policy_counters policy = policy_counters(trigger_policy(daemon->trigger));
	uint64_t uptime_us = loop_now_us(daemon->loop) - daemon->started_us;
	json_t *status = json_pack("{s:s,s:i,s:s,s:I,s:I,s:I,s:I,s:I,s:I,s:b,s:s?}", "version",
		PACKAGE_VERSION, "pid", (int)getpid(), "config", daemon->config_path, "loaded_at",
		(json_int_t)daemon->loaded_at, "uptime_s", (json_int_t)(uptime_us / 1000000), "peers",
		(json_int_t)policy.flows, "negotiations", (json_int_t)policy.negotiating, "tunnels",
		(json_int_t)policy.tunnelled, "lines", (json_int_t)policy.lines, "degraded",
		daemon->degraded != NULL, "degraded_why", daemon->degraded);

	json_object_set_new(status, "warnings", warnings(daemon));
	json_object_set_new(status, "refused_acquires",
		json_integer((json_int_t)starts_refused_acquires(daemon->starts)));
	json_object_set_new(status, "ike", ike_status(daemon));
	add_resolver(daemon, status);
	return status;
}

/* --- peers --------------------------------------------------------------------------------- */

struct peer_list {
	const struct daemon *daemon;
	json_t *array;
};

static json_t *seconds_until(uint64_t at_us, uint64_t now_us)
{
	if (at_us == POLICY_NEVER)
		return json_null();
	return json_real(at_us > now_us ? (double)(at_us - now_us) / 1e6 : 0.);
}

/*
 * How each end has shown who it is: "null", or "psk/null" (ours/theirs) where they differ; "+ppk"
 * where a post-quantum pre-shared key is mixed in.
 */
static json_t *auth_text(enum ike_auth local, enum ike_auth remote, bool has_ppk)
{
	const char *more = has_ppk ? "+ppk" : "";

	if (local == remote)
		return json_sprintf("%s%s", ike_auth_name(local), more);
	return json_sprintf("%s/%s%s", ike_auth_name(local), ike_auth_name(remote), more);
}

/* Since the pair was installed: a rekey begins anew. */
static void add_counters(const struct daemon *daemon, const struct sa_pair *pair, json_t *peer)
{
	struct dp_counters counters = {0};

	/* Each costs two requests to the kernel: a long list goes without. */
	if (policy_counters(trigger_policy(daemon->trigger)).tunnelled > COUNTERS_MAX ||
		dp_read_counters(daemon->dp, pair, &counters) != 0)
		return;
	json_object_set_new(peer, "in_bytes", json_integer((json_int_t)counters.in_bytes));
	json_object_set_new(peer, "in_packets", json_integer((json_int_t)counters.in_packets));
	json_object_set_new(peer, "out_bytes", json_integer((json_int_t)counters.out_bytes));
	json_object_set_new(peer, "out_packets", json_integer((json_int_t)counters.out_packets));
}

static void add_tunnel(void *arg, const struct ike_child *child)
{
	char text[TRAFFIC_MAX * TRAFFIC_TEXT];

	json_array_append_new(arg, json_string(tell_traffic(&child->pair, text, sizeof(text))));
}

/* What the tunnel shows once it stands; before, what the connection asks for. */
static void add_auth(const struct daemon *daemon, const struct policy_flow *flow, json_t *peer)
{
	const struct policy_conn *conn =
		policy_conn_get(trigger_policy(daemon->trigger), flow->conn);
	struct ike_sa_info info;
	struct ike_child child;

	if (trigger_child(daemon->trigger, flow->id, &child)) {
		bool known = ike_sa_info(trigger_ike(daemon->trigger), child.sa, &info);
		json_t *tunnels = json_array();

		json_object_set_new(peer, "auth",
			auth_text(child.local_auth, child.remote_auth, known && info.has_ppk));
		json_object_set_new(peer, "role",
			json_string(child.role == IKE_INITIATOR ? "initiator" : "responder"));
		json_object_set_new(peer, "spi_in", json_sprintf("0x%08x", child.pair.in.spi));
		json_object_set_new(peer, "spi_out", json_sprintf("0x%08x", child.pair.out.spi));
		add_counters(daemon, &child.pair, peer);
		json_object_set_new(peer, "tunnels", tunnels);
		trigger_each_child(daemon->trigger, flow->id, add_tunnel, tunnels);
		json_object_set_new(peer, "ike_sa", json_integer((json_int_t)child.sa));
		if (known)
			json_object_set_new(peer, "proposal", json_string(info.proposal));
	} else if (conn->ike_conn < daemon->conf->ike.conn_count) {
		const struct ike_conn *ike = &daemon->conf->ike.conns[conn->ike_conn];

		json_object_set_new(peer, "auth", auth_text(ike->local_auth, ike->remote_auth, false));
	} else {
		json_object_set_new(peer, "auth", json_string("never"));
	}
}

/* verify-name=: for whom the certificate is, and what that meant for lookups. */
static void add_names(const struct daemon *daemon, const struct policy_flow *flow, json_t *peer)
{
	struct verify_texts texts;

	verify_describe(trigger_verify(daemon->trigger), flow, loop_now_us(daemon->loop), &texts);
	if (texts.hosts)
		json_object_set_new(peer, "certificate_for", json_string(texts.hosts));
	if (texts.verified)
		json_object_set_new(peer, "verified", json_string(texts.verified));
	if (texts.withheld && !flow->reason[0])
		json_object_set_new(peer, "reason", json_sprintf("withheld from %s", texts.withheld));
	verify_texts_clear(&texts);
}

static void add_peer(void *arg, const struct policy_flow *flow)
{
	struct peer_list *list = arg;
	const struct daemon *daemon = list->daemon;
	const struct policy_line *line = policy_line_get(trigger_policy(daemon->trigger), flow->line);
	char local[ADDR_TEXT], remote[ADDR_TEXT], selector[SELECTOR_TEXT];
	uint64_t now_us = loop_now_us(daemon->loop);
	json_t *peer = json_pack("{s:s,s:s,s:s,s:s,s:s,s:s,s:f,s:o,s:i,s:s}", "local",
		addr_format(&flow->local, local), "remote", addr_format(&flow->remote, remote),
		"selector", selector_format(&flow->selector, selector), "group",
		policy_traits(flow->group)->name, "state", policy_state_name(flow->state), "trigger",
		policy_trigger_name(flow->trigger), "since_s",
		(double)(now_us - flow->since_us) / 1e6, "until_s",
		seconds_until(flow->until_us, now_us), "failures", (int)flow->failures, "reason",
		flow->reason);

	if (line && line->file)
		json_object_set_new(peer, "line", json_sprintf("%s:%u", line->file, line->line));
	add_auth(daemon, flow, peer);
	add_names(daemon, flow, peer);
	json_array_append_new(list->array, peer);
}

json_t *report_peers(const struct daemon *daemon)
{
	struct peer_list list = {.daemon = daemon, .array = json_array()};

	policy_each_flow(trigger_policy(daemon->trigger), add_peer, &list);
	refusals_report(trigger_refusals(daemon->trigger), loop_now_us(daemon->loop), list.array);
	return list.array;
}
