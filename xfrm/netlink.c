/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Netlink sockets (netlink.h). */
#include "xfrm/netlink.h"

#include "lib/log.h"
#include "lib/loop.h"
#include "lib/mem.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/filter.h>
#include <linux/xfrm.h>
#include <netlink/msg.h>
#include <netlink/netlink.h>
#include <netlink/socket.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <utlist.h>

#define EVENT_BUFFER (8 << 20)
#define RECEIVE_SIZE 65536

/* A datagram of events that was read and noted, and waits for the loop. */
struct heard {
	struct heard *prev, *next;
	size_t len;
	_Alignas(struct nlmsghdr) char data[];
};

/* Owned by the data plane. */
struct netlink {
	struct loop *loop;
	struct nl_sock *requests;
	struct nl_sock *events;
	struct nl_sock *changes; /* what others do to policies */
	struct loop_io io, changes_io;
	struct netlink_events take;
	void *arg;
	struct heard *heard;
	bool has_lost;
	struct loop_timer deliver;
	char buffer[RECEIVE_SIZE]; /* of requests */
	char event_buffer[RECEIVE_SIZE];
};

static void each_message(struct netlink *nl, netlink_take take, char *data, size_t len)
{
	unsigned left = (unsigned)len;

	for (struct nlmsghdr *header = (struct nlmsghdr *)data; NLMSG_OK(header, left);
		header = NLMSG_NEXT(header, left))
		take(nl->arg, header);
}

/* Taking one may read more of them, which then wait at the end. */
static void deliver(struct netlink *nl)
{
	while (nl->heard) {
		struct heard *heard = nl->heard;

		DL_DELETE(nl->heard, heard);
		each_message(nl, nl->take.event, heard->data, heard->len);
		free(heard);
	}
	if (nl->has_lost) {
		nl->has_lost = false;
		nl->take.lost(nl->arg);
	}
}

static void deliver_later(struct loop_timer *timer)
{
	deliver(timer->arg);
}

static void event_ready(struct loop_io *io, int events)
{
	(void)events;
	netlink_read_events(io->arg);
	deliver(io->arg);
}

/* What they were is read when it is asked for. */
static void changes_ready(struct loop_io *io, int events)
{
	struct netlink *nl = io->arg;
	bool deleted = false;

	(void)events;
	for (;;) {
		struct nlmsghdr first = {0};
		ssize_t got = recv(nl_socket_get_fd(nl->changes), &first, sizeof(first), MSG_DONTWAIT);

		if (got < 0 && errno != ENOBUFS)
			break;
		/* One notice is one datagram; of what was lost nothing is known. */
		deleted = deleted || got < 0 || first.nlmsg_type == XFRM_MSG_DELPOLICY ||
			  first.nlmsg_type == XFRM_MSG_FLUSHPOLICY;
	}
	nl->take.changed(nl->arg, deleted);
}

static struct nl_sock *open_socket(int *error)
{
	struct nl_sock *sock = nl_socket_alloc();

	if (!sock || nl_connect(sock, NETLINK_XFRM) != 0) {
		*error = errno ? -errno : -EPROTONOSUPPORT;
		if (sock)
			nl_socket_free(sock);
		return NULL;
	}
	return sock;
}

/* Of our own changes, tens of thousands at a start, the kernel tells nothing. */
static bool only_of_others(struct nl_sock *changes, const struct nl_sock *requests)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct nlmsghdr, nlmsg_pid)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, htonl(nl_socket_get_local_port(requests)), 0, 1),
		BPF_STMT(BPF_RET | BPF_K, 0),
		BPF_STMT(BPF_RET | BPF_K, UINT32_MAX)};
	struct sock_fprog program = {.len = ARRAY_LEN(code), .filter = code};

	return setsockopt(nl_socket_get_fd(changes), SOL_SOCKET, SO_ATTACH_FILTER, &program,
		       sizeof(program)) == 0;
}

struct netlink *netlink_open(
	struct loop *loop, const struct netlink_events *events, void *arg, int *error)
{
	struct netlink *nl = mem_new(struct netlink);
	int size = EVENT_BUFFER;

