/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Messages with their places (conf.h). */
#include "conf/internal.h"

#include "lib/mem.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Longer ones lose their middle: the beginning says what, the end why. */
#define TEXT_MAX 500
#define TEXT_END 200

/* Bytes of the character there (RFC 3629), 0 when it is none or controls a terminal. */
static size_t character_len(const unsigned char *at)
{
	/* The first byte's range, and that of the second; those behind are 80..bf. */
	static const struct {
		unsigned char first, last, second, second_last;
		size_t len;
	} forms[] = {{' ', '~', 0, 0, 1}, {0xc2, 0xc2, 0xa0, 0xbf, 2}, {0xc3, 0xdf, 0x80, 0xbf, 2},
		{0xe0, 0xe0, 0xa0, 0xbf, 3}, {0xe1, 0xec, 0x80, 0xbf, 3}, {0xed, 0xed, 0x80, 0x9f, 3},
		{0xee, 0xef, 0x80, 0xbf, 3}, {0xf0, 0xf0, 0x90, 0xbf, 4}, {0xf1, 0xf3, 0x80, 0xbf, 4},
		{0xf4, 0xf4, 0x80, 0x8f, 4}};

	for (size_t i = 0; i < ARRAY_LEN(forms); i++) {
		if (at[0] < forms[i].first || at[0] > forms[i].last)
			continue;
		if (forms[i].len > 1 && (at[1] < forms[i].second || at[1] > forms[i].second_last))
			return 0;
		for (size_t j = 2; j < forms[i].len; j++) {
			if ((at[j] & 0xc0) != 0x80)
				return 0;
		}
		return forms[i].len;
	}
	return 0;
}

static void make_printable(char *text)
{
	while (*text) {
		size_t len = character_len((const unsigned char *)text);

		if (len == 0)
			*text = '?';
		text += len ? len : 1;
	}
}

/* What a message quotes goes to terminals, to the log and into JSON: UTF-8, and not without end. */
static char *make_text(const char *format, va_list args)
{
	char *whole, *text;
	size_t len;

	if (vasprintf(&whole, format, args) < 0)
		return mem_strdup("out of memory");
	len = strlen(whole);
	text = len <= TEXT_MAX ? mem_strdup(whole)
			       : mem_printf("%.*s […] %s", TEXT_MAX - TEXT_END, whole, whole + len - TEXT_END);
	free(whole);
	make_printable(text);
	return text;
}

static void add(struct conf_report *report, enum conf_severity severity, struct place place,
	const char *format, va_list args)
{
	struct conf_message message = {.severity = severity, .line = place.line};

	message.text = make_text(format, args);
	if (place.file) {
		message.file = mem_strdup(place.file);
		make_printable(message.file);
	}
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
