/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The control socket: a Unix stream on which a client sends one JSON object a
 * line, {"command": …}, and gets one a line back, {"ok": true, "result": …} or
 * {"ok": false, "error": "…"}. Whoever may open the socket may command.
 */
#ifndef DAEMON_CONTROL_H
#define DAEMON_CONTROL_H

#include <stdbool.h>

struct control;
struct daemon;

/* Listens at `path`, making its folder; NULL with *error when it cannot. A stale socket is replaced. */
struct control *control_open(struct daemon *daemon, const char *path, int *error);
void control_close(struct control *control);
/* Whether a daemon listens there, be it one that hangs. */
bool control_is_open(const char *path);

#endif
