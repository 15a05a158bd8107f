/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Policies of others that stand in our way (K2), in the log: each once, when
 * it is found at start, after a reload, or when it has come meanwhile.
 */
#ifndef DAEMON_FOREIGN_H
#define DAEMON_FOREIGN_H

struct dataplane;
struct foreign;
struct loop;

struct foreign *foreign_new(struct loop *loop, struct dataplane *dp);
void foreign_free(struct foreign *foreign);
/* Our lines are others, or in the kernel at last. */
void foreign_look(struct foreign *foreign);
/* Somebody has changed policies: looks soon, and not for each of them. */
void foreign_changed(struct foreign *foreign);

#endif
