/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Writing files (store.h). */
#include "lib/store.h"

#include "lib/mem.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

/* 0 or -errno. */
static int write_all(int fd, const char *data, size_t len)
{
	while (len > 0) {
		ssize_t written = write(fd, data, len);

		if (written < 0 && errno == EINTR)
			continue;
		if (written <= 0)
			return written < 0 ? -errno : -EIO;
		data += written;
		len -= (size_t)written;
	}
	return 0;
}

int store_write(const char *path, mode_t mode, const char *data, size_t len, bool lasting)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, mode);
	int error = fd >= 0 && fchmod(fd, mode) == 0 ? 0 : -errno;

	if (!error)
		error = write_all(fd, data, len);
	if (!error && lasting && fsync(fd) != 0)
		error = -errno;
	if (fd >= 0)
		close(fd);
	return error;
}

/* A new name is on disk when its folder is. */
static int sync_folder(const char *path)
{
	char *copy = mem_strdup(path);
	int fd = open(dirname(copy), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int error = fd >= 0 && fsync(fd) == 0 ? 0 : -errno;

	if (fd >= 0)
		close(fd);
	free(copy);
	return error;
}

static char *draft_of(const char *path)
{
	return mem_printf("%s.new", path);
}

int store_draft(const char *path, mode_t mode, const char *data, size_t len, bool lasting)
{
	char *draft = draft_of(path);
	int error;

	/* One that an earlier run has left may have another owner or mode. */
	unlink(draft);
	error = store_write(draft, mode, data, len, lasting);
	if (error)
		unlink(draft);
	free(draft);
	return error;
}

int store_take_draft(const char *path, bool lasting)
{
	char *draft = draft_of(path);
	int error = rename(draft, path) == 0 ? 0 : -errno;

	if (error)
		unlink(draft);
	else if (lasting)
		error = sync_folder(path);
	free(draft);
	return error;
}

void store_drop_draft(const char *path)
{
	char *draft = draft_of(path);

	unlink(draft);
	free(draft);
}

int store_replace(const char *path, mode_t mode, const char *data, size_t len, bool lasting)
{
	int error = store_draft(path, mode, data, len, lasting);

	return error ? error : store_take_draft(path, lasting);
}
