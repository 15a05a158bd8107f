/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the debug names of class CHAOS say about the daemon (A10), a line each. */
#ifndef DAEMON_DEBUG_H
#define DAEMON_DEBUG_H

#include "resolver/resolver.h"

/* Its argument is the daemon. */
extern const struct resolver_debug debug_texts;

#endif
