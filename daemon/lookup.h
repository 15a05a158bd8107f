/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A lookup through our own front door, for `oectl trace --now`: the query goes
 * to our first listener as an application's would, so that what is shown is
 * what an application gets.
 */
#ifndef DAEMON_LOOKUP_H
#define DAEMON_LOOKUP_H

#include "lib/addr.h"

struct lookup;
struct loop;

/*
 * Asks `server` for a name. `done(arg, error)` is called once: 0, or -errno
 * (-ETIMEDOUT after 6 s). NULL with -errno in *error when the name or type
 * cannot be asked for; then `done` is not called. `type` is "A" or "AAAA".
 */
struct lookup *lookup_start(struct loop *loop, const struct endpoint *server, const char *name,
	const char *type, void (*done)(void *arg, int error), void *arg, int *error);
void lookup_cancel(struct lookup *lookup);

#endif
