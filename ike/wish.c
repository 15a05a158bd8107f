/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Several flows on one IKE SA. A flow whose hosts have an IKE SA of the same connection,
 * established or begun by us, waits for it and gets a CHILD SA there (further.c), one
 * exchange after the other:
 *
 *   wanted -> waits -> asked for -> up
 *                 \________\______-> another IKE SA, or a new one
 *
 * What is begun fails with its first flow; but one that the peer refuses for its selectors
 * says nothing of the others. An established SA that does not serve costs a moment: a peer
 * that has forgotten it is not waited for until liveness says so, which judges it all the
 * same. A wish goes to another SA once, and then has one of its own.
 *
 * An ike_route is owned by its SAs: the first of them makes it, the last that lives frees it.
 */
#include "ike/wish.h"

#include "ike/create.h"
#include "ike/nat.h"
#include "lib/mem.h"

#include <stdlib.h>
#include <string.h>
#include <utlist.h>

/* No answer to a request that has been sent three times by then; longer where peers are far, within bounds (N4). */
#define PATIENCE_US UINT64_C(1000000)

struct ike_route_key {
	struct addr local, remote;
};

struct ike_route {
	struct ike_route_key key;
	struct ike_share *shares;
	UT_hash_handle hh;
};

/* Of an SA that we begin or that is established: strangers' half-open ones are spared it. */
struct ike_share {
	struct ike_sa *sa;
	struct ike_route *route; /* NULL: the SA is dead */
	struct ike_share *prev, *next; /* in ike_route.shares */
	struct ike_wish *wishes;       /* the first first */
};

/* --- SAs between two hosts ------------------------------------------------------------------ */

static struct ike_route *find_route(struct ike *ike, const struct path *path)
{
	struct ike_route_key key = {.local = path->local.addr, .remote = path->remote.addr};
	struct ike_route *route;

	HASH_FIND(hh, ike->routes, &key, sizeof(key), route);
	return route;
}

void ike_route_add(struct ike_sa *sa)
{
	struct ike_route *route = find_route(sa->ike, &sa->path);

	if (sa->share)
		return;
	if (!route) {
		route = mem_new(struct ike_route);
		route->key = (struct ike_route_key){
			.local = sa->path.local.addr, .remote = sa->path.remote.addr};
		HASH_ADD(hh, sa->ike->routes, key, sizeof(route->key), route);
	}
	sa->share = mem_new(struct ike_share);
	sa->share->sa = sa;
	sa->share->route = route;
	DL_APPEND(route->shares, sa->share);
}

void ike_route_remove(struct ike_sa *sa)
{
	struct ike_route *route = sa->share ? sa->share->route : NULL;

	if (!route)
		return;
	sa->share->route = NULL;
	DL_DELETE(route->shares, sa->share);
	if (route->shares)
		return;
	HASH_DEL(sa->ike->routes, route);
	free(route);
}

/* Those between its hosts, its own among them; NULL: it is not in the table. */
static struct ike_share *shares_with(const struct ike_sa *sa)
{
	return sa->share && sa->share->route ? sa->share->route->shares : NULL;
}

void ike_route_doubt(struct ike_sa *sa)
{
	struct ike_share *share = shares_with(sa);

	for (; share; share = share->next) {
		if (share->sa != sa && share->sa->state == IKE_SA_ESTABLISHED)
			ike_live_doubt(share->sa);
	}
}

void ike_route_note_gone(struct ike_sa *sa, uint32_t spi)
{
	struct ike_share *share = shares_with(sa);

	for (; share; share = share->next) {
		if (share->sa->ours && (share->sa == sa || ike_sa_successor(share->sa) == sa))
			ike_create_note_gone(share->sa->ours, spi);
	}
}

struct ike_wish *ike_wishes_of(const struct ike_sa *sa)
{
	return sa->share ? sa->share->wishes : NULL;
}

static void take_off(struct ike_share *share, struct ike_wish *wish)
{
	DL_DELETE(share->wishes, wish);
}

/* --- which one serves --------------------------------------------------------------------------- */

static uint64_t patience_us(const struct ike_sa *sa)
{
	uint64_t far_us = 4 * ike_rtt(sa), most_us = ike_request_budget_us(sa) / 2;

	far_us = far_us < most_us ? far_us : most_us;
	return far_us > PATIENCE_US ? far_us : PATIENCE_US;
}

static bool is_silent(const struct ike_sa *sa)
{
	return sa->request.message.data && sa->ike->now_us - sa->request.sent_us >= patience_us(sa);
}

/* One that a peer has asked for without a CHILD SA stays for a while, and may get one. */
static bool is_going(const struct ike_sa *sa)
{
	bool spare = sa->delete_us != IKE_NEVER && sa->delete_reason != IKE_REASON_REDUNDANT &&
		     sa->delete_reason != IKE_REASON_REKEYED &&
		     sa->delete_us - sa->ike->now_us > IKE_CHILDLESS_LIFE_US;

	return sa->is_replaced || (sa->delete_us != IKE_NEVER && !spare);
}

