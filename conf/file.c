/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Files as bytes, and where relative names lead. */
#include "conf/internal.h"

#include "lib/mem.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static bool is_readable_file(FILE *file)
{
	struct stat st;

	if (fstat(fileno(file), &st) != 0)
		return false;
	if (S_ISDIR(st.st_mode)) {
		errno = EISDIR;
		return false;
	}
	if (st.st_size > CONF_MAX_FILE) {
		errno = EFBIG;
		return false;
	}
	return true;
}

char *file_read(const char *path, size_t *len)
{
	FILE *file = fopen(path, "re");
	char *text = NULL;
	size_t room = 4096, got;

	if (!file)
		return NULL;
	*len = 0;
	if (is_readable_file(file)) {
		text = mem_resize(NULL, room + 1, 1);
		while ((got = fread(text + *len, 1, room - *len, file)) > 0) {
			*len += got;
			if (*len == room) {
				room *= 2;
				text = mem_resize(text, room + 1, 1);
			}
		}
		text[*len] = '\0';
	}
	fclose(file);
	return text;
}

const char *file_note(struct source *source, const char *path)
{
	size_t count = *source->file_count;

	*source->files = mem_resize(*source->files, count + 1, sizeof(char *));
	(*source->files)[count] = mem_strdup(path);
	*source->file_count = count + 1;
	return (*source->files)[count];
}

char *file_beside(const char *base, const char *path)
{
	const char *slash = base ? strrchr(base, '/') : NULL;

	if (path[0] == '/' || !slash)
		return mem_strdup(path);
	return mem_printf("%.*s/%s", (int)(slash - base), base, path);
}
