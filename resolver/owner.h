/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Who holds a port that we need (A11). */
#ifndef RESOLVER_OWNER_H
#define RESOLVER_OWNER_H

#include "lib/addr.h"

struct owner {
	char text[256];	  /* "systemd-resolve (pid 812, systemd-resolved.service)", or what is known */
	char unit[128];	  /* of systemd; "" when it has none or that is not known */
	bool is_resolved; /* systemd-resolved */
};

/* Of UDP or TCP; the best that can be found out: without privileges that is the user. */
struct owner owner_of_port(const struct endpoint *endpoint);

#endif
