/* SPDX-License-Identifier: GPL-2.0-or-later */
/* `oectl check`: reads a configuration as the daemon would, and says all that is wrong with it. */
#ifndef OECTL_CHECK_H
#define OECTL_CHECK_H

#include <stdbool.h>

/* Prints every message; the exit status. */
int check_configuration(const char *path, bool as_json);

#endif
