/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The IKE sockets (udp.h). */
#include "daemon/udp.h"

#include "lib/log.h"
#include "lib/loop.h"
#include "lib/mem.h"
#include "lib/pktinfo.h"
#include "xfrm/dataplane.h"

#include <errno.h>
#include <linux/udp.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define UDP_SOCKETS 4
#define NON_ESP_MARKER 4
#define DATAGRAM_MAX 65536
#define RECEIVE_BUFFER (4 << 20)

static const struct {
	int family;
	uint16_t port;
} kinds[UDP_SOCKETS] = {{AF_INET, 500}, {AF_INET, 4500}, {AF_INET6, 500}, {AF_INET6, 4500}};

struct udp_socket {
	struct udp *udp;
	int fd;
	int family;
	uint16_t port;
	struct loop_io io;
};

/* Owned by the daemon. */
struct udp {
	struct loop *loop;
	struct udp_events events;
	void *arg;
	struct udp_socket sockets[UDP_SOCKETS];
	uint8_t buffer[DATAGRAM_MAX];
};

static ssize_t receive(struct udp_socket *socket, int flags, struct path *path)
{
	struct udp *udp = socket->udp;

	*path = (struct path){.local.port = socket->port};
	return pktinfo_receive(socket->fd, flags | MSG_DONTWAIT, udp->buffer, sizeof(udp->buffer),
		&path->remote, &path->local.addr);
}

/* Skips the non-ESP marker of port 4500; false for what is not IKE. */
static bool strip_marker(const struct udp_socket *socket, const uint8_t **data, size_t *len)
{
	static const uint8_t marker[NON_ESP_MARKER];

	if (socket->port != 4500)
		return true;
	if (*len < NON_ESP_MARKER || memcmp(*data, marker, NON_ESP_MARKER) != 0)
		return false;
	*data += NON_ESP_MARKER;
	*len -= NON_ESP_MARKER;
	return true;
}

static void read_error(struct udp_socket *socket)
{
	struct udp *udp = socket->udp;
	struct path path;
	ssize_t got = receive(socket, MSG_ERRQUEUE, &path);
	const uint8_t *data = udp->buffer;
	size_t len = (size_t)got;

	if (got >= 0 && strip_marker(socket, &data, &len))
		udp->events.unreachable(udp->arg, &path, data, len);
}

static void read_datagram(struct udp_socket *socket)
{
	struct udp *udp = socket->udp;
	struct path path;
	/* A failure is an ICMP error that the error queue tells, too. */
	ssize_t got = receive(socket, 0, &path);
	const uint8_t *data = udp->buffer;
	size_t len = (size_t)got;

	if (got >= 0 && path.local.addr.family != ADDR_NONE && strip_marker(socket, &data, &len))
		udp->events.datagram(udp->arg, &path, data, len);
}

/* One of each in a turn of the loop: an answer from the cache waits for one message of IKE, not for a flood. */
static void socket_ready(struct loop_io *io, int events)
{
	struct udp_socket *socket = io->arg;

	(void)events;
	read_error(socket);
	read_datagram(socket);
}

static int set_int(int fd, int level, int option, int value)
{
	return setsockopt(fd, level, option, &value, sizeof(value)) == 0 ? 0 : -errno;
}

static int prepare(int fd, int family, uint16_t port)
{
	int error = 0;

	if (family == AF_INET6) {
		error = set_int(fd, IPPROTO_IPV6, IPV6_V6ONLY, 1);
		if (!error)
			error = set_int(fd, IPPROTO_IPV6, IPV6_RECVERR, 1);
	} else {
		error = set_int(fd, IPPROTO_IP, IP_RECVERR, 1);
	}
	if (!error)
		error = pktinfo_enable(fd, family == AF_INET ? ADDR_IPV4 : ADDR_IPV6);
	if (!error)
		error = dp_bypass_socket(fd, family == AF_INET ? ADDR_IPV4 : ADDR_IPV6);
	if (!error && port == 4500 &&
		set_int(fd, IPPROTO_UDP, UDP_ENCAP, UDP_ENCAP_ESPINUDP) != 0)
		log_warning("UDP encapsulation of ESP is not available for %s here",
			family == AF_INET ? "IPv4" : "IPv6");
	/* A larger buffer is a help, not a need. */
	set_int(fd, SOL_SOCKET, SO_RCVBUFFORCE, RECEIVE_BUFFER);
	return error;
}

