/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Loading the configuration with its messages going to the log. */
#ifndef DAEMON_LOAD_H
#define DAEMON_LOAD_H

#include "conf/conf.h"

/*
 * conf_load() with every message in the log; NULL when it cannot be used.
 * `*texts` (may be NULL) gets the messages as an array of `*count` strings
 * that the caller frees one by one and as a whole.
 */
struct conf *load_configuration(const char *path, char ***texts, size_t *count);
/* The same; when it cannot be used, the last one that loaded, with *degraded saying why (C2). */
struct conf *load_or_last(const char *path, char ***texts, size_t *count, char **degraded);
/* Keeps a configuration that is in use now for such a case. */
void load_keep(const struct conf *conf);
void load_free_texts(char **texts, size_t count);

#endif
