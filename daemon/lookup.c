/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A lookup through our own front door (lookup.h); RFC 1035 4.1. */
#include "daemon/lookup.h"

#include "lib/loop.h"
#include "lib/mem.h"
#include "lib/wire.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <unistd.h>

#define TIMEOUT_US 6000000u
#define TYPE_A 1
#define TYPE_AAAA 28
#define CLASS_IN 1
#define FLAG_RD 0x0100
#define LABEL_MAX 63
#define NAME_MAX_BYTES 255

/* Owned by who started it, until `done`. */
struct lookup {
	struct loop *loop;
	int fd;
	struct loop_io io;
	struct loop_timer timer;
	void (*done)(void *arg, int error);
	void *arg;
};

static bool write_name(struct writer *w, const char *name)
{
	size_t begin = w->len;

	while (*name && strcmp(name, ".") != 0) {
		size_t len = strcspn(name, ".");

		if (len == 0 || len > LABEL_MAX)
			return false;
		writer_u8(w, (uint8_t)len);
		writer_bytes(w, name, len);
		name += len + (name[len] == '.');
	}
	writer_u8(w, 0);
	return !w->failed && w->len - begin <= NAME_MAX_BYTES;
}

/* Length of the query, 0 when the name or the type is not one. */
static size_t build_query(uint8_t *out, size_t room, const char *name, const char *type)
{
	struct writer w = writer_init(out, room);
	uint16_t id = 0;

	if (strcasecmp(type, "A") != 0 && strcasecmp(type, "AAAA") != 0)
		return 0;
	if (getrandom(&id, sizeof(id), 0) != sizeof(id))
		return 0;
	writer_u16(&w, id);
	writer_u16(&w, FLAG_RD);
	writer_u16(&w, 1);
	writer_zero(&w, 6);
	if (!write_name(&w, name))
		return 0;
	writer_u16(&w, strcasecmp(type, "A") == 0 ? TYPE_A : TYPE_AAAA);
	writer_u16(&w, CLASS_IN);
	return w.failed ? 0 : w.len;
}

void lookup_cancel(struct lookup *lookup)
{
	if (!lookup)
		return;
	loop_io_stop(lookup->loop, &lookup->io);
	loop_timer_stop(lookup->loop, &lookup->timer);
	close(lookup->fd);
	free(lookup);
}

static void finish(struct lookup *lookup, int error)
{
	void (*done)(void *arg, int error) = lookup->done;
	void *arg = lookup->arg;

	lookup_cancel(lookup);
	done(arg, error);
}

static void answered(struct loop_io *io, int events)
{
	struct lookup *lookup = io->arg;
	uint8_t answer[4096];

	(void)events;
	finish(lookup, recv(lookup->fd, answer, sizeof(answer), 0) < 0 ? -errno : 0);
}

static void timed_out(struct loop_timer *timer)
{
	finish(timer->arg, -ETIMEDOUT);
}

static int open_and_ask(const struct endpoint *server, const uint8_t *query, size_t len)
{
	struct sockaddr_storage storage;
	unsigned storage_len;
	int fd;

	endpoint_to_sockaddr(server, &storage, &storage_len);
	fd = socket(storage.ss_family, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return -errno;
	if (connect(fd, (struct sockaddr *)&storage, storage_len) != 0 ||
		send(fd, query, len, 0) != (ssize_t)len) {
		int error = -errno;

		close(fd);
		return error;
	}
	return fd;
}

struct lookup *lookup_start(struct loop *loop, const struct endpoint *server, const char *name,
	const char *type, void (*done)(void *arg, int error), void *arg, int *error)
{
	uint8_t query[512];
	size_t len = build_query(query, sizeof(query), name, type);
	struct lookup *lookup;
	int fd = len ? open_and_ask(server, query, len) : -EINVAL;

	if (fd < 0) {
		*error = fd;
		return NULL;
	}
	lookup = mem_new(struct lookup);
	lookup->loop = loop;
	lookup->fd = fd;
	lookup->done = done;
	lookup->arg = arg;
	lookup->io = (struct loop_io){.ready = answered, .arg = lookup};
	lookup->timer = (struct loop_timer){.fired = timed_out, .arg = lookup};
	loop_io_start(loop, &lookup->io, fd, LOOP_READ);
	loop_timer_start(loop, &lookup->timer, TIMEOUT_US);
	return lookup;
}
