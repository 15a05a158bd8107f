/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Files of the state directory (keep.h). */
#include "daemon/keep.h"

#include "lib/mem.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static int write_all(const char *path, const char *text, size_t len, bool lasting)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
	int error = fd < 0 ? -errno : 0;

	errno = 0;
	if (!error && (write(fd, text, len) != (ssize_t)len || (lasting && fsync(fd) != 0)))
		error = errno ? -errno : -EIO;
	if (fd >= 0)
		close(fd);
	return error;
}

/* A new name is on disk when its folder is. */
static int sync_folder(const char *path)
{
	int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int error = fd >= 0 && fsync(fd) == 0 ? 0 : -errno;

	if (fd >= 0)
		close(fd);
	return error;
}

int keep_write(const char *state_dir, const char *name, const char *text, size_t len, bool lasting)
{
	char *path = mem_printf("%s/%s", state_dir, name);
	char *fresh = mem_printf("%s.new", path);
	int error;

	mkdir(state_dir, 0700);
	error = write_all(fresh, text, len, lasting);
	if (!error && rename(fresh, path) != 0)
		error = -errno;
	if (!error && lasting)
		error = sync_folder(state_dir);
	free(fresh);
	free(path);
	return error;
}