	nl->loop = loop;
	nl->take = *events;
	nl->arg = arg;
	nl->deliver = (struct loop_timer){.fired = deliver_later, .arg = nl};
	nl->requests = open_socket(error);
	nl->events = nl->requests ? open_socket(error) : NULL;
	nl->changes = nl->events ? open_socket(error) : NULL;
	if (!nl->changes || !only_of_others(nl->changes, nl->requests) ||
		nl_socket_add_memberships(nl->changes, XFRMNLGRP_POLICY, 0) != 0 ||
		nl_socket_add_memberships(nl->events, XFRMNLGRP_ACQUIRE, XFRMNLGRP_EXPIRE,
			XFRMNLGRP_MAPPING, 0) != 0) {
		if (nl->changes)
			*error = -EPERM;
		netlink_close(nl);
		return NULL;
	}
	if (setsockopt(nl_socket_get_fd(nl->events), SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof(size)))
		log_debug("the event buffer stays at its default size");
	nl->io = (struct loop_io){.ready = event_ready, .arg = nl};
	loop_io_start(loop, &nl->io, nl_socket_get_fd(nl->events), LOOP_READ);
	nl->changes_io = (struct loop_io){.ready = changes_ready, .arg = nl};
	loop_io_start(loop, &nl->changes_io, nl_socket_get_fd(nl->changes), LOOP_READ);
	return nl;
}

void netlink_close(struct netlink *nl)
{
	struct heard *heard, *next;

	if (!nl)
		return;
	loop_io_stop(nl->loop, &nl->io);
	loop_io_stop(nl->loop, &nl->changes_io);
	loop_timer_stop(nl->loop, &nl->deliver);
	DL_FOREACH_SAFE (nl->heard, heard, next)
		free(heard);
	if (nl->requests)
		nl_socket_free(nl->requests);
	if (nl->events)
		nl_socket_free(nl->events);
	if (nl->changes)
		nl_socket_free(nl->changes);
	free(nl);
}

static int error_of(const struct nlmsghdr *header)
{
	const struct nlmsgerr *error = NLMSG_DATA(header);

	return header->nlmsg_len < NLMSG_LENGTH(sizeof(*error)) ? -EBADMSG : error->error;
}

/* One datagram's messages; true when the answer is complete, with *result. */
static bool take_answer(char *data, size_t len, uint32_t seq, netlink_take take, void *arg, int *result)
{
	unsigned left = (unsigned)len;

	for (struct nlmsghdr *header = (struct nlmsghdr *)data; NLMSG_OK(header, left);
		header = NLMSG_NEXT(header, left)) {
		if (header->nlmsg_seq != seq)
			continue;
		if (header->nlmsg_type == NLMSG_ERROR || header->nlmsg_type == NLMSG_DONE) {
			*result = header->nlmsg_type == NLMSG_ERROR ? error_of(header) : 0;
			return true;
		}
		if (take)
			take(arg, header);
		/* A single answer has no end mark of its own. */
		if (!(header->nlmsg_flags & NLM_F_MULTI) && take) {
			*result = 0;
			return true;
		}
	}
	return false;
}

static int exchange(struct netlink *nl, struct nl_msg *request, bool ack, netlink_take take, void *arg)
{
	struct nlmsghdr *header = nlmsg_hdr(request);
	int fd = nl_socket_get_fd(nl->requests), result = 0;
	uint32_t seq;

	nl_complete_msg(nl->requests, request);
	header->nlmsg_flags =
		(uint16_t)((header->nlmsg_flags & ~NLM_F_ACK) | (ack ? NLM_F_ACK : 0));
	seq = header->nlmsg_seq;
	if (send(fd, header, header->nlmsg_len, 0) < 0)
		result = -errno;
	while (result == 0) {
		ssize_t got = recv(fd, nl->buffer, sizeof(nl->buffer), 0);

		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			result = -errno;
		else if (take_answer(nl->buffer, (size_t)got, seq, take, arg, &result))
			break;
	}
	nlmsg_free(request);
	return result;
}

int netlink_request(struct netlink *nl, struct nl_msg *request)
{
	return exchange(nl, request, true, NULL, NULL);
}

int netlink_query(struct netlink *nl, struct nl_msg *request, netlink_take take, void *arg)
{
	return exchange(nl, request, false, take, arg);
}

void netlink_read_events(struct netlink *nl)
{
	int fd = nl_socket_get_fd(nl->events);

	for (;;) {
		ssize_t got = recv(fd, nl->event_buffer, sizeof(nl->event_buffer), MSG_DONTWAIT);
		struct heard *heard;

		if (got < 0 && errno == ENOBUFS) {
			nl->has_lost = true;
			continue;
		}
		if (got <= 0)
			break;
		heard = mem_zalloc(sizeof(*heard) + (size_t)got);
		heard->len = (size_t)got;
		memcpy(heard->data, nl->event_buffer, heard->len);
		DL_APPEND(nl->heard, heard);
		each_message(nl, nl->take.note, heard->data, heard->len);
	}
	if (nl->heard || nl->has_lost)
		loop_timer_start(nl->loop, &nl->deliver, 0);
}
