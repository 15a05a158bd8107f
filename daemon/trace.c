/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Timelines (trace.h). */
#include "daemon/trace.h"

#include "lib/mem.h"
#include "lib/strbuf.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define TRACE_EVENTS 48
#define TRACE_PEERS 8
#define TRACE_TEXT 120
#define TRACE_NAME 256

/* Of a lookup (`what` is empty) or of a peer. */
struct trace_event {
	uint64_t at_us;
	char what[24];
	union {
		struct resolver_event lookup;
		char text[TRACE_TEXT];
	};
};

struct timeline {
	uint64_t query; /* 0: unused */
	bool open;
	/* What nearly every lookup uses is together; the rest stays out of the caches. */
	uint8_t event_count, peer_count;
	char name[TRACE_NAME];
	struct trace_event events[TRACE_EVENTS];
	struct addr peers[TRACE_PEERS];
};

/* Owned by the daemon. `next` is the slot that the next lookup takes. */
struct trace {
	struct timeline *ring;
	size_t count;
	size_t next;
	size_t open; /* timelines that peers may add to */
};

struct trace *trace_new(size_t count)
{
	struct trace *trace = mem_new(struct trace);

	trace->ring = mem_zalloc(count * sizeof(*trace->ring));
	trace->count = count;
	return trace;
}

void trace_free(struct trace *trace)
{
	if (!trace)
		return;
	free(trace->ring);
	free(trace);
}

/* Newest first: the timeline that is asked for is nearly always the last one begun. */
static struct timeline *find_query(struct trace *trace, uint64_t query)
{
	for (size_t i = 1; i <= trace->count; i++) {
		struct timeline *line = &trace->ring[(trace->next + trace->count - i) % trace->count];

		if (line->query == query)
			return line;
		if (line->query == 0)
			return NULL;
	}
	return NULL;
}

static void close_line(struct trace *trace, struct timeline *line)
{
	if (line->open)
		trace->open--;
	line->open = false;
}

static struct timeline *begin(struct trace *trace, uint64_t query, const char *qname)
{
	struct timeline *line = &trace->ring[trace->next];

	trace->next = (trace->next + 1) % trace->count;
	close_line(trace, line);
	line->query = query;
	line->open = true;
	line->peer_count = 0;
	line->event_count = 0;
	text_copy(line->name, sizeof(line->name), qname);
	trace->open++;
	return line;
}

/* Where the next event of a timeline goes; NULL when it is full. */
static struct trace_event *add(struct timeline *line, uint64_t now_us)
{
	struct trace_event *event;

	if (line->event_count == TRACE_EVENTS)
		return NULL;
	event = &line->events[line->event_count++];
	event->at_us = now_us;
	event->what[0] = '\0';
	return event;
}

void trace_query(struct trace *trace, uint64_t query, const char *qname, uint64_t now_us,
	const struct resolver_event *event)
{
	struct timeline *line = event->stage == RESOLVER_STAGE_QUERY ? begin(trace, query, qname)
								     : find_query(trace, query);
	struct trace_event *added = line ? add(line, now_us) : NULL;

	if (added)
		added->lookup = *event;
	if (line && event->stage == RESOLVER_STAGE_RELEASED)
		close_line(trace, line);
}

void trace_waits_for(struct trace *trace, uint64_t query, const struct addr *remote)
{
	struct timeline *line = find_query(trace, query);

	if (line && line->peer_count < TRACE_PEERS)
		line->peers[line->peer_count++] = *remote;
}

static bool awaits(const struct timeline *line, const struct addr *remote)
{
	for (size_t i = 0; line->open && i < line->peer_count; i++) {
		if (addr_equal(&line->peers[i], remote))
			return true;
	}
	return false;
}

void trace_peer(struct trace *trace, const struct addr *remote, uint64_t now_us, const char *what,
	const char *text)
{
	for (size_t i = 0; trace->open > 0 && i < trace->count; i++) {
		struct trace_event *added =
			awaits(&trace->ring[i], remote) ? add(&trace->ring[i], now_us) : NULL;

		if (!added)
			continue;
		text_copy(added->what, sizeof(added->what), what);
		text_copy(added->text, sizeof(added->text), text);
	}
}

static json_t *event_json(const struct trace_event *event, uint64_t begin_us)
{
	static const char *const stages[] = {
		[RESOLVER_STAGE_QUERY] = "query",
		[RESOLVER_STAGE_UPSTREAM] = "upstream",
		[RESOLVER_STAGE_ADDRESS] = "address",
		[RESOLVER_STAGE_RELEASED] = "released",
	};
	bool of_peer = event->what[0] != '\0';
	char text[256];

	return json_pack("{s:f,s:s,s:s}", "ms", (double)(event->at_us - begin_us) / 1000., "what",
		of_peer ? event->what : stages[event->lookup.stage], "text",
		of_peer ? event->text : resolver_event_text(&event->lookup, text, sizeof(text)));
}

static json_t *timeline_json(const struct timeline *line)
{
	json_t *events = json_array();
	uint64_t begin_us = line->events[0].at_us;
	uint64_t end_us = line->events[line->event_count - 1].at_us;

	for (size_t i = 0; i < line->event_count; i++)
		json_array_append_new(events, event_json(&line->events[i], begin_us));
	return json_pack("{s:s,s:I,s:b,s:f,s:o}", "name", line->name, "query_id",
		(json_int_t)line->query, "complete", !line->open, "duration_ms",
		(double)(end_us - begin_us) / 1000., "events", events);
}

json_t *trace_find(const struct trace *trace, const char *qname)
{
	for (size_t i = 1; i <= trace->count; i++) {
		const struct timeline *line =
			&trace->ring[(trace->next + trace->count - i) % trace->count];

		if (line->query && line->event_count && strcasecmp(line->name, qname) == 0)
			return timeline_json(line);
	}
	return NULL;
}
