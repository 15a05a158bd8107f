/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Messages with their places (conf.h). */
#include "conf/internal.h"

#include "lib/mem.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

static void add(struct conf_report *report, enum conf_severity severity, struct place place,
	const char *format, va_list args)
{
	struct conf_message message = {.severity = severity, .line = place.line};

	if (vasprintf(&message.text, format, args) < 0)
		message.text = mem_strdup("out of memory");
	if (place.file)
		message.file = mem_strdup(place.file);
	report->messages =
		mem_resize(report->messages, report->count + 1, sizeof(*report->messages));
	report->messages[report->count++] = message;
	report->errors += severity == CONF_ERROR;
	report->defects += severity == CONF_DEFECT;
}

void report_error(struct conf_report *report, struct place place, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	add(report, CONF_ERROR, place, format, args);
	va_end(args);
}

void report_defect(struct conf_report *report, struct place place, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	add(report, CONF_DEFECT, place, format, args);
	va_end(args);
}

void report_warning(struct conf_report *report, struct place place, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	add(report, CONF_WARNING, place, format, args);
	va_end(args);
}

char *conf_message_format(const struct conf_message *message)
{
	if (!message->file)
		return mem_strdup(message->text);
	if (!message->line)
		return mem_printf("%s: %s", message->file, message->text);
	return mem_printf("%s:%u: %s", message->file, message->line, message->text);
}

void conf_report_clear(struct conf_report *report)
{
	for (size_t i = 0; i < report->count; i++) {
		free(report->messages[i].file);
		free(report->messages[i].text);
	}
	free(report->messages);
	*report = (struct conf_report){0};
}
