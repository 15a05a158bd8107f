/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * ike-keylog=FILE: the keys of every tunnel, for somebody who debugs with
 * Wireshark. FILE is its ikev2_decryption_table, FILE.esp its esp_sa. Off
 * unless it is asked for, and loud where it is on: whoever reads these files
 * reads the traffic.
 */
#ifndef DAEMON_KEYLOG_H
#define DAEMON_KEYLOG_H

#include "ike/ike.h"

struct keylog;

/* Off. */
struct keylog *keylog_new(void);
void keylog_free(struct keylog *keylog);
/*
 * Appends to this file from now on, and says so in the log; NULL: off. A file
 * that is not ours alone, or none at all, is an error in the log, and off.
 */
void keylog_set_file(struct keylog *keylog, const char *path);
void keylog_ike(struct keylog *keylog, const struct ike_key_material *keys);
void keylog_child(struct keylog *keylog, const struct sa_pair *pair);

#endif
