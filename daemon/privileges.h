/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Giving up what start-up needed and the run does not. */
#ifndef DAEMON_PRIVILEGES_H
#define DAEMON_PRIVILEGES_H

#include <stdbool.h>

/*
 * Keeps CAP_NET_ADMIN alone (XFRM checks the sender at every request), and
 * keeps children and exec from regaining more. 0 or -errno.
 */
int privileges_drop(void);
/* True when we may do what the daemon does. */
bool privileges_enough(void);

#endif
