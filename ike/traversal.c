/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Life with a NAT on the path (RFC 7296 2.23, RFC 3948; rule N9).
 *
 *   IKE_SA_INIT  both learn who is behind one (nat.c)
 *   IKE_AUTH     the initiator goes to port 4500, where UDP carries ESP
 *   CHILD SA     transport mode; each end puts in the addresses that it sees itself (2.23.1)
 *   later        who is behind the NAT keeps its mapping alive, the other follows it
 *
 * What an address behind a NAT says of itself is never believed: for us the
 * peer is the address and port that its authentic datagrams come from. Any
 * two hosts behind one NAT look the same, so only one of them has a CHILD SA.
 */
#include "ike/sa.h"

#include "ike/nat.h"

#define ENCAP_PORT 4500

void ike_nat_offer(struct ike_sa *sa, struct ike_builder *builder)
{
	enum ike_encapsulation wish = ike_sa_conn(sa)->encapsulation;

	if (wish != IKE_ENCAPSULATION_NO)
		ike_nat_build(builder, sa->spi_i, sa->role == IKE_INITIATOR ? 0 : sa->spi_r, &sa->path,
			wish == IKE_ENCAPSULATION_YES);
}

void ike_nat_note(struct ike_sa *sa, const struct ike_message *init)
{
	enum ike_encapsulation wish = ike_sa_conn(sa)->encapsulation;
	struct ike_notify notify;

	sa->nat = 0;
	if (wish != IKE_ENCAPSULATION_NO)
		sa->nat = ike_nat_detect(init, &sa->path) & (IKE_NAT_HERE | IKE_NAT_THERE);
	/* The peer believes it too, if it knows of NATs at all. */
	if (wish == IKE_ENCAPSULATION_YES &&
		ike_notify_find(init, IKE_NOTIFY_NAT_DETECTION_SOURCE_IP, &notify))
		sa->nat |= IKE_NAT_HERE;
}

void ike_nat_float(struct ike_sa *sa)
{
	if (sa->nat)
		sa->path.local.port = sa->path.remote.port = ENCAP_PORT;
}

/* --- CHILD SAs ---------------------------------------------------------------------------------- */

static void replace_host(struct ike_ts *ts, size_t count, const struct addr *seen)
{
	for (size_t i = 0; i < count; i++) {
		if (ts[i].start.family == seen->family && addr_equal(&ts[i].start, &ts[i].end))
			ts[i].start = ts[i].end = *seen;
	}
}

void ike_nat_substitute(const struct ike_sa *sa, struct ike_selectors *selectors)
{
	if (sa->nat & IKE_NAT_HERE)
		replace_host(selectors->local, selectors->local_count, &sa->path.local.addr);
	if (sa->nat & IKE_NAT_THERE)
		replace_host(selectors->remote, selectors->remote_count, &sa->path.remote.addr);
}

bool ike_nat_permits(struct ike_sa *sa, bool transport)
{
	const char *why = NULL;

	if (!sa->nat)
		return true;
	if ((sa->nat & IKE_NAT_THERE) && sa->remote_auth == IKE_AUTH_NULL)
		why = "the peer is behind a NAT and anonymous";
	else if (!transport)
		why = "a NAT is between and the peer asks for tunnel mode";
	else if (sa->path.local.port != ENCAP_PORT)
		why = "a NAT is between and the peer has not gone to port 4500";
	if (why)
		ike_note_detail(sa, why);
	return !why;
}

bool ike_nat_is_taken(struct ike_sa *sa, uint64_t user)
{
	struct ike_child_sa *child;

	for (child = ike_children_of_user(sa->ike, user); child; child = child->user_next) {
		if (child->sa == sa || !((child->sa->nat | sa->nat) & IKE_NAT_THERE) ||
			ike_sa_same_peer(child->sa, sa))
			continue;
		/* If that one is dead, the next try of this one finds the place free. */
		ike_send_probe(child->sa);
		ike_note_detail(sa, "another host behind the same NAT has the tunnel");
		return true;
	}
	return false;
}

bool ike_in_transport(const struct ike_sa *sa, bool asked)
{
	return asked && (sa->nat || ike_sa_conn(sa)->mode == IPSEC_TRANSPORT);
}

/* --- the mapping ---------------------------------------------------------------------------------- */

/* The peer is at another port: its CHILD SAs are, too. */
static void move_children(struct ike_sa *sa)
{
	struct ike_child_sa *child;

	for (child = sa->children; child; child = child->next) {
		child->pub.path = sa->path;
		if (child->state == IKE_CHILD_NEGOTIATING || child->state == IKE_CHILD_ENDED ||
			!child->pub.pair.encap_remote_port)
			continue;
		child->pub.pair.encap_remote_port = sa->path.remote.port;
		sa->ike->ops.move(sa->ike->arg, &child->pub);
	}
}

void ike_nat_follow(struct ike_sa *sa)
{
	const struct path *from = sa->ike->from;
	bool moved = sa->path.remote.port != from->remote.port;

	if (sa->role == IKE_INITIATOR && !(sa->nat & IKE_NAT_THERE))
		return;
	/* Across a NAT who has gone to port 4500 stays there (2.23): ESP in UDP is there, and so is its mapping. */
	if (sa->nat && sa->path.local.port == ENCAP_PORT && from->local.port != ENCAP_PORT)
		return;
	sa->path.local.port = from->local.port;
	sa->path.remote.port = from->remote.port;
	if (moved && (sa->nat & IKE_NAT_THERE))
		move_children(sa);
}

void ike_remap(struct ike *ike, uint32_t spi, uint16_t port, uint64_t now_us)
{
	struct ike_child_sa *child = ike_child_of_own_spi(ike, spi);

	ike->now_us = now_us;
	if (child && (child->sa->nat & IKE_NAT_THERE) && port && child->sa->path.remote.port != port) {
		child->sa->path.remote.port = port;
		move_children(child->sa);
	}
	ike_settle(ike);
}

uint64_t ike_keepalive_due(const struct ike_sa *sa)
{
	/* Before authentication it is anybody's word that a NAT is here. */
	if (sa->state != IKE_SA_ESTABLISHED || !sa->children || !(sa->nat & IKE_NAT_HERE) ||
		ike_sa_conn(sa)->no_keepalive)
		return IKE_NEVER;
	return sa->sent_us + sa->ike->config.keepalive_s * UINT64_C(1000000);
}

bool ike_keepalive_tick(struct ike_sa *sa)
{
	static const uint8_t keepalive = 0xff; /* RFC 3948 2.3 */

	if (ike_keepalive_due(sa) > sa->ike->now_us)
		return false;
	sa->sent_us = sa->ike->now_us;
	sa->ike->ops.keepalive(sa->ike->arg, &sa->path, &keepalive, sizeof(keepalive));
	ike_sa_schedule(sa);
	return true;
}
