/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The CHILD SA: from an SPI to a pair in the data plane, and its end. An IKE SA
 * owns any number of them; outside they are known by id, on the wire by SPI.
 */
#include "ike/create.h"
#include "ike/sa.h"
#include "ike/wish.h"
#include "lib/mem.h"

#include <stdlib.h>
#include <string.h>
#include <utlist.h>

/* --- tables --------------------------------------------------------------------------------- */

/* Random, and not one of ours; below 256 is reserved. */
static uint32_t fresh_spi(struct ike *ike)
{
	struct ike_child_sa *taken;
	uint32_t spi;

	do {
		ike->ops.random(ike->arg, &spi, sizeof(spi));
		HASH_FIND(by_spi, ike->children_by_spi, &spi, sizeof(spi), taken);
	} while (spi < 256 || taken);
	return spi;
}

struct ike_child_sa *ike_child_new(struct ike_sa *sa, uint64_t user)
{
	struct ike_child_sa *child = mem_new(struct ike_child_sa);
	struct ike *ike = sa->ike;

	child->sa = sa;
	child->pub.id = ++ike->last_id;
	child->pub.user = user;
	child->pub.pair.in.spi = fresh_spi(ike);
	child->rekey_us = child->delete_us = IKE_NEVER;
	HASH_ADD(by_id, ike->children, pub.id, sizeof(child->pub.id), child);
	HASH_ADD(by_spi, ike->children_by_spi, pub.pair.in.spi, sizeof(uint32_t), child);
	DL_APPEND(sa->children, child);
	return child;
}

static void enter_user(struct ike_child_sa *child)
{
	struct ike *ike = child->sa->ike;
	struct ike_user *entry;

	HASH_FIND(hh, ike->users, &child->pub.user, sizeof(child->pub.user), entry);
	if (!entry) {
		entry = mem_new(struct ike_user);
		entry->user = child->pub.user;
		HASH_ADD(hh, ike->users, user, sizeof(entry->user), entry);
	}
	DL_APPEND2(entry->children, child, user_prev, user_next);
}

static void leave_user(struct ike_child_sa *child)
{
	struct ike *ike = child->sa->ike;
	struct ike_user *entry;

	HASH_FIND(hh, ike->users, &child->pub.user, sizeof(child->pub.user), entry);
	DL_DELETE2(entry->children, child, user_prev, user_next);
	if (!entry->children) {
		HASH_DEL(ike->users, entry);
		free(entry);
	}
}

static bool is_somebodys(const struct ike_child_sa *child)
{
	return child->state != IKE_CHILD_NEGOTIATING && child->state != IKE_CHILD_ENDED;
}

static void child_free(struct ike_child_sa *child)
{
	struct ike_sa *sa = child->sa;

	ike_create_forget_child(child);
	if (is_somebodys(child))
		leave_user(child);
	HASH_DELETE(by_id, sa->ike->children, child);
	HASH_DELETE(by_spi, sa->ike->children_by_spi, child);
	DL_DELETE(sa->children, child);
	sa_pair_wipe(&child->pub.pair);
	free(child->wish);
	free(child);
}

struct ike_child_sa *ike_child_find(struct ike *ike, uint64_t id)
{
	struct ike_child_sa *child;

	HASH_FIND(by_id, ike->children, &id, sizeof(id), child);
	return child;
}

struct ike_child_sa *ike_child_of_own_spi(struct ike *ike, uint32_t spi)
{
	struct ike_child_sa *child;

	HASH_FIND(by_spi, ike->children_by_spi, &spi, sizeof(spi), child);
	return child;
}

static struct ike_child_sa *find_in(const struct ike_sa *sa, uint32_t spi)
{
	struct ike_child_sa *child;

	DL_FOREACH (sa->children, child) {
		if (child->state != IKE_CHILD_NEGOTIATING && child->pub.pair.out.spi == spi)
			return child;
	}
	return NULL;
}

struct ike_child_sa *ike_child_of_peer_spi(const struct ike_sa *sa, uint32_t spi)
{
	const struct ike_sa *successor = ike_sa_successor(sa);
	struct ike_child_sa *child = find_in(sa, spi);

	return child || !successor ? child : find_in(successor, spi);
}

struct ike_child_sa *ike_children_of_user(struct ike *ike, uint64_t user)
{
	struct ike_user *entry;

	HASH_FIND(hh, ike->users, &user, sizeof(user), entry);
	return entry ? entry->children : NULL;
}

bool ike_child_same(const struct ike_child_sa *a, const struct ike_child_sa *b)
{
	return a->pub.user == b->pub.user && sa_pair_same_selectors(&a->pub.pair, &b->pub.pair);
}

/* --- keys ------------------------------------------------------------------------------------- */

static bool derive_keys(struct ike_child_sa *child, const struct ike_child_seed *seed)
{
	struct sa_pair *pair = &child->pub.pair;

	return ike_keys_child(child->sa->keys, &child->esp, seed->shared, &seed->more, seed->ni, seed->nr,
		seed->initiator ? &pair->out : &pair->in, seed->initiator ? &pair->in : &pair->out);
}

/* --- life ---------------------------------------------------------------------------------------- */

/*
 * A peer that initiates again has lost what it initiated before: what we send
 * on that is lost too. (Where we initiated the other, the two have crossed;
 * where it is of the same IKE SA, the peer has it and replaces it.)
 */
