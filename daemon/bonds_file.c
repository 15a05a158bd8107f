/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Ties over a restart (bonds_file.h). */
#include "daemon/bonds_file.h"

#include "daemon/keep.h"
#include "lib/log.h"
#include "lib/mem.h"
#include "lib/strbuf.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NAME "verified"

struct writing {
	struct strbuf text;
	int64_t until_s;
};

static void write_tie(void *arg, const struct addr *addr, const char *name)
{
	struct writing *writing = arg;
	char text[ADDR_TEXT];

	strbuf_printf(&writing->text, "%s %" PRId64 " %s\n", addr_format(addr, text), writing->until_s, name);
}

void bonds_file_write(struct bonds *bonds, const char *state_dir, uint64_t now_us, int64_t real_s)
{
	/* While a tunnel stands nobody knows: as long as from the end of this run on, and no file is older. */
	struct writing writing = {.until_s = real_s + BONDS_S + BONDS_FILE_S};
	int error;

	bonds_each(bonds, now_us, write_tie, &writing);
	error = keep_write(state_dir, NAME, writing.text.text ? writing.text.text : "", writing.text.len, false);
	if (error)
		log_warning("cannot keep verified names in %s/" NAME ": %s; a restart forgets them", state_dir,
			strerror(-error));
	strbuf_clear(&writing.text);
}

/* A clock that was set meanwhile ties nothing for ever. */
static void read_line(struct bonds *bonds, const char *line, uint64_t now_us, int64_t real_s)
{
	char text[64], name[256];
	int64_t until_s;
	struct addr addr;

	if (sscanf(line, "%63s %" SCNd64 " %255s", text, &until_s, name) == 3 && addr_parse(text, &addr) &&
		until_s > real_s && until_s <= real_s + BONDS_S + BONDS_FILE_S)
		bonds_tie(bonds, &addr, name, now_us);
}

void bonds_file_read(struct bonds *bonds, const char *state_dir, uint64_t now_us, int64_t real_s)
{
	char *path = mem_printf("%s/" NAME, state_dir);
	FILE *file = fopen(path, "re");
	char line[512];

	while (file && fgets(line, sizeof(line), file))
		read_line(bonds, line, now_us, real_s);
	if (file)
		fclose(file);
	else if (errno != ENOENT)
		log_warning("cannot read %s: %s", path, strerror(errno));
	free(path);
}
