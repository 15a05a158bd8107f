/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Changes of files, by inotify(7) (watch.h). */
#include "daemon/watch.h"

#include "lib/log.h"
#include "lib/loop.h"
#include "lib/mem.h"

#include <errno.h>
#include <libgen.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <unistd.h>

#define SETTLE_US 500000u
#define EVENTS (IN_CLOSE_WRITE | IN_MOVED_TO | IN_MOVED_FROM | IN_DELETE)

struct watch {
	struct loop *loop;
	void (*changed)(void *arg);
	void *arg;
	int fd; /* -1: nothing is watched */
	struct loop_io io;
	struct loop_timer settle;
};

/* What an editor keeps beside the file that it edits. */
static bool is_scratch(const char *name)
{
	size_t len = strlen(name);

	return name[0] == '.' || name[0] == '#' || (len > 0 && name[len - 1] == '~');
}

static bool has_change(const char *events, size_t len)
{
	bool found = false;

	for (size_t at = 0; at + sizeof(struct inotify_event) <= len;) {
		const struct inotify_event *event = (const struct inotify_event *)(events + at);

		found = found || (event->mask & IN_Q_OVERFLOW) ||
			((event->mask & EVENTS) && event->len && !is_scratch(event->name));
		at += sizeof(*event) + event->len;
	}
	return found;
}

static void events_ready(struct loop_io *io, int ready)
{
	struct watch *watch = io->arg;
	_Alignas(struct inotify_event) char events[4096];
	ssize_t len = read(watch->fd, events, sizeof(events));

	(void)ready;
	if (len > 0 && has_change(events, (size_t)len) && !loop_timer_active(&watch->settle))
		loop_timer_start(watch->loop, &watch->settle, SETTLE_US);
}

static void settled(struct loop_timer *timer)
{
	struct watch *watch = timer->arg;

	watch->changed(watch->arg);
}

static void stop(struct watch *watch)
{
	if (watch->fd < 0)
		return;
	loop_io_stop(watch->loop, &watch->io);
	loop_timer_stop(watch->loop, &watch->settle);
	close(watch->fd);
	watch->fd = -1;
}

struct watch *watch_new(struct loop *loop, void (*changed)(void *arg), void *arg)
{
	struct watch *watch = mem_new(struct watch);

	*watch = (struct watch){.loop = loop, .changed = changed, .arg = arg, .fd = -1};
	watch->io = (struct loop_io){.ready = events_ready, .arg = watch};
	watch->settle = (struct loop_timer){.fired = settled, .arg = watch};
	return watch;
}

void watch_free(struct watch *watch)
{
	if (watch)
		stop(watch);
	free(watch);
}

static void add_folder(struct watch *watch, const char *folder)
{
	/* The same folder again is no second watch. One that is missing has nothing that could change. */
	if (inotify_add_watch(watch->fd, folder, EVENTS) < 0 && errno != ENOENT)
		log_warning("watch: cannot watch %s: %s", folder, strerror(errno));
}

static void add_folder_of(struct watch *watch, const char *file)
{
	char *path = mem_strdup(file);

	add_folder(watch, dirname(path));
	free(path);
}

static bool start(struct watch *watch)
{
	if (watch->fd >= 0)
		return true;
	watch->fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
	if (watch->fd < 0) {
		log_warning("watch: %s", strerror(errno));
		return false;
	}
	loop_io_start(watch->loop, &watch->io, watch->fd, LOOP_READ);
	return true;
}

void watch_file(struct watch *watch, const char *file)
{
	if (start(watch))
		add_folder_of(watch, file);
}

void watch_configure(struct watch *watch, const struct conf *conf, const char *path)
{
	if (!conf->setup.watch) {
		stop(watch);
		return;
	}
	if (!start(watch))
		return;
	add_folder_of(watch, path);
	add_folder(watch, conf->setup.policies_dir);
	for (size_t i = 0; i < conf->file_count; i++)
		add_folder_of(watch, conf->files[i]);
}
