/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A client of a resolver that runs in the test's own loop: asks and waits, over UDP and TCP. */
#ifndef T_UNIT_RESOLVER_CLIENT_H
#define T_UNIT_RESOLVER_CLIENT_H

#include "lib/loop.h"
#include "t/tap.h"
#include "t/unit/resolver_packet.h"

#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

static struct loop *loop;
static uint16_t port;

__attribute__((unused)) static uint16_t free_port(void)
{
	struct sockaddr_in any = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
	socklen_t len = sizeof(any);
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	if (bind(fd, (struct sockaddr *)&any, len) != 0 ||
		getsockname(fd, (struct sockaddr *)&any, &len) != 0)
		exit(1);
	close(fd);
	return ntohs(any.sin_port);
}

static void stop_loop(struct loop_timer *timer)
{
	(void)timer;
	loop_stop(loop);
}

static void can_read(struct loop_io *io, int events)
{
	(void)io, (void)events;
	loop_stop(loop);
}

/* Until there is something to read, or the time is over. */
static bool wait_for(int fd, unsigned ms)
{
	struct loop_timer limit = {.fired = stop_loop};
	struct loop_io io = {.ready = can_read};
	struct pollfd poll_fd = {.fd = fd, .events = POLLIN};

	loop_timer_start(loop, &limit, ms * 1000u);
	loop_io_start(loop, &io, fd, LOOP_READ);
	loop_run(loop);
	loop_io_stop(loop, &io);
	loop_timer_stop(loop, &limit);
	return poll(&poll_fd, 1, 0) == 1;
}

static int connect_to(const char *text, int type)
{
	struct endpoint endpoint;
	struct sockaddr_storage storage;
	unsigned len;
	int fd;

	endpoint_parse(text, port, &endpoint);
	endpoint_to_sockaddr(&endpoint, &storage, &len);
	fd = socket(storage.ss_family, type | SOCK_CLOEXEC, 0);
	if (connect(fd, (struct sockaddr *)&storage, len) != 0)
		exit(1);
	return fd;
}

enum { PLAIN, EDNS, DO };

static struct packet p;

static void prepare(const char *name, uint16_t type, int edns, uint16_t id)
{
	packet_begin(&p, id, 0x0100, name, type);
	if (edns != PLAIN)
		packet_opt(&p, 1232, edns == DO);
}

static unsigned took_ms;

/* What comes back on a socket; not `good` when nothing does in time. */
__attribute__((unused)) static struct reply receive(int fd, unsigned ms)
{
	static uint8_t data[4096];
	uint64_t start_us = loop_now_us(loop);
	ssize_t got = wait_for(fd, ms) ? recv(fd, data, sizeof(data), MSG_DONTWAIT) : 0;

	took_ms = (unsigned)((loop_now_us(loop) - start_us) / 1000);
	return got > 0 ? read_reply(data, (size_t)got) : (struct reply){0};
}

static void send_to(int fd)
{
	if (send(fd, p.data, p.w.len, 0) < 0)
		diag("send: %s", strerror(errno));
}

__attribute__((unused)) static struct reply ask_at(const char *where, const char *name, uint16_t type, int edns)
{
	int fd = connect_to(where, SOCK_DGRAM);
	struct reply reply;

	prepare(name, type, edns, 0x4242);
	send_to(fd);
	reply = receive(fd, 3000);
	close(fd);
	return reply;
}

__attribute__((unused)) static struct reply ask(const char *name, uint16_t type, int edns)
{
	return ask_at("127.0.0.1", name, type, edns);
}

__attribute__((unused)) static size_t receive_tcp(int fd, uint8_t *data, size_t want_len)
{
	size_t len = 0;

	while (len < want_len && wait_for(fd, 3000)) {
		ssize_t got = recv(fd, data + len, want_len - len, MSG_DONTWAIT);

		if (got <= 0)
			break;
		len += (size_t)got;
	}
	return len;
}

#endif
