/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Files that we write: whole or as they were, whenever we die. */
#ifndef LIB_STORE_H
#define LIB_STORE_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

/*
 * Writes a file that nobody reads yet, with just this mode; a link in its place is not followed. `lasting`: it
 * is to outlive the power, too, which takes the disk's time. 0 or -errno.
 */
int store_write(const char *path, mode_t mode, const char *data, size_t len, bool lasting);
/*
 * The same in place of one that others read: written beside it, as PATH.new, and renamed. On an error the one
 * before stays. `lasting` covers the name, too.
 */
int store_replace(const char *path, mode_t mode, const char *data, size_t len, bool lasting);
/* Its two halves, for files that belong together: all drafts first, then each takes its place, or none does. */
int store_draft(const char *path, mode_t mode, const char *data, size_t len, bool lasting);
int store_take_draft(const char *path, bool lasting);
void store_drop_draft(const char *path);

#endif
