/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * When an SA is replaced, and what goes after it was (RFC 7296 2.8).
 *
 * Each end replaces what is old by its own clock, some chance in it. If both
 * do at once, both exchanges go on: the result with the lowest nonce loses and
 * is deleted by who began it, what was replaced by who began the other one
 * (2.8.1, 2.8.2). Deletions wait a moment, so that what is on its way arrives;
 * an end that waits for the other's DELETE does not wait forever.
 */
#include "ike/anonymous.h"
#include "ike/create.h"
#include "ike/sa.h"
#include "lib/mem.h"

#include <string.h>

#define SECOND_US UINT64_C(1000000)
/* What was sent on the old pair is there by then. */
#define GRACE_US (2 * SECOND_US)
/* Somebody else's deletion is overdue. */
#define BACKSTOP_US (60 * SECOND_US)

static uint64_t random_below(struct ike *ike, uint64_t bound_us)
{
	uint32_t dice;

	ike->ops.random(ike->arg, &dice, sizeof(dice));
	return bound_us * dice / UINT32_MAX;
}

/* --- when --------------------------------------------------------------------------------- */

static uint64_t rekey_time(struct ike_sa *sa, uint32_t lifetime_s)
{
	const struct ike_conn *conn = ike_sa_conn(sa);
	uint64_t margin_us = conn->rekey_margin_s * SECOND_US;
	uint64_t fuzz_us = margin_us * conn->rekey_fuzz / 100, lifetime_us = lifetime_s * SECOND_US;
	uint64_t early_us = margin_us + random_below(sa->ike, fuzz_us);

	if (conn->no_rekey || !lifetime_s)
		return IKE_NEVER;
	return sa->ike->now_us + (early_us < lifetime_us ? lifetime_us - early_us : lifetime_us / 2);
}

/* Between three quarters and seven eighths, by chance: all tunnels of a host may be equally busy. */
uint64_t ike_rekey_amount(struct ike_sa *sa, uint64_t max)
{
	uint32_t dice;

	if (!max || ike_sa_conn(sa)->no_rekey)
		return 0;
	sa->ike->ops.random(sa->ike->arg, &dice, sizeof(dice));
	return max - max / 8 - (max / 8) * (dice % 1024) / 1024;
}

void ike_rekey_plan_child(struct ike_child_sa *child)
{
	child->rekey_us = rekey_time(child->sa, ike_sa_conn(child->sa)->child_lifetime_s);
	ike_sa_schedule(child->sa);
}

void ike_rekey_plan_sa(struct ike_sa *sa)
{
	sa->rekey_us = rekey_time(sa, ike_sa_conn(sa)->ike_lifetime_s);
}

/* Between one and five seconds: two ends that try again do not meet again. */
static uint64_t retry_time(struct ike *ike)
{
	return ike->now_us + SECOND_US + random_below(ike, 4 * SECOND_US);
}

void ike_rekey_retry_sa(struct ike_sa *sa)
{
	sa->rekey_us = retry_time(sa->ike);
	ike_sa_schedule(sa);
}

void ike_rekey_retry_child(struct ike *ike, uint64_t id)
{
	struct ike_child_sa *child = ike_child_find(ike, id);

	if (!child)
		return;
	child->rekey_us = retry_time(ike);
	ike_sa_schedule(child->sa);
}

bool ike_rekey_has_successor(const struct ike_child_sa *old, bool ours)
{
	const struct ike_child_sa *child = ike_children_of_user(old->sa->ike, old->pub.user);

	while (child && !(child->ours == ours && child->replaces == old->pub.id))
		child = child->user_next;
	return child;
}

bool ike_rekey_is_begun(const struct ike_child_sa *old)
{
	const struct ike_create *ours = old->sa->ours;

	return ike_rekey_has_successor(old, true) ||
	       (ours && ours->kind == IKE_CREATE_REKEY_CHILD && ours->old == old->pub.id);
}

