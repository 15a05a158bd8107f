/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Steps of a query's life in words (resolver.h). */
#include "resolver/message.h"
#include "resolver/resolver.h"

#include <stdio.h>

static const char *type_text(uint16_t type, char *out, size_t room)
{
	switch (type) {
	case MESSAGE_TYPE_A:
		return "A";
	case MESSAGE_TYPE_AAAA:
		return "AAAA";
	case MESSAGE_TYPE_SVCB:
		return "SVCB";
	case MESSAGE_TYPE_HTTPS:
		return "HTTPS";
	}
	snprintf(out, room, "TYPE%u", type);
	return out;
}

static const char *address_text(
	const struct addr *addr, const struct resolver_decision *decision, char *out, size_t room)
{
	static const char *const words[] = {
		[RESOLVER_PASS] = "pass",
		[RESOLVER_TUNNELLED] = "tunnelled",
		[RESOLVER_WAIT] = "waits",
		[RESOLVER_WITHHELD] = "withheld",
		[RESOLVER_BLOCKED] = "blocked",
	};
	char text[ADDR_TEXT];

	snprintf(out, room, "%s: %s%s%s%s%s", addr_format(addr, text), decision->group,
		decision->group[0] ? ": " : "", words[decision->verdict], decision->cause[0] ? ": " : "",
		decision->cause);
	return out;
}

static const char *released_text(const struct resolver_event *event, char *out, size_t room)
{
	if (event->released.bare && event->released.rcode == MESSAGE_NOERROR)
		return "NOERROR, no records";
	if (event->released.bare)
		return event->released.rcode == MESSAGE_SERVFAIL ? "SERVFAIL" : "error";
	if (event->released.count == 0)
		return "no addresses";
	snprintf(out, room, "%zu of %zu addresses", event->released.usable, event->released.count);
	return out;
}

const char *resolver_event_text(const struct resolver_event *event, char *out, size_t room)
{
	switch (event->stage) {
	case RESOLVER_STAGE_QUERY:
		return type_text(event->type, out, room);
	case RESOLVER_STAGE_UPSTREAM:
		snprintf(out, room, "rcode %d%s", event->upstream.rcode,
			event->upstream.secure ? ", secure" : "");
		return out;
	case RESOLVER_STAGE_ADDRESS:
		return address_text(&event->address.addr, &event->address.decision, out, room);
	case RESOLVER_STAGE_RELEASED:
		return released_text(event, out, room);
	}
	return "?";
}
