/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Random bytes for the engine, in the form that it asks for them (ike/ike.h). */
#ifndef DAEMON_RANDOM_H
#define DAEMON_RANDOM_H

#include <stddef.h>

/* Fills `out`; ends the process where the kernel gives none. `arg` is not used. */
void random_fill(void *arg, void *out, size_t len);

#endif
