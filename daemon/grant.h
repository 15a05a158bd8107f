/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Which flow a peer's proposal is for: the responder's choice (RFC 7296 2.9; rules N2, N3, N8). */
#ifndef DAEMON_GRANT_H
#define DAEMON_GRANT_H

#include "daemon/tunnels.h"
#include "policy/policy.h"

/*
 * The line that grants most of an offer, the strongest of equals (P1), and its
 * flow, made when it is not there: *user, with all that may be granted. False:
 * no line grants anything.
 */
bool grant_choose(struct policy *policy, const struct tunnels *tunnels, const struct ike_offer *offer,
	uint64_t now_us, struct selector *selector, uint64_t *user);

#endif
