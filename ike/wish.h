/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Which IKE SA a flow gets its CHILD SA on (wish.c): what ike_initiate() is asked for
 * either begins an IKE SA or waits, as a wish, for one of the same connection and hosts.
 */
#ifndef IKE_WISH_H
#define IKE_WISH_H

#include "ike/sa.h"

struct ike_wish {
	uint64_t user;
	struct selector selector;
	struct path path; /* as asked for: ports, too */
	uint64_t begun_us, since_us; /* wanted; at its place here and now */
	uint64_t not_before_us;
	unsigned refusals; /* TEMPORARY_FAILURE */
	bool moved;	   /* another IKE SA has not served it */
	struct ike_wish *prev, *next;
};

/* Finds or begins an IKE SA for it; the id of that. */
uint64_t ike_want(struct ike *ike, size_t conn, const struct path *path,
	const struct selector *selector, uint64_t user);
/* An SA that we begin, or that is established, may be shared; it ends. */
void ike_route_add(struct ike_sa *sa);
void ike_route_remove(struct ike_sa *sa);
/* The peer is dead, as far as this SA can tell: the others of both hosts ask, too, whether it is there (N7). */
void ike_route_doubt(struct ike_sa *sa);
/* The peer deletes an SPI that is not known here, on this SA: see ike_create_note_gone(). */
void ike_route_note_gone(struct ike_sa *sa, uint32_t spi);

/* When the first of them is due; IKE_NEVER. Does what is due: true. */
uint64_t ike_wishes_due(const struct ike_sa *sa);
bool ike_wishes_tick(struct ike_sa *sa);
/* Those that wait, the first first; NULL: none. */
struct ike_wish *ike_wishes_of(const struct ike_sa *sa);
size_t ike_wishes_count(const struct ike_sa *sa);
/* It waits for the SA, behind the others or before them. */
void ike_wish_queue(struct ike_sa *sa, struct ike_wish *wish, bool first);
/* Whether somebody waits for what has come up; nobody does any more. */
bool ike_wish_fulfil(struct ike_child_sa *child);
/* All go where another SA serves them, or begin one. */
void ike_wishes_abandon(struct ike_sa *sa);
/* Those that wait, to an SA that takes the place of theirs. */
void ike_wishes_follow(struct ike_sa *from, struct ike_sa *to);
/* The SA ends: what it has begun for them is void; then, when it has ended, they fail with it or go elsewhere. */
void ike_wishes_recall(struct ike_sa *sa);
void ike_wishes_leave(struct ike_sa *sa, enum ike_reason reason);
void ike_wishes_fail(struct ike_sa *sa, enum ike_reason reason);
/* All, also those that are asked for, to be begun anew by who calls. */
struct ike_wish *ike_wishes_take(struct ike_sa *sa);
/* Silent, for an SA that is freed. */
void ike_wishes_free(struct ike_sa *sa);

/* events.c, initiator.c */
void ike_tell_wish_failed(struct ike_sa *sa, const struct ike_wish *wish, enum ike_reason reason);
struct ike_sa *ike_begin(struct ike *ike, size_t conn, const struct path *path,
	const struct selector *selector, uint64_t user);
/* What an error notify of the peer's means for who waits. */
enum ike_reason ike_reason_of(uint16_t notify);

#endif
