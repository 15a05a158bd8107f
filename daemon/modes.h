/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The runs that do one thing to the kernel and exit: --closed, --release, --flush.
 * Beside a daemon that runs they do nothing: what they remove it believes to be there.
 */
#ifndef DAEMON_MODES_H
#define DAEMON_MODES_H

/* Installs only what keeps `private` and `block` closed (K5). The process's exit status. */
int mode_closed(const char *config_path);
/* Opens what is ours and not closed (K6); needs no configuration. */
int mode_release(void);
/* Opens all that is ours (K5); needs no configuration. */
int mode_flush(void);

#endif
