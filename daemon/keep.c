/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Files of the state directory (keep.h). */
#include "daemon/keep.h"

#include "lib/mem.h"
#include "lib/store.h"

#include <stdlib.h>
#include <sys/stat.h>

int keep_write(const char *state_dir, const char *name, const char *text, size_t len, bool lasting)
{
	char *path = mem_printf("%s/%s", state_dir, name);
	int error;

	mkdir(state_dir, 0700);
	error = store_replace(path, 0600, text, len, lasting);
	free(path);
	return error;
}
