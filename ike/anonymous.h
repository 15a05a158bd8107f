/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * How many SAs a host may have with us, when it is nobody (anonymous.c), and for one flow when it is
 * somebody (contact.c): each new one costs what looks through the older ones.
 */
#ifndef IKE_ANONYMOUS_H
#define IKE_ANONYMOUS_H

#include "ike/sa.h"

/* Of one host, for the same flow. */
#define IKE_FLOW_SAS_MAX 3

/* An SA is established, its peer is heard, it ends; nothing if the peer is somebody. */
void ike_anonymous_add(struct ike_sa *sa);
void ike_anonymous_heard(struct ike_sa *sa);
void ike_anonymous_remove(struct ike_sa *sa);
/* How many CHILD SAs its host has on all its SAs; 0 if the peer is somebody. */
size_t ike_anonymous_children(const struct ike_sa *sa);
/* It stands, with its CHILD SA: over a bound another one ends, or it itself if it has none. */
void ike_anonymous_admit(struct ike_sa *fresh);
/* The same for a peer that is somebody: for the flows of a fresh one, the oldest of too many ends. */
void ike_contact_admit(struct ike_sa *fresh);

/* Whatever it carries the other one carries too. */
bool ike_sa_is_covered(const struct ike_sa *sa, const struct ike_sa *by);

#endif