/* N9: a peer that came to us from behind a NAT may not be the one that we would reach there. */
static bool may_carry(const struct ike_sa *sa)
{
	return !sa->single && !is_going(sa) && !is_silent(sa) &&
	       !(sa->came_to_us && (sa->nat & IKE_NAT_THERE));
}

/* Of ours, and not (yet) likely to fail. */
static bool is_begun(const struct ike_sa *sa)
{
	return sa->role == IKE_INITIATOR && !sa->reported && !sa->established_us &&
	       sa->state != IKE_SA_DELETING && sa->fail_us == IKE_NEVER;
}

static bool wants(const struct ike_sa *sa, uint64_t user)
{
	const struct ike_child_sa *child;
	const struct ike_wish *wish;

	for (wish = ike_wishes_of(sa); wish; wish = wish->next) {
		if (wish->user == user)
			return true;
	}
	for (child = sa->children; child; child = child->next) {
		if (child->wish && child->wish->user == user)
			return true;
	}
	return !sa->established_us && sa->user == user;
}

static bool serves(const struct ike_sa *sa, size_t conn, uint64_t user)
{
	return sa->conn == conn && !ike_sa_conn(sa)->childless && !ike_sa_is_full(sa) && !wants(sa, user) &&
	       (sa->state == IKE_SA_ESTABLISHED ? may_carry(sa) : is_begun(sa));
}

/* What was heard last is there; what is not established yet comes behind it. */
static bool is_better(const struct ike_sa *sa, const struct ike_sa *than)
{
	if (!than || !sa->established_us != !than->established_us)
		return !than || sa->established_us;
	return sa->heard_us > than->heard_us;
}

static bool has_one(struct ike *ike, uint64_t user)
{
	const struct ike_child_sa *child = ike_children_of_user(ike, user);

	while (child && child->state == IKE_CHILD_INSTALLING)
		child = child->user_next;
	return child;
}

static struct ike_sa *choose(struct ike *ike, size_t conn, const struct path *path, uint64_t user,
	const struct ike_sa *except)
{
	const struct ike_route *route = find_route(ike, path);
	const struct ike_share *share;
	struct ike_sa *best = NULL;

	/* Whoever wants a second one for a flow doubts the first. */
	if (has_one(ike, user))
		return NULL;
	for (share = route ? route->shares : NULL; share; share = share->next) {
		if (share->sa != except && serves(share->sa, conn, user) && is_better(share->sa, best))
			best = share->sa;
	}
	return best;
}

uint64_t ike_want(struct ike *ike, size_t conn, const struct path *path,
	const struct selector *selector, uint64_t user)
{
	struct ike_sa *sa = choose(ike, conn, path, user, NULL);
	struct ike_wish *wish;

	if (!sa)
		return ike_begin(ike, conn, path, selector, user)->id;
	wish = mem_new(struct ike_wish);
	wish->user = user;
	wish->selector = *selector;
	wish->path = *path;
	wish->begun_us = ike->now_us;
	ike_wish_queue(sa, wish, false);
	return sa->id;
}

/* --- those that wait -------------------------------------------------------------------------------- */

void ike_wish_queue(struct ike_sa *sa, struct ike_wish *wish, bool first)
{
	wish->since_us = sa->ike->now_us;
	if (first)
		DL_PREPEND(sa->share->wishes, wish);
	else
		DL_APPEND(sa->share->wishes, wish);
	ike_sa_schedule(sa);
}

size_t ike_wishes_count(const struct ike_sa *sa)
{
	size_t count = 0;

	for (const struct ike_wish *wish = ike_wishes_of(sa); wish; wish = wish->next)
		count++;
	return count;
}

static struct ike_child_sa *asked_for(const struct ike_sa *sa)
{
	struct ike_child_sa *child = sa->children;

	while (child && !(child->wish && child->state == IKE_CHILD_NEGOTIATING))
		child = child->next;
	return child;
}

/* 2.25: not while the SA itself is being replaced; nor for a flow that is about to have what it wants. */
static bool may_begin(const struct ike_sa *sa)
{
	return ike_wishes_of(sa) && !sa->request.message.data && !sa->ours && !sa->theirs && !is_going(sa) &&
	       !ike_children_of_user(sa->ike, ike_wishes_of(sa)->user);
}

static uint64_t give_up_us(const struct ike_sa *sa)
{
	const struct ike_child_sa *child = asked_for(sa);
	const struct ike_wish *first = child ? child->wish : ike_wishes_of(sa);

	if (!first)
		return IKE_NEVER;
	if (sa->request.message.data)
		return sa->request.sent_us + patience_us(sa);
	return first->since_us + patience_us(sa);
}

uint64_t ike_wishes_due(const struct ike_sa *sa)
{
	uint64_t due;

	if (sa->state != IKE_SA_ESTABLISHED)
		return IKE_NEVER;
	due = give_up_us(sa);
	return may_begin(sa) && ike_wishes_of(sa)->not_before_us < due ? ike_wishes_of(sa)->not_before_us
									: due;
}