static bool replaces_lost(const struct ike_child_sa *child)
{
	const struct ike_child_sa *other =
		ike_children_of_user(child->sa->ike, child->pub.user);

	for (; other; other = other->user_next) {
		if (other->sa != child->sa && other->sa->came_to_us &&
			ike_child_same(other, child))
			return true;
	}
	return false;
}

static void fill_pair(struct ike_child_sa *child, const struct ike_scope *scope,
	enum ipsec_mode mode, bool initiator)
{
	struct sa_pair *pair = &child->pub.pair;
	struct ike_sa *sa = child->sa;

	pair->mode = mode;
	ike_scope_put(scope, pair);
	pair->encr = child->esp.encr;
	pair->integ = child->esp.integ;
	pair->esn = child->esp.esn;
	pair->peer_sends_first = !initiator && !replaces_lost(child);
	pair->replay_window = ike_sa_conn(sa)->replay_window;
	pair->max_bytes = ike_sa_conn(sa)->child_max_bytes;
	pair->max_packets = ike_sa_conn(sa)->child_max_packets;
	pair->soft_bytes = ike_rekey_amount(sa, pair->max_bytes);
	pair->soft_packets = ike_rekey_amount(sa, pair->max_packets);
	pair->in.src = pair->out.dst = sa->path.remote.addr;
	pair->in.dst = pair->out.src = sa->path.local.addr;
	pair->out.spi = (uint32_t)child->esp.spi;
	pair->encap_local_port = sa->nat ? sa->path.local.port : 0;
	pair->encap_remote_port = sa->nat ? sa->path.remote.port : 0;
}

bool ike_child_install(struct ike_child_sa *child, const struct ike_scope *scope,
	enum ipsec_mode mode, const struct ike_chosen *esp, const struct ike_child_seed *seed)
{
	struct ike_sa *sa = child->sa;
	struct ike_child *pub = &child->pub;

	pub->sa = sa->id;
	pub->role = seed->initiator ? IKE_INITIATOR : IKE_RESPONDER;
	pub->path = sa->path;
	pub->local_auth = sa->local_auth;
	pub->remote_auth = sa->remote_auth;
	pub->conn = sa->conn;
	child->esp = *esp;
	fill_pair(child, scope, mode, seed->initiator);
	if (esp->spi < 256 || esp->spi > UINT32_MAX || !derive_keys(child, seed))
		return false;
	child->state = IKE_CHILD_INSTALLING;
	enter_user(child);
	ike_tell_stage(sa, IKE_STAGE_INSTALLING);
	sa->ike->ops.install(sa->ike->arg, pub);
	sa_pair_wipe_keys(&pub->pair);
	return true;
}

void ike_child_set_up(struct ike_child_sa *child)
{
	struct ike_sa *sa = child->sa;

	child->state = IKE_CHILD_UP;
	child->up_us = sa->ike->now_us;
	sa->had_child = true;
	/* An IKE SA that was to go for want of a CHILD SA has one again. */
	if (sa->delete_reason != IKE_REASON_REDUNDANT && sa->delete_reason != IKE_REASON_REKEYED)
		sa->delete_us = IKE_NEVER;
	ike_rekey_plan_child(child);
	ike_tell_up(child);
}

void ike_child_remove(struct ike_child_sa *child, enum ike_reason reason)
{
	struct ike *ike = child->sa->ike;

	switch (child->state) {
	case IKE_CHILD_NEGOTIATING:
	case IKE_CHILD_ENDED:
		break;
	case IKE_CHILD_INSTALLING:
		ike->ops.remove(ike->arg, &child->pub);
		break;
	case IKE_CHILD_UP:
	case IKE_CHILD_REPLACED:
		ike->ops.remove(ike->arg, &child->pub);
		ike_tell_child_down(child, reason);
		break;
	}
	if (child->wish)
		ike_tell_wish_failed(child->sa, child->wish, reason);
	child_free(child);
}

void ike_child_end(struct ike_child_sa *child, enum ike_reason reason)
{
	struct ike *ike = child->sa->ike;

	ike->ops.remove(ike->arg, &child->pub);
	ike_tell_child_down(child, reason);
	leave_user(child);
	child->state = IKE_CHILD_ENDED;
	child->delete_us = ike->now_us;
	ike_sa_schedule(child->sa);
}

void ike_children_remove(struct ike_sa *sa, enum ike_reason reason)
{
	while (sa->children)
		ike_child_remove(sa->children, reason);
}

void ike_children_forget(struct ike_sa *sa)
{
	while (sa->children)
		child_free(sa->children);
}

/* What an exchange of `from` is about at this moment stays until that exchange is done. */
static bool may_move(const struct ike_child_sa *child)
{
	return (child->state == IKE_CHILD_UP || child->state == IKE_CHILD_REPLACED ||
		       child->state == IKE_CHILD_ENDED) &&
	       !child->deleting;
}

void ike_children_move(struct ike_sa *from, struct ike_sa *to)
{
	struct ike_child_sa *child, *next;

	to->had_child |= from->had_child; /* the last may have gone meanwhile */
	DL_FOREACH_SAFE (from->children, child, next) {
		if (!may_move(child))
			continue;
		DL_DELETE(from->children, child);
		DL_APPEND(to->children, child);
		child->sa = to;
		child->pub.sa = to->id;
		if (is_somebodys(child))
			ike_tell_moved(child);
	}
	ike_wishes_follow(from, to);
}
