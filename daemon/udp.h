/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The IKE sockets: UDP 500 and 4500, one socket a family and port, wildcard
 * with PKTINFO, so that a datagram carries both endpoints. All are exempt from
 * IPsec policy (K3). On 4500 the kernel takes ESP and keepalives out, and this
 * file adds and removes the non-ESP marker (RFC 7296 2.23).
 */
#ifndef DAEMON_UDP_H
#define DAEMON_UDP_H

#include "lib/ipsec.h"

struct loop;
struct udp;

struct udp_events {
	void (*datagram)(void *arg, const struct path *path, const uint8_t *data, size_t len);
	/* ICMP says that a datagram of ours did not arrive; `quoted` is its beginning. */
	void (*unreachable)(
		void *arg, const struct path *path, const uint8_t *quoted, size_t len);
};

/* Opens and prepares the sockets; NULL with *error -errno. Needs CAP_NET_ADMIN and low ports. */
struct udp *udp_open(struct loop *loop, const struct udp_events *events, void *arg, int *error);
void udp_close(struct udp *udp);
/* Best effort, like UDP: a datagram that cannot be sent is lost, retransmission heals it. */
void udp_send(struct udp *udp, const struct path *path, const uint8_t *data, size_t len);

/* Sends bytes without the non-ESP marker: a NAT keepalive (RFC 3948 2.3). */
void udp_send_bare(struct udp *udp, const struct path *path, const uint8_t *data, size_t len);

#endif
