/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Two hosts, A and B, with several flows between them that share IKE SAs: what the tests about these
 * ask of the world. There is one world at a time.
 */
#ifndef T_SIM_FLOWS_H
#define T_SIM_FLOWS_H

#include "t/sim/world.h"

extern struct world world;

#define A (&world.hosts[0])
#define B (&world.hosts[1])

/* PSK, and nobody talks. */
void begin(uint64_t seed);
/* The same by another method. */
void begin_by(uint64_t seed, enum ike_auth auth);
/* A stops; nothing may be left. */
void end(void);
void want(size_t from, size_t flow);
/* Policy begins nothing for a flow that has a tunnel, nor twice. */
void want_if_idle(size_t from, size_t flow);
/* Requests of a host for a further CHILD SA, or another thing that replaces one. */
size_t creates(size_t from);
size_t inits(size_t from);
bool have_sas(size_t count);
/* Every wish ended once. */
bool ended_once(void);
/* Both have one pair for each of so many flows and nothing else. */
bool stand(size_t flows);
/* A host's oldest for it. */
const struct ike_child *child_of(const struct world_host *host, size_t flow);
/* Filters: no datagram; no answer to CREATE_CHILD_SA. */
bool drop_all(struct world *w, struct packet *packet);
bool drop_answers(struct world *w, struct packet *packet);

#endif
