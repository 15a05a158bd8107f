/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What `oectl status` and `oectl peers` are told; the field names are an interface that stays. */
#ifndef DAEMON_REPORT_H
#define DAEMON_REPORT_H

#include <jansson.h>

struct daemon;

json_t *report_status(const struct daemon *daemon);
json_t *report_peers(const struct daemon *daemon);

#endif
