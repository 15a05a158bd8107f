/* SPDX-License-Identifier: GPL-2.0-or-later */
/* From the configuration's lines to what the data plane installs: the table of RULES.md G. */
#ifndef DAEMON_LINES_H
#define DAEMON_LINES_H

#include "policy/line.h"
#include "xfrm/dataplane.h"

struct addrs;

enum lines_which {
	LINES_ALL,
	LINES_CLOSED, /* only private and block (K5) */
};

void lines_install(struct dataplane *dp, const struct policy_config *config,
	const struct addrs *addrs, enum lines_which which, dp_done done, void *arg);

#endif
