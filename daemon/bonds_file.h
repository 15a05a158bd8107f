/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Ties (bonds.h) over a restart: STATEDIR/verified, a line each, ADDRESS UNTIL
 * NAME, with UNTIL in seconds of CLOCK_REALTIME. The connections that applications
 * have then find their peers, and nobody else, before anybody looks anything up.
 */
#ifndef DAEMON_BONDS_FILE_H
#define DAEMON_BONDS_FILE_H

#include "daemon/bonds.h"

/* To be written again after so long at most. */
#define BONDS_FILE_S 600u

/* Logs what cannot be written or read. `real_s`: CLOCK_REALTIME. */
void bonds_file_write(struct bonds *bonds, const char *state_dir, uint64_t now_us, int64_t real_s);
void bonds_file_read(struct bonds *bonds, const char *state_dir, uint64_t now_us, int64_t real_s);

#endif
