/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * UDP on wildcard sockets: which of our addresses a datagram came to, and
 * which one an answer leaves from (ip(7) IP_PKTINFO, ipv6(7) IPV6_PKTINFO).
 */
#ifndef LIB_PKTINFO_H
#define LIB_PKTINFO_H

#include "lib/addr.h"

#include <sys/types.h>

/* Room for the control messages of either call. */
#define PKTINFO_ROOM 512

/* Asks for the information on a socket of the family (enum addr_family); 0 or -errno. */
int pktinfo_enable(int fd, uint8_t family);
struct msghdr;

/* The local address among the control messages of what was received; ADDR_NONE if there is none. */
void pktinfo_read(struct msghdr *msg, struct addr *out);
/* Makes a local address the only control message; msg_control has PKTINFO_ROOM. */
void pktinfo_put(struct msghdr *msg, const struct addr *local);
/* recvmsg() with the local address; `flags` as there. The length, or -1 with errno. */
ssize_t pktinfo_receive(int fd, int flags, void *data, size_t room, struct endpoint *from,
	struct addr *local);
/* sendmsg() of two pieces from a local address; true when it was sent. */
bool pktinfo_send(int fd, const struct addr *local, const struct endpoint *to, const void *head,
	size_t head_len, const void *data, size_t len);

#endif
