/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * UDP and TCP listeners (listener.h). TCP follows RFC 7766: several queries a
 * connection, answers in any order, closed when idle. A client that has closed
 * its side still gets what it has asked for (RFC 9293 3.6). Connections are
 * bounded; the one that was silent for longest makes room.
 */
#include "resolver/listener.h"

#include "lib/loop.h"
#include "lib/mem.h"
#include "lib/pktinfo.h"
#include "lib/strbuf.h"
#include "resolver/batch.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include <utlist.h>

#define UDP_BUFFER (1 << 20)
#define TCP_MAX 256
#define TCP_IDLE_US 10000000u
#define TCP_BACKLOG 64
#define TCP_MAX_UNSENT (256u << 10) /* besides what the kernel holds: some of the longest answers */
#define LENGTH_LEN 2
#define DATAGRAM_MAX 65535

struct connection {
	struct listener *listener;
	uint64_t id;
	int fd;
	struct endpoint remote;
	struct addr local; /* that was asked, also where we listen on all */
	struct loop_io io;
	struct loop_timer idle;
	unsigned pending; /* queries whose answers are to come */
	bool ended;	  /* the client sends no more */
	struct strbuf in, out;
	struct connection *prev, *next;
};

/* Owned by the resolver. */
struct listener {
	struct loop *loop;
	struct endpoint endpoint;
	listener_query query;
	void *arg;
	int udp, tcp;
	struct loop_io udp_io, tcp_io;
	struct batch *batch; /* of udp */
	struct connection *connections; /* longest silent first */
	size_t connection_count;
	uint64_t last_id;
	uint8_t buffer[DATAGRAM_MAX];
};

/* --- UDP -------------------------------------------------------------------------------------- */

static void udp_ready(struct loop_io *io, int events)
{
	struct listener *listener = io->arg;
	size_t count;

	(void)events;
	count = batch_receive(listener->batch);
	for (size_t i = 0; i < count; i++) {
		struct batch_datagram datagram;
		struct client client = {.listener = listener};

		batch_get(listener->batch, i, &datagram);
		client.remote = datagram.remote;
		client.local = datagram.local;
		if (datagram.len)
			listener->query(listener->arg, &client, datagram.data, datagram.len);
	}
	batch_flush(listener->batch);
}

/* --- TCP -------------------------------------------------------------------------------------- */

static void connection_free(struct connection *connection)
{
	struct listener *listener = connection->listener;

	loop_io_stop(listener->loop, &connection->io);
	loop_timer_stop(listener->loop, &connection->idle);
	close(connection->fd);
	strbuf_clear(&connection->in);
	strbuf_clear(&connection->out);
	DL_DELETE(listener->connections, connection);
	listener->connection_count--;
	free(connection);
}

/* RFC 7766 3: idle is who has no query outstanding. */
static void idle(struct loop_timer *timer)
{
	struct connection *connection = timer->arg;

	if (connection->pending)
		loop_timer_start(connection->listener->loop, timer, TCP_IDLE_US);
	else
		connection_free(connection);
}

static void drop_front(struct strbuf *buf, size_t len)
{
	memmove(buf->text, buf->text + len, buf->len - len);
	buf->len -= len;
}

/* Sends what there is room for; false when the connection is gone, for it failed or has no more to do. */
static bool flush_out(struct connection *connection)
{
	struct strbuf *out = &connection->out;
	ssize_t sent = out->len ? send(connection->fd, out->text, out->len, MSG_NOSIGNAL) : 0;

	if (sent > 0)
		drop_front(out, (size_t)sent);
	if ((sent < 0 && errno != EAGAIN && errno != EINTR) ||
		(connection->ended && !connection->pending && !out->len)) {
		connection_free(connection);
		return false;
	}
	loop_io_events(connection->listener->loop, &connection->io,
		(connection->ended ? 0 : LOOP_READ) | (out->len ? LOOP_WRITE : 0));
	return true;
}

static struct connection *find_connection(struct listener *listener, uint64_t id)
{
	struct connection *connection;

	DL_FOREACH (listener->connections, connection) {
		if (connection->id == id)
			return connection;
	}
	return NULL;
}

/* Hands over the messages that are complete; an answer may come, and end the connection, meanwhile. */
static void take_messages(struct listener *listener, uint64_t id)
{
	struct connection *connection;

	while ((connection = find_connection(listener, id)) && connection->in.len >= LENGTH_LEN) {
		const uint8_t *text = (const uint8_t *)connection->in.text;
		size_t len = (size_t)(text[0] << 8 | text[1]);
		struct client client = {.listener = listener,
			.remote = connection->remote,
			.local = connection->local,
			.connection = id};

		if (connection->in.len < LENGTH_LEN + len)
			return;
		memcpy(listener->buffer, text + LENGTH_LEN, len);
		drop_front(&connection->in, LENGTH_LEN + len);
		connection->pending++;
		if (!listener->query(listener->arg, &client, listener->buffer, len) &&
			(connection = find_connection(listener, id)))
			connection->pending--;
	}
}

static void connection_ready(struct loop_io *io, int events)
{
	struct connection *connection = io->arg;
	struct listener *listener = connection->listener;
	char buffer[4096];
	ssize_t got = 0;

	loop_timer_start(listener->loop, &connection->idle, TCP_IDLE_US);
	DL_DELETE(listener->connections, connection);
	DL_APPEND(listener->connections, connection);
	if ((events & LOOP_WRITE) && !flush_out(connection))
		return;
	if (!(events & LOOP_READ))
		return;
	got = recv(connection->fd, buffer, sizeof(buffer), 0);
	if (got == 0) {
		connection->ended = true;
		flush_out(connection);
	} else if (got < 0 && errno != EAGAIN && errno != EINTR) {
		connection_free(connection);
	} else if (got > 0) {
		strbuf_add(&connection->in, buffer, (size_t)got);
		take_messages(listener, connection->id);
	}
}

