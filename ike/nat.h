/* SPDX-License-Identifier: GPL-2.0-or-later */
/* NAT detection (RFC 7296 2.23). */
#ifndef IKE_NAT_H
#define IKE_NAT_H

#include "ike/message.h"
#include "lib/ipsec.h"

/* Adds both notifies for a message that we send on `path`. */
void ike_nat_build(struct ike_builder *builder, uint64_t spi_i, uint64_t spi_r, const struct path *path);
/* True when the notifies of a message that came on `path` tell of a NAT; none of them: no NAT. */
bool ike_nat_detected(const struct ike_message *message, const struct path *path);

#endif