/* One exchange at a time; and what is to go is not replaced: its successor would stay. */
static bool may_rekey(const struct ike_sa *sa)
{
	return !sa->is_replaced && !sa->theirs && !sa->ours && sa->delete_us == IKE_NEVER;
}

uint64_t ike_rekey_due(const struct ike_sa *sa)
{
	uint64_t due = may_rekey(sa) ? sa->rekey_us : IKE_NEVER;

	for (const struct ike_child_sa *child = sa->children; child; child = child->next) {
		if (child->delete_us < due)
			due = child->delete_us;
		if (may_rekey(sa) && child->state == IKE_CHILD_UP && child->rekey_us < due)
			due = child->rekey_us;
	}
	return due;
}

static void send_delete(struct ike_child_sa *child)
{
	uint8_t inner[64];
	struct ike_builder chain = ike_build_chain(inner, sizeof(inner));

	child->deleting = true;
	ike_delete_build_esp(&chain, child->pub.pair.in.spi);
	ike_send_sealed_request(child->sa, IKE_EXCHANGE_INFORMATIONAL, &chain);
}

bool ike_rekey_tick(struct ike_sa *sa)
{
	uint64_t now_us = sa->ike->now_us;
	struct ike_child_sa *child;

	if (sa->state != IKE_SA_ESTABLISHED)
		return false;
	for (child = sa->children; child; child = child->next) {
		if (child->delete_us <= now_us) {
			send_delete(child);
			return true;
		}
	}
	if (!may_rekey(sa))
		return false;
	if (sa->rekey_us <= now_us) {
		ike_rekey_sa(sa, sa->chosen.ke, 0);
		return true;
	}
	for (child = sa->children; child; child = child->next) {
		if (child->state == IKE_CHILD_UP && child->rekey_us <= now_us) {
			ike_rekey_child(child, ike_sa_conn(sa)->no_pfs ? 0 : sa->chosen.ke, 0);
			return true;
		}
	}
	return false;
}

/* --- a new IKE SA of the same peer (2.18) ------------------------------------------------------ */

struct ike_sa *ike_sa_succeed(struct ike_sa *old, const struct ike_create *create, bool ours)
{
	struct chunk more = ike_followup_secrets(create);
	struct ike_sa *sa = ike_sa_new(
		old->ike, ours ? IKE_INITIATOR : IKE_RESPONDER, &old->path, old->conn);
	struct ike_keys keys = {0};

	ike_sa_forget_handshake(sa);
	sa->came_to_us = old->came_to_us;
	sa->local_auth = old->local_auth;
	sa->remote_auth = old->remote_auth;
	sa->user = old->user;
	sa->selector = old->selector;
	ike_kept_set(&sa->peer_id, old->peer_id.data, old->peer_id.len);
	sa->hosts = cert_hosts_copy(old->hosts);
	sa->serials = cert_serials_copy(old->serials);
	sa->fragments = old->fragments;
	sa->has_ppk = old->has_ppk;
	sa->nat = old->nat;
	sa->rtt_us = old->rtt_us;
	sa->created_us = old->created_us;
	if (!old->is_replaced) { /* a peer that did not know that it is to go */
		sa->delete_us = old->delete_us;
		sa->delete_reason = old->delete_reason;
	}
	memcpy(sa->low_nonce, old->low_nonce, sizeof(sa->low_nonce));
	sa->reported = sa->confirmed = true;
	sa->chosen = create->chosen;
	ike_sa_set_own_spi(sa, create->spi);
	sa->spi_i = ours ? create->spi : create->chosen.spi;
	sa->spi_r = ours ? create->chosen.spi : sa->own_spi;
	sa->rekeyed_by_us = ours;
	sa->rekey_nonce = mem_zalloc(IKE_LOW_NONCE);
	ike_low_nonce(&create->ni, &create->nr, sa->rekey_nonce);
	if (ike_keys_rekey(&keys, old->keys, &create->chosen, &create->shared, &more, &create->ni,
		    &create->nr, sa->spi_i, sa->spi_r))
		ike_sa_take_keys(sa, &keys);
	ike_keys_clear(&keys);
	ike_sa_set_state(sa, sa->keys ? IKE_SA_ESTABLISHED : IKE_SA_DEAD);
	return sa->keys ? sa : NULL;
}

