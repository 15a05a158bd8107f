/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Files as bytes, and where relative names lead. */
#include "conf/internal.h"

#include "lib/mem.h"
#include "lib/secret.h"

#include <errno.h>
#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static bool is_readable_file(FILE *file, size_t *size)
{
	struct stat st;

	if (fstat(fileno(file), &st) != 0)
		return false;
	*size = (size_t)st.st_size;
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

/* Some editors put it before UTF-8: as a part of the first word it would make another word. */
static void drop_mark(char *text, size_t *len)
{
	static const char mark[3] = "\xef\xbb\xbf";

	if (*len < sizeof(mark) || memcmp(text, mark, sizeof(mark)) != 0)
		return;
	*len -= sizeof(mark);
	memmove(text, text + sizeof(mark), *len);
	/* No copy of what may be a secret stays behind the end. */
	memset(text + *len, 0, sizeof(mark));
}

char *file_read(const char *path, size_t *len)
{
	FILE *file = fopen(path, "re");
	char *text = NULL;
	size_t room, got;

	if (!file)
		return NULL;
	*len = 0;
	if (is_readable_file(file, &room)) {
		/* Room for all at once: growing would leave copies, of secrets too, behind. */
		room += 4096;
		text = mem_resize(NULL, room + 1, 1);
		while ((got = fread(text + *len, 1, room - *len, file)) > 0) {
			*len += got;
			if (*len == room) {
				room *= 2;
				text = mem_resize(text, room + 1, 1);
			}
		}
		text[*len] = '\0';
		drop_mark(text, len);
	}
	fclose(file);
	return text;
}

bool file_is_text(struct conf_report *report, const char *file, const char *bytes, size_t len)
{
	struct place place = {.file = file, .line = 1};
	const char *nul = len ? memchr(bytes, '\0', len) : NULL;

	if (!nul)
		return true;
	for (const char *at = bytes; at < nul; at++)
		place.line += *at == '\n';
	report_error(report, place, "a NUL byte in the text (is it UTF-16?)");
	return false;
}

void file_forget(char *bytes, size_t len)
{
	if (bytes)
		secret_wipe(bytes, len);
	free(bytes);
}

bool file_enter(struct source *source, const char *path, struct place from, struct open_file *file)
{
	struct stat st = {0};

	if (source->depth >= CONF_MAX_DEPTH) {
		report_error(source->report, from, "includes are nested more than %d deep at %s",
			CONF_MAX_DEPTH, path);
		return false;
	}
	if (*source->file_count >= CONF_MAX_FILES) {
		report_error(source->report, from, "more than %d files; %s is left out",
			CONF_MAX_FILES, path);
		return false;
	}
	if (stat(path, &st) == 0) {
		for (const struct open_file *outer = source->open; outer; outer = outer->outer) {
			if (outer->device == st.st_dev && outer->inode == st.st_ino) {
				report_error(source->report, from, "%s includes itself", path);
				return false;
			}
		}
	}
	*file = (struct open_file){source->open, st.st_dev, st.st_ino};
	source->open = file;
	source->depth++;
	return true;
}

void file_leave(struct source *source)
{
	source->open = source->open->outer;
	source->depth--;
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

void file_include(
	struct source *source, const char *pattern, struct place from, file_found found, void *arg)
{
	char *path = file_beside(from.file, pattern);
	glob_t files;

	if (glob(path, GLOB_BRACE, NULL, &files) == 0) {
		for (size_t i = 0; i < files.gl_pathc; i++)
			found(source, files.gl_pathv[i], from, arg);
		globfree(&files);
	} else if (!strpbrk(path, "*?[{")) {
		/* A pattern that matches nothing is an empty folder, a plain name must exist. */
		report_error(source->report, from, "cannot include %s: %s", path, strerror(ENOENT));
	}
	free(path);
}
