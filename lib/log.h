/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The log: one line an event, to stderr (with systemd's priority prefix when
 * it reads us) or a file.
 *
 * error:   an operator must act.
 * warning: a peer or the network misbehaves and we go on.
 * info:    one line for each event in a life: start, reload, tunnel up, down.
 * debug:   every message and transition.
 * No secrets at any level; names that were looked up only at debug.
 */
#ifndef LIB_LOG_H
#define LIB_LOG_H

#include <stdbool.h>

enum log_level { LOG_LEVEL_ERROR, LOG_LEVEL_WARNING, LOG_LEVEL_INFO, LOG_LEVEL_DEBUG };

/* Lines above `level` are dropped. Starts at info on stderr. */
void log_set_level(enum log_level level);
bool log_wants(enum log_level level);
/* Appends to a file from now on (NULL: stderr again); 0 or -errno. Also reopens. */
int log_open(const char *path);

void log_line(enum log_level level, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

#define log_error(...) log_line(LOG_LEVEL_ERROR, __VA_ARGS__)
#define log_warning(...) log_line(LOG_LEVEL_WARNING, __VA_ARGS__)
#define log_info(...) log_line(LOG_LEVEL_INFO, __VA_ARGS__)
#define log_debug(...)                                                                             \
	do {                                                                                       \
		if (log_wants(LOG_LEVEL_DEBUG))                                                    \
			log_line(LOG_LEVEL_DEBUG, __VA_ARGS__);                                    \
	} while (0)

/*
 * A bucket for lines that a stranger can cause: `burst` lines at once, then
 * one each `interval_us`. Zero-initialised is full.
 */
struct log_limit {
	unsigned long long last_us;
	unsigned spent;
	unsigned suppressed;
};

/* True when a line may be logged now; counts it. */
bool log_limit_pass(struct log_limit *limit, unsigned long long now_us, unsigned burst,
	unsigned long long interval_us);

/* Logs an error and exits with status 1. Only before the loop starts. */
void log_fatal(const char *format, ...) __attribute__((format(printf, 1, 2), noreturn));

#endif
