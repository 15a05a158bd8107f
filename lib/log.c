/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The log (log.h). The level and the file are the process's own: one log a program. */
#include "lib/log.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

static enum log_level max_level = LOG_LEVEL_INFO;
static FILE *log_file;

/* syslog(3) priorities, which systemd reads as a "<N>" prefix, and the words for a file. */
static const struct {
	int priority;
	const char *word;
} levels[] = {
	[LOG_LEVEL_ERROR] = {3, "error"},
	[LOG_LEVEL_WARNING] = {4, "warning"},
	[LOG_LEVEL_INFO] = {6, "info"},
	[LOG_LEVEL_DEBUG] = {7, "debug"},
};

void log_set_level(enum log_level level)
{
	max_level = level;
}

bool log_wants(enum log_level level)
{
	return level <= max_level;
}

int log_open(const char *path)
{
	FILE *opened = NULL;

	if (path) {
		opened = fopen(path, "ae");
		if (!opened)
			return -errno;
		setvbuf(opened, NULL, _IOLBF, 0);
	}
	if (log_file)
		fclose(log_file);
	log_file = opened;
	return 0;
}

static void write_stamp(FILE *out)
{
	struct timespec now;
	struct tm tm;

	clock_gettime(CLOCK_REALTIME, &now);
	localtime_r(&now.tv_sec, &tm);
	fprintf(out, "%04d-%02d-%02dT%02d:%02d:%02d.%03ld ", tm.tm_year + 1900, tm.tm_mon + 1,
		tm.tm_mday, tm.tm_hour, tm.tm_min, tm.tm_sec, now.tv_nsec / 1000000);
}

static void write_line(enum log_level level, const char *format, va_list args)
{
	FILE *out = log_file ? log_file : stderr;

	flockfile(out);
	if (!log_file && getenv("JOURNAL_STREAM"))
		fprintf(out, "<%d>", levels[level].priority);
	else
		write_stamp(out);
	fprintf(out, "%s: ", levels[level].word);
	vfprintf(out, format, args);
	fputc('\n', out);
	fflush(out);
	funlockfile(out);
}

void log_line(enum log_level level, const char *format, ...)
{
	va_list args;

	if (!log_wants(level))
		return;
	va_start(args, format);
	write_line(level, format, args);
	va_end(args);
}

void log_fatal(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	write_line(LOG_LEVEL_ERROR, format, args);
	va_end(args);
	exit(1);
}

bool log_limit_pass(struct log_limit *limit, unsigned long long now_us, unsigned burst,
	unsigned long long interval_us)
{
	unsigned long long regained = (now_us - limit->last_us) / interval_us;

	if (regained > 0) {
		limit->spent = regained >= limit->spent ? 0 : limit->spent - (unsigned)regained;
		limit->last_us = now_us;
	}
	if (limit->spent >= burst) {
		limit->suppressed++;
		return false;
	}
	limit->spent++;
	return true;
}
