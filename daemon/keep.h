/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Files of the state directory: whole or as they were, whenever we die. */
#ifndef DAEMON_KEEP_H
#define DAEMON_KEEP_H

#include <stdbool.h>
#include <stddef.h>

/*
 * Writes a file of the state directory, root's alone, in place of the one before; 0 or -errno.
 * `lasting`: it is to outlive the power, too, which takes the disk's time.
 */
int keep_write(const char *state_dir, const char *name, const char *text, size_t len, bool lasting);

#endif
