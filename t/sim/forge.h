/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Authentic messages that an engine has not thought of itself: made by host 1 with its keys, for host 0. */
#ifndef T_SIM_FORGE_H
#define T_SIM_FORGE_H

#include "ike/message.h"
#include "t/sim/world.h"

struct ike_sa;

/* The last protected answer of host 0, opened, and how many there were. */
struct forge_seen {
	uint8_t plain[IKE_MESSAGE_MAX];
	struct ike_message inner;
	unsigned count;
};

extern struct forge_seen forge_seen;

/* A filter that fills forge_seen, and lets everything pass. */
bool forge_look(struct world *w, struct packet *packet);
/* Sends a chain under the keys of host 1's SA as its next request (plus `ahead`). */
void forge_request(struct world *w, struct ike_sa *sa, uint8_t exchange, struct ike_builder *chain, uint32_t ahead);
/* The same as the answer to the request of host 0 with that ID. */
void forge_answer(struct world *w, struct ike_sa *sa, uint8_t exchange, struct ike_builder *chain, uint32_t id);
/* Whether there was one answer, and it has a notify. */
bool forge_answered_with(uint16_t type);

#endif
