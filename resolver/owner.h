/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Who holds a port that we need (A11). */
#ifndef RESOLVER_OWNER_H
#define RESOLVER_OWNER_H

#include "lib/addr.h"

/* "systemd-resolve (pid 812)", or NULL when it cannot be found out. Caller frees. */
char *owner_of_udp_port(const struct endpoint *endpoint);

#endif