static struct addr local_of(int fd)
{
	struct sockaddr_storage storage = {0};
	socklen_t len = sizeof(storage);
	struct endpoint local = {0};

	if (getsockname(fd, (struct sockaddr *)&storage, &len) == 0)
		endpoint_from_sockaddr((struct sockaddr *)&storage, &local);
	return local.addr;
}

static void accept_ready(struct loop_io *io, int events)
{
	struct listener *listener = io->arg;
	struct sockaddr_storage storage = {0};
	socklen_t len = sizeof(storage);
	int fd = accept4(
		listener->tcp, (struct sockaddr *)&storage, &len, SOCK_CLOEXEC | SOCK_NONBLOCK);
	struct connection *connection;

	(void)events;
	if (fd < 0)
		return;
	if (listener->connection_count >= TCP_MAX)
		connection_free(listener->connections);
	connection = mem_new(struct connection);
	connection->listener = listener;
	connection->id = ++listener->last_id;
	connection->fd = fd;
	endpoint_from_sockaddr((struct sockaddr *)&storage, &connection->remote);
	connection->local = local_of(fd);
	connection->io = (struct loop_io){.ready = connection_ready, .arg = connection};
	connection->idle = (struct loop_timer){.fired = idle, .arg = connection};
	DL_APPEND(listener->connections, connection);
	listener->connection_count++;
	loop_io_start(listener->loop, &connection->io, fd, LOOP_READ);
	loop_timer_start(listener->loop, &connection->idle, TCP_IDLE_US);
}

/* --- opening ------------------------------------------------------------------------------------- */

static int bind_socket(const struct endpoint *endpoint, int type)
{
	struct sockaddr_storage storage;
	unsigned len;
	int on = 1, error = 0, fd;

	endpoint_to_sockaddr(endpoint, &storage, &len);
	fd = socket(storage.ss_family, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return -errno;
	if (storage.ss_family == AF_INET6 &&
		setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof(on)) != 0)
		error = -errno;
	/* A connection of an earlier run in TIME_WAIT is no owner of the port. */
	if (!error && type == SOCK_STREAM &&
		setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) != 0)
		error = -errno;
	if (!error && bind(fd, (struct sockaddr *)&storage, len) != 0)
		error = -errno;
	if (error)
		close(fd);
	return error ? error : fd;
}

static int open_sockets(struct listener *listener)
{
	int size = UDP_BUFFER, error;

	listener->udp = bind_socket(&listener->endpoint, SOCK_DGRAM);
	if (listener->udp < 0)
		return listener->udp;
	listener->tcp = bind_socket(&listener->endpoint, SOCK_STREAM);
	if (listener->tcp < 0)
		return listener->tcp;
	/* More room is a help in a burst, not a need. */
	setsockopt(listener->udp, SOL_SOCKET, SO_RCVBUF, &size, sizeof(size));
	/* On one address there is nothing to tell. */
	error = addr_is_any(&listener->endpoint.addr)
			? pktinfo_enable(listener->udp, listener->endpoint.addr.family)
			: 0;
	if (!error && listen(listener->tcp, TCP_BACKLOG) != 0)
		error = -errno;
	return error;
}

struct listener *listener_open(struct loop *loop, const struct endpoint *endpoint,
	listener_query query, void *arg, int *error)
{
	struct listener *listener = mem_new(struct listener);

	listener->loop = loop;
	listener->endpoint = *endpoint;
	listener->query = query;
	listener->arg = arg;
	listener->udp = listener->tcp = -1;
	*error = open_sockets(listener);
	if (*error) {
		listener_close(listener);
		return NULL;
	}
	listener->batch = batch_new(listener->udp, &endpoint->addr);
	listener->udp_io = (struct loop_io){.ready = udp_ready, .arg = listener, .prompt = true};
	listener->tcp_io = (struct loop_io){.ready = accept_ready, .arg = listener};
	loop_io_start(loop, &listener->udp_io, listener->udp, LOOP_READ);
	loop_io_start(loop, &listener->tcp_io, listener->tcp, LOOP_READ);
	return listener;
}

void listener_close(struct listener *listener)
{
	if (!listener)
		return;
	while (listener->connections)
		connection_free(listener->connections);
	loop_io_stop(listener->loop, &listener->udp_io);
	loop_io_stop(listener->loop, &listener->tcp_io);
	batch_free(listener->batch);
	if (listener->udp >= 0)
		close(listener->udp);
	if (listener->tcp >= 0)
		close(listener->tcp);
	free(listener);
}

const struct endpoint *listener_endpoint(const struct listener *listener)
{
	return &listener->endpoint;
}

void listener_answer(const struct client *client, const uint8_t *data, size_t len)
{
	struct listener *listener = client->listener;
	uint8_t length[LENGTH_LEN] = {(uint8_t)(len >> 8), (uint8_t)len};
	struct connection *connection;

	if (!client->connection) {
		if (len)
			batch_send(listener->batch, &client->local, &client->remote, data, len);
		return;
	}
	connection = find_connection(listener, client->connection);
	if (!connection)
		return;
	connection->pending--;
	/* Who asks on and reads nothing is shown so, rather than left to wait for answers that are lost. */
	if (connection->out.len > TCP_MAX_UNSENT) {
		connection_free(connection);
		return;
	}
	if (len && len <= DATAGRAM_MAX) {
		strbuf_add(&connection->out, length, sizeof(length));
		strbuf_add(&connection->out, data, len);
	}
	flush_out(connection);
}
