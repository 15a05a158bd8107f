/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Says when a file has been written, moved or deleted: those of the
 * configuration with watch=yes (C4), those that name forwarders (A11). Folders
 * are watched, not files, for editors and copying programs put a new file in
 * the old one's place. Several changes within half a second are told as one.
 */
#ifndef DAEMON_WATCH_H
#define DAEMON_WATCH_H

#include "conf/conf.h"

struct loop;
struct watch;

struct watch *watch_new(struct loop *loop, void (*changed)(void *arg), void *arg);
void watch_free(struct watch *watch);
/*
 * The folders of another configuration, or none at all where it has no
 * watch=yes; that of `path`, which was asked for, also when another was loaded (C2).
 */
void watch_configure(struct watch *watch, const struct conf *conf, const char *path);
/* The folder of one more file; nothing, where it is missing: call again later. */
void watch_file(struct watch *watch, const char *file);

#endif
