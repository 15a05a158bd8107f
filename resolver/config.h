/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the resolver is told by the configuration; conf/ fills it. */
#ifndef RESOLVER_CONFIG_H
#define RESOLVER_CONFIG_H

#include "lib/addr.h"

struct resolver_config {
	struct endpoint *listen; /* dns-listen=; default 127.0.0.53:53 and [::1]:53 */
	size_t listen_count;
	bool listen_is_default; /* then a failure to bind [::1]:53 is a warning only */
	struct endpoint *forward; /* dns-forward=; none: rule A11 */
	size_t forward_count;
	struct prefix *allow; /* dns-allow=, besides local clients (A12) */
	size_t allow_count;
	char *trust_anchor_file; /* dns-trust-anchor=: validate with it; NULL: do not validate */
	uint32_t hold_ms;	/* dns-hold=: 2000, at most 4000 (A4) */
	uint32_t hold_grace_ms; /* dns-hold-grace=: 100 (A3) */
	uint32_t max_held;	/* dns-max-held=: queries held at once (A9), 4096 */
};

#endif