static int bind_wildcard(int fd, int family, uint16_t port)
{
	struct endpoint any = {.addr.family = family == AF_INET ? ADDR_IPV4 : ADDR_IPV6, .port = port};
	struct sockaddr_storage storage;
	unsigned len;

	endpoint_to_sockaddr(&any, &storage, &len);
	return bind(fd, (struct sockaddr *)&storage, len) == 0 ? 0 : -errno;
}

static int open_socket(struct udp *udp, struct udp_socket *sock, int family, uint16_t port)
{
	int error;

	*sock = (struct udp_socket){.udp = udp, .family = family, .port = port};
	sock->fd = socket(family, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (sock->fd < 0)
		return -errno;
	error = prepare(sock->fd, family, port);
	if (!error)
		error = bind_wildcard(sock->fd, family, port);
	if (error)
		return error;
	sock->io = (struct loop_io){.ready = socket_ready, .arg = sock};
	loop_io_start(udp->loop, &sock->io, sock->fd, LOOP_READ);
	return 0;
}

struct udp *udp_open(struct loop *loop, const struct udp_events *events, void *arg, int *error)
{
	struct udp *udp = mem_new(struct udp);

	udp->loop = loop;
	udp->events = *events;
	udp->arg = arg;
	for (size_t i = 0; i < UDP_SOCKETS; i++)
		udp->sockets[i].fd = -1;
	for (size_t i = 0; i < UDP_SOCKETS; i++) {
		*error = open_socket(udp, &udp->sockets[i], kinds[i].family, kinds[i].port);
		/* A host without IPv6 is a host. */
		if (*error == -EAFNOSUPPORT && kinds[i].family == AF_INET6)
			*error = 0;
		if (*error) {
			log_error("cannot open UDP port %u for IKE: %s", kinds[i].port,
				strerror(-*error));
			udp_close(udp);
			return NULL;
		}
	}
	return udp;
}

void udp_close(struct udp *udp)
{
	if (!udp)
		return;
	for (size_t i = 0; i < UDP_SOCKETS; i++) {
		loop_io_stop(udp->loop, &udp->sockets[i].io);
		if (udp->sockets[i].fd >= 0)
			close(udp->sockets[i].fd);
	}
	free(udp);
}

static struct udp_socket *socket_for(struct udp *udp, const struct path *path)
{
	int family = path->remote.addr.family == ADDR_IPV4 ? AF_INET : AF_INET6;

	for (size_t i = 0; i < UDP_SOCKETS; i++) {
		struct udp_socket *socket = &udp->sockets[i];

		if (socket->fd >= 0 && socket->family == family && socket->port == path->local.port)
			return socket;
	}
	return NULL;
}

static void send_datagram(struct udp *udp, const struct path *path, size_t head_len, const uint8_t *data,
	size_t len)
{
	static const uint8_t marker[NON_ESP_MARKER];
	struct udp_socket *socket = socket_for(udp, path);

	if (!socket)
		return;
	/* The first try may only report the ICMP error of an earlier datagram. */
	if (!pktinfo_send(socket->fd, &path->local.addr, &path->remote, marker, head_len, data, len) &&
		!pktinfo_send(
			socket->fd, &path->local.addr, &path->remote, marker, head_len, data, len))
		log_debug("IKE datagram not sent: %s", strerror(errno));
}

void udp_send(struct udp *udp, const struct path *path, const uint8_t *data, size_t len)
{
	send_datagram(udp, path, path->local.port == 4500 ? NON_ESP_MARKER : 0, data, len);
}

void udp_send_bare(struct udp *udp, const struct path *path, const uint8_t *data, size_t len)
{
	send_datagram(udp, path, 0, data, len);
}
