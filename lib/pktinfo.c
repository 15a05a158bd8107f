/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Local addresses of datagrams (pktinfo.h). */
#include "lib/pktinfo.h"

#include <errno.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>

union control {
	struct cmsghdr align;
	char room[PKTINFO_ROOM];
};

int pktinfo_enable(int fd, uint8_t family)
{
	int on = 1;
	int result = family == ADDR_IPV4
			     ? setsockopt(fd, IPPROTO_IP, IP_PKTINFO, &on, sizeof(on))
			     : setsockopt(fd, IPPROTO_IPV6, IPV6_RECVPKTINFO, &on, sizeof(on));

	return result == 0 ? 0 : -errno;
}

void pktinfo_read(struct msghdr *msg, struct addr *out)
{
	*out = (struct addr){0};
	for (struct cmsghdr *c = CMSG_FIRSTHDR(msg); c; c = CMSG_NXTHDR(msg, c)) {
		if (c->cmsg_level == IPPROTO_IP && c->cmsg_type == IP_PKTINFO) {
			struct in_pktinfo info;

			memcpy(&info, CMSG_DATA(c), sizeof(info));
			addr_from_bytes(&info.ipi_addr, 4, out);
		}
		if (c->cmsg_level == IPPROTO_IPV6 && c->cmsg_type == IPV6_PKTINFO) {
			struct in6_pktinfo info;

			memcpy(&info, CMSG_DATA(c), sizeof(info));
			addr_from_bytes(&info.ipi6_addr, 16, out);
		}
	}
}

ssize_t pktinfo_receive(int fd, int flags, void *data, size_t room, struct endpoint *from,
	struct addr *local)
{
	union control control;
	struct sockaddr_storage storage = {0};
	struct iovec iov = {.iov_base = data, .iov_len = room};
	struct msghdr msg = {.msg_name = &storage,
		.msg_namelen = sizeof(storage),
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = control.room,
		.msg_controllen = sizeof(control.room)};
	ssize_t got = recvmsg(fd, &msg, flags);

	if (got < 0)
		return -1;
	*from = (struct endpoint){0};
	endpoint_from_sockaddr((struct sockaddr *)&storage, from);
	pktinfo_read(&msg, local);
	return got;
}

void pktinfo_put(struct msghdr *msg, const struct addr *local)
{
	struct cmsghdr *c;

	msg->msg_controllen = PKTINFO_ROOM;
	c = CMSG_FIRSTHDR(msg);
	if (local->family == ADDR_IPV4) {
		struct in_pktinfo info = {0};

		memcpy(&info.ipi_spec_dst, local->bytes, 4);
		c->cmsg_level = IPPROTO_IP;
		c->cmsg_type = IP_PKTINFO;
		c->cmsg_len = CMSG_LEN(sizeof(info));
		memcpy(CMSG_DATA(c), &info, sizeof(info));
		msg->msg_controllen = CMSG_SPACE(sizeof(info));
	} else {
		struct in6_pktinfo info = {0};

		memcpy(&info.ipi6_addr, local->bytes, 16);
		c->cmsg_level = IPPROTO_IPV6;
		c->cmsg_type = IPV6_PKTINFO;
		c->cmsg_len = CMSG_LEN(sizeof(info));
		memcpy(CMSG_DATA(c), &info, sizeof(info));
		msg->msg_controllen = CMSG_SPACE(sizeof(info));
	}
}

bool pktinfo_send(int fd, const struct addr *local, const struct endpoint *to, const void *head,
	size_t head_len, const void *data, size_t len)
{
	union control control = {0};
	struct sockaddr_storage storage;
	unsigned storage_len;
	struct iovec iov[2] = {{.iov_base = (void *)head, .iov_len = head_len},
		{.iov_base = (void *)data, .iov_len = len}};
	struct msghdr msg = {.msg_name = &storage,
		.msg_iov = iov,
		.msg_iovlen = 2,
		.msg_control = control.room};

	endpoint_to_sockaddr(to, &storage, &storage_len);
	msg.msg_namelen = storage_len;
	pktinfo_put(&msg, local);
	return sendmsg(fd, &msg, MSG_NOSIGNAL) >= 0;
}
