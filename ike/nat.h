/* SPDX-License-Identifier: GPL-2.0-or-later */
/* NAT detection (RFC 7296 2.23): the notifies of IKE_SA_INIT. What follows from it is in traversal.c. */
#ifndef IKE_NAT_H
#define IKE_NAT_H

#include "ike/message.h"
#include "lib/ipsec.h"

/* Who is behind a NAT; both may be. */
#define IKE_NAT_HERE 1u
#define IKE_NAT_THERE 2u

/*
 * Adds both notifies for a message that we send on `path`. With `pretend` the
 * one of our own address is wrong on purpose: the peer takes us to be behind a NAT.
 */
void ike_nat_build(struct ike_builder *builder, uint64_t spi_i, uint64_t spi_r, const struct path *path,
	bool pretend);
/* What the notifies of a message that came on `path` tell, IKE_NAT_…; without notifies: no NAT. */
unsigned ike_nat_detect(const struct ike_message *message, const struct path *path);

#endif
