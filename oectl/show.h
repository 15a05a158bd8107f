/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Results of commands as text for people. */
#ifndef OECTL_SHOW_H
#define OECTL_SHOW_H

#include "lib/strbuf.h"

#include <jansson.h>

void show_status(const json_t *result, struct strbuf *out);
void show_peers(const json_t *result, struct strbuf *out);
void show_trace(const json_t *result, struct strbuf *out);

#endif