/* --- which stays: CHILD SAs ------------------------------------------------------------------ */

/* It stands until its DELETE: ours after a moment, or theirs. */
void ike_rekey_retire(struct ike_child_sa *child, bool by_us)
{
	child->state = IKE_CHILD_REPLACED;
	child->rekey_us = IKE_NEVER;
	child->delete_us = child->sa->ike->now_us + (by_us ? GRACE_US : BACKSTOP_US);
}

static struct ike_child_sa *rival_of(const struct ike_child_sa *fresh)
{
	struct ike_child_sa *child;

	for (child = fresh->sa->children; child; child = child->next) {
		if (child != fresh && child->replaces == fresh->replaces &&
			child->ours != fresh->ours &&
			(child->state == IKE_CHILD_UP || child->state == IKE_CHILD_REPLACED))
			return child;
	}
	return NULL;
}

void ike_rekey_settle_child(struct ike_child_sa *fresh)
{
	struct ike_child_sa *winner = fresh, *rival, *old;
	struct ike_sa *successor = ike_sa_successor(fresh->sa);

	/* Its IKE SA was replaced while the exchange went on: it follows the others. */
	if (successor)
		ike_children_move(fresh->sa, successor);
	if (!fresh->replaces)
		return;
	rival = rival_of(fresh);
	if (rival) {
		bool loses = memcmp(fresh->low_nonce, rival->low_nonce, sizeof(fresh->low_nonce)) < 0;
		struct ike_child_sa *loser = loses ? fresh : rival;

		winner = loses ? rival : fresh;
		ike_rekey_retire(loser, loser->ours);
	}
	old = ike_child_find(fresh->sa->ike, fresh->replaces);
	if (old)
		fresh->up_us = old->up_us;
	/* In the place of one that has ended meanwhile it is one more: its flow may have another by now. */
	if (!old || old->state == IKE_CHILD_ENDED)
		fresh->further = true;
	else if (old->sa == fresh->sa && !old->deleting)
		ike_rekey_retire(old, winner->ours);
	ike_sa_schedule(fresh->sa);
}

/* --- which stays: IKE SAs ----------------------------------------------------------------------- */

static void retire_sa(struct ike_sa *sa, bool by_us)
{
	sa->is_replaced = true;
	sa->delete_us = sa->ike->now_us + (by_us ? GRACE_US : BACKSTOP_US);
	sa->delete_reason = IKE_REASON_REKEYED;
	ike_sa_schedule(sa);
}

struct ike_sa *ike_sa_successor(const struct ike_sa *sa)
{
	struct ike_sa *successor = NULL;

	if (sa->successor)
		HASH_FIND(by_id, sa->ike->by_id, &sa->successor, sizeof(sa->successor), successor);
	return successor;
}

void ike_rekey_settle_sa(struct ike_sa *old, struct ike_sa *fresh)
{
	struct ike_sa *rival = ike_sa_successor(old);
	struct ike_sa *winner = fresh;

	if (rival && rival->rekeyed_by_us != fresh->rekeyed_by_us) {
		bool loses = memcmp(fresh->rekey_nonce, rival->rekey_nonce,
				     IKE_LOW_NONCE) < 0;
		struct ike_sa *loser = loses ? fresh : rival;

		winner = loses ? rival : fresh;
		ike_children_move(loser, winner);
		retire_sa(loser, loser->rekeyed_by_us);
	}
	if (rival && winner == rival)
		fresh->successor = rival->id;
	else if (rival)
		rival->successor = fresh->id;
	old->successor = winner->id;
	ike_children_move(old, winner);
	retire_sa(old, winner->rekeyed_by_us);
	ike_sa_schedule(winner);
	ike_anonymous_admit(winner);
}