bool ike_wishes_tick(struct ike_sa *sa)
{
	struct ike_wish *wish = ike_wishes_of(sa);

	/* What is known of the round trip, or an exchange of the peer's, may have put it off. */
	if (ike_wishes_due(sa) > sa->ike->now_us) {
		ike_sa_schedule(sa);
		return false;
	}
	if (may_begin(sa) && wish->not_before_us <= sa->ike->now_us) {
		take_off(sa->share, wish);
		wish->since_us = sa->ike->now_us;
		ike_further_begin(sa, wish, ike_sa_conn(sa)->no_pfs ? 0 : sa->chosen.ke, 0);
	} else {
		ike_wishes_abandon(sa);
	}
	ike_sa_schedule(sa);
	return true;
}

static bool is_for(const struct ike_wish *wish, const struct ike_child *child)
{
	return wish->user == child->user && !child->pair.more_count &&
	       selector_equal(&wish->selector, &child->pair.selector);
}

bool ike_wish_fulfil(struct ike_child_sa *child)
{
	bool fulfilled = child->wish;
	struct ike_share *share = shares_with(child->sa);
	struct ike_wish *wish, *next;

	free(child->wish);
	child->wish = NULL;
	/* Of several that the hosts have, another one may be waited for. */
	for (; share; share = share->next) {
		DL_FOREACH_SAFE (share->wishes, wish, next) {
			if (!is_for(wish, &child->pub))
				continue;
			take_off(share, wish);
			free(wish);
			fulfilled = true;
		}
	}
	return fulfilled;
}

/* --- elsewhere ----------------------------------------------------------------------------------------- */

static void move(struct ike_sa *from, struct ike_wish *wish)
{
	struct ike *ike = from->ike;
	struct ike_sa *to;

	/* As if it had asked on an IKE SA of its own. */
	if (ike->now_us - wish->begun_us >= ike_request_budget_us(from)) {
		ike_tell_wish_failed(from, wish, IKE_REASON_TIMEOUT);
		free(wish);
		return;
	}
	to = wish->moved ? NULL : choose(ike, from->conn, &wish->path, wish->user, from);
	/* One that waits for an SA which is begun for another has not been there yet. */
	wish->moved = to && to->established_us;
	if (to) {
		ike_wish_queue(to, wish, false);
	} else {
		ike_begin(ike, from->conn, &wish->path, &wish->selector, wish->user);
		free(wish);
	}
}

/* What it has begun for them is not stopped: an answer that comes late is a CHILD SA as well. */
static void take_back(struct ike_sa *sa, bool installing)
{
	struct ike_child_sa *child;

	for (child = sa->children; child; child = child->next) {
		if (!child->wish || (child->state != IKE_CHILD_NEGOTIATING && !installing))
			continue;
		DL_PREPEND(sa->share->wishes, child->wish);
		child->wish = NULL;
	}
}

static struct ike_wish *take_all(struct ike_sa *sa)
{
	struct ike_wish *wishes = ike_wishes_of(sa);

	if (wishes)
		sa->share->wishes = NULL;
	return wishes;
}

struct ike_wish *ike_wishes_take(struct ike_sa *sa)
{
	take_back(sa, true);
	return take_all(sa);
}

static void move_all(struct ike_sa *sa)
{
	struct ike_wish *wishes = take_all(sa), *wish, *next;

	DL_FOREACH_SAFE (wishes, wish, next)
		move(sa, wish);
}

void ike_wishes_abandon(struct ike_sa *sa)
{
	take_back(sa, false);
	move_all(sa);
}

void ike_wishes_follow(struct ike_sa *from, struct ike_sa *to)
{
	struct ike_wish *wish, *next;

	DL_FOREACH_SAFE (ike_wishes_of(from), wish, next) {
		take_off(from->share, wish);
		wish->not_before_us = 0;
		ike_wish_queue(to, wish, false);
	}
}

void ike_wishes_recall(struct ike_sa *sa)
{
	take_back(sa, true);
}

void ike_wishes_leave(struct ike_sa *sa, enum ike_reason reason)
{
	bool of_child = reason == IKE_REASON_TS_UNACCEPTABLE || reason == IKE_REASON_INSTALL;

	if (sa->established_us || of_child)
		move_all(sa);
	else
		ike_wishes_fail(sa, reason);
}

void ike_wishes_fail(struct ike_sa *sa, enum ike_reason reason)
{
	struct ike_wish *wish, *next;

	take_back(sa, true);
	DL_FOREACH_SAFE (ike_wishes_of(sa), wish, next) {
		take_off(sa->share, wish);
		ike_tell_wish_failed(sa, wish, reason);
		free(wish);
	}
}

void ike_wishes_free(struct ike_sa *sa)
{
	struct ike_wish *wish, *next;

	DL_FOREACH_SAFE (ike_wishes_of(sa), wish, next)
		free(wish);
	free(sa->share);
}
