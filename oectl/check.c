/* SPDX-License-Identifier: GPL-2.0-or-later */
/* `oectl check` (check.h). */
#include "oectl/check.h"

#include "conf/conf.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>

static const char *word(enum conf_severity severity)
{
	switch (severity) {
	case CONF_ERROR:
		return "error";
	case CONF_DEFECT:
		return "defect";
	case CONF_WARNING:
		return "warning";
	}
	return "?";
}

static void print_text(const char *path, const struct conf_report *report)
{
	for (size_t i = 0; i < report->count; i++) {
		enum conf_severity severity = report->messages[i].severity;
		char *text = conf_message_format(&report->messages[i]);

		if (severity == CONF_ERROR)
			printf("%s\n", text);
		else
			printf("%s: %s\n", word(severity), text);
		free(text);
	}
	printf("%s: %zu errors, %zu defects, %zu warnings\n", path, report->errors, report->defects,
		report->count - report->errors - report->defects);
}

static void print_json(const char *path, const struct conf_report *report)
{
	json_t *messages = json_array(), *result;

	for (size_t i = 0; i < report->count; i++) {
		const struct conf_message *message = &report->messages[i];

		json_array_append_new(messages,
			json_pack("{s:s,s:s?,s:I,s:s}", "severity", word(message->severity), "file",
				message->file, "line", (json_int_t)message->line, "text", message->text));
	}
	result = json_pack("{s:s*,s:I,s:I,s:I,s:o}", "file", path, "errors", (json_int_t)report->errors,
		"defects", (json_int_t)report->defects, "warnings",
		(json_int_t)(report->count - report->errors - report->defects), "messages", messages);
	json_dumpf(result, stdout, JSON_INDENT(2));
	putchar('\n');
	json_decref(result);
}

int check_configuration(const char *path, bool as_json)
{
	struct conf_report report = {0};
	struct conf *conf = conf_load(path, &report);
	int status = conf && report.defects == 0 ? 0 : 1;

	if (as_json)
		print_json(path, &report);
	else
		print_text(path, &report);
	conf_report_clear(&report);
	conf_free(conf);
	return status;
}
