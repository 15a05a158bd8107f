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
void load_free_texts(char **texts, size_t count);

#endif
