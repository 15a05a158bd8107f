/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Words for the log and the timelines (tell.h). */
#include "daemon/tell.h"

#include "daemon/trace.h"
#include "lib/log.h"
#include "lib/mem.h"

#include <stdio.h>

static const char *role_name(enum ike_role role)
{
	return role == IKE_INITIATOR ? "initiator" : "responder";
}

void tell_stage(struct trace *trace, const struct ike_event *event, uint64_t now_us)
{
	char remote[ADDR_TEXT];

	trace_peer(trace, &event->path.remote.addr, now_us, ike_stage_name(event->stage),
		role_name(event->role));
	log_debug("peer %s: %s (%s)", endpoint_format(&event->path.remote, remote),
		ike_stage_name(event->stage), role_name(event->role));
}

char *tell_reason(const struct ike_event *event)
{
	const char *detail = event->detail ? event->detail : "";

	return mem_printf("%s%s%s", ike_reason_name(event->reason), *detail ? ": " : "", detail);
}

const char *tell_traffic(const struct sa_pair *pair, char *out, size_t room)
{
	struct traffic kinds[TRAFFIC_MAX];
	size_t count = sa_pair_traffic(pair, kinds);
	char text[TRAFFIC_TEXT];
	int len = 0;

	for (size_t i = 0; i < count && len >= 0 && (size_t)len < room; i++)
		len += snprintf(out + len, room - (size_t)len, "%s%s", i ? ", " : "",
			traffic_format(&kinds[i], text));
	return out;
}

void tell_up(const struct ike_child *child)
{
	char remote[ADDR_TEXT], selector[SELECTOR_TEXT], all[TRAFFIC_MAX * TRAFFIC_TEXT];

	if (child->pair.more_count)
		log_info("peer %s: a tunnel for several kinds of traffic: %s",
			addr_format(&child->path.remote.addr, remote),
			tell_traffic(&child->pair, all, sizeof(all)));
	log_info("peer %s: tunnel up: %s, %s, auth %s/%s, spi in 0x%08x out 0x%08x",
		addr_format(&child->path.remote.addr, remote),
		selector_format(&child->pair.selector, selector), role_name(child->role),
		ike_auth_name(child->local_auth), ike_auth_name(child->remote_auth),
		child->pair.in.spi, child->pair.out.spi);
}

void tell_flow(struct trace *trace, const struct policy_flow *flow, enum policy_state old,
	const char *reason, uint64_t now_us)
{
	char remote[ADDR_TEXT], text[128];
	bool lasting = flow->state == POLICY_TUNNELLED || old == POLICY_TUNNELLED ||
		       flow->state == POLICY_BLOCKED_UNTIL || flow->state == POLICY_CLEAR_UNTIL;

	log_line(lasting ? LOG_LEVEL_INFO : LOG_LEVEL_DEBUG, "peer %s: %s: %s -> %s%s%s",
		addr_format(&flow->remote, remote), policy_traits(flow->group)->name,
		policy_state_name(old), policy_state_name(flow->state), *reason ? ": " : "", reason);
	snprintf(text, sizeof(text), "%s -> %s%s%s", policy_state_name(old),
		policy_state_name(flow->state), *reason ? ": " : "", reason);
	trace_peer(trace, &flow->remote, now_us, "flow", text);
}
