/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Results as text (show.h). A field that is not there is shown as "-". */
#include "oectl/show.h"

#include <stdio.h>
#include <string.h>

static const char *text(const json_t *object, const char *key)
{
	const char *value = json_string_value(json_object_get(object, key));

	return value && *value ? value : "-";
}

static long long number(const json_t *object, const char *key)
{
	return json_integer_value(json_object_get(object, key));
}

static double real(const json_t *object, const char *key)
{
	return json_number_value(json_object_get(object, key));
}

static void line(struct strbuf *out, const char *label, const char *value)
{
	strbuf_printf(out, "%-14s %s\n", label, value);
}

static void join(const json_t *array, char *out, size_t room)
{
	const json_t *item;
	size_t index, len = 0;

	out[0] = '\0';
	json_array_foreach (array, index, item) {
		int added = snprintf(out + len, room - len, "%s%s", index ? ", " : "",
			json_string_value(item) ? json_string_value(item) : "?");

		if (added < 0 || (size_t)added >= room - len)
			return;
		len += (size_t)added;
	}
	if (len == 0)
		snprintf(out, room, "none");
}

static void uptime(struct strbuf *out, long long seconds)
{
	strbuf_printf(out, "%-14s %lldd %02lld:%02lld:%02lld\n", "uptime", seconds / 86400,
		seconds / 3600 % 24, seconds / 60 % 60, seconds % 60);
}

void show_status(const json_t *result, struct strbuf *out)
{
	const json_t *ike = json_object_get(result, "ike");
	const json_t *warnings = json_object_get(result, "warnings"), *warning;
	char list[1024];
	size_t index;

	strbuf_printf(out, "oe-resolverd %s, pid %lld\n", text(result, "version"),
		number(result, "pid"));
	uptime(out, number(result, "uptime_s"));
	line(out, "configuration", text(result, "config"));
	join(json_object_get(result, "listen"), list, sizeof(list));
	line(out, "listens on", list);
	join(json_object_get(result, "forwarders"), list, sizeof(list));
	line(out, "forwards to", list);
	strbuf_printf(out, "%-14s %lld lines, %lld peers, %lld tunnels, %lld negotiations\n",
		"policy", number(result, "lines"), number(result, "peers"),
		number(result, "tunnels"), number(result, "negotiations"));
	strbuf_printf(out, "%-14s %lld, %lld held (%lld now), %lld SERVFAIL, %lld refused\n",
		"queries", number(result, "queries"), number(result, "held"),
		number(result, "held_now"), number(result, "servfail"), number(result, "refused"));
	strbuf_printf(out, "%-14s %lld SAs, %lld half-open, %lld established, %lld failed\n", "IKE",
		number(ike, "sas"), number(ike, "half_open"), number(ike, "established"),
		number(ike, "failed"));
	if (json_is_true(json_object_get(result, "degraded")))
		line(out, "DEGRADED", text(result, "degraded_why"));
	json_array_foreach (warnings, index, warning)
		line(out, "warning", json_string_value(warning) ? json_string_value(warning) : "?");
}

/* --- peers ---------------------------------------------------------------------------------- */

static const char *const columns[] = {"remote", "local", "group", "state", "auth", "trigger", "reason"};
#define COLUMNS (sizeof(columns) / sizeof(columns[0]))

static void measure(const json_t *peers, int widths[COLUMNS])
{
	const json_t *peer;
	size_t index;

	for (size_t i = 0; i < COLUMNS; i++)
		widths[i] = (int)strlen(columns[i]);
	json_array_foreach (peers, index, peer) {
		for (size_t i = 0; i < COLUMNS; i++) {
			int len = (int)strlen(text(peer, columns[i]));

			if (len > widths[i])
				widths[i] = len;
		}
	}
}

void show_peers(const json_t *result, struct strbuf *out)
{
	int widths[COLUMNS];
	const json_t *peer;
	size_t index;

	if (json_array_size(result) == 0) {
		strbuf_printf(out, "no peers\n");
		return;
	}
	measure(result, widths);
	for (size_t i = 0; i < COLUMNS; i++)
		strbuf_printf(out, "%-*s%s", widths[i], columns[i], i + 1 < COLUMNS ? "  " : "\n");
	json_array_foreach (result, index, peer) {
		for (size_t i = 0; i < COLUMNS; i++)
			strbuf_printf(out, "%-*s%s", widths[i], text(peer, columns[i]),
				i + 1 < COLUMNS ? "  " : "\n");
	}
}

/* --- trace ----------------------------------------------------------------------------------- */

void show_trace(const json_t *result, struct strbuf *out)
{
	const json_t *events = json_object_get(result, "events"), *event;
	size_t index;

	strbuf_printf(out, "%s: %.1f ms%s\n", text(result, "name"), real(result, "duration_ms"),
		json_is_false(json_object_get(result, "complete")) ? ", not answered yet" : "");
	json_array_foreach (events, index, event)
		strbuf_printf(out, "%+10.1f ms  %-22s %s\n", real(event, "ms"), text(event, "what"),
			text(event, "text"));
}
