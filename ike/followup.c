/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * IKE_FOLLOWUP_KE (RFC 9370 2.2.4): additional key exchanges behind a
 * CREATE_CHILD_SA, one in each. What that has agreed on is made when the last
 * of them is done.
 *
 *   ours    CREATE_CHILD_SA answered -> request -> response … -> create.c
 *   theirs  CREATE_CHILD_SA answered, then waited for, 20 s each -> create.c
 *
 * Each answer that is not the last has a link, which the next request says
 * again: only the responder knows what it means.
 */
#include "ike/create.h"
#include "ike/sa.h"
#include "lib/mem.h"

#include <stdlib.h>
#include <string.h>

/* "In general, 5-20 seconds of waiting time should be appropriate". */
#define WAIT_US (20 * UINT64_C(1000000))
#define LINK_LEN 8
/* Of a peer's making; longer ones are none. */
#define LINK_MAX 255

struct ike_followup {
	size_t next;		/* index of the additional key exchange that comes */
	struct ike_kept secrets; /* SK(1) | SK(2) …; wiped */
	struct ike_kept link;
	uint64_t give_up_us; /* theirs */
};

static void forget_secrets(struct ike_followup *followup)
{
	secret_wipe(followup->secrets.data, followup->secrets.len);
	ike_kept_clear(&followup->secrets);
}

void ike_followup_free(struct ike_followup *followup)
{
	if (!followup)
		return;
	forget_secrets(followup);
	ike_kept_clear(&followup->link);
	free(followup);
}

bool ike_followup_is_due(const struct ike_create *create)
{
	return ike_addke_next(&create->chosen, create->followup ? create->followup->next : 0) <
	       IKE_ADDKE_MAX;
}

struct chunk ike_followup_secrets(const struct ike_create *create)
{
	const struct ike_followup *followup = create->followup;

	return followup ? (struct chunk){followup->secrets.data, followup->secrets.len}
			: (struct chunk){NULL, 0};
}

static struct ike_followup *state_of(struct ike_create *create)
{
	if (!create->followup)
		create->followup = mem_new(struct ike_followup);
	create->followup->next = ike_addke_next(&create->chosen, create->followup->next);
	return create->followup;
}

/* One is done: its secret goes behind the others. */
static void add_secret(struct ike_followup *followup, const struct secret *shared)
{
	uint8_t all[IKE_MORE_SECRETS_MAX];
	struct writer w = writer_init(all, sizeof(all));

	writer_bytes(&w, followup->secrets.data, followup->secrets.len);
	writer_bytes(&w, shared->data, shared->len);
	forget_secrets(followup);
	ike_kept_set(&followup->secrets, all, w.len);
	secret_wipe(all, sizeof(all));
	followup->next++;
}

static bool read_ke(const struct ike_message *inner, uint16_t method, struct ike_ke *out)
{
	const struct ike_payload *payload = ike_message_find(inner, IKE_PAYLOAD_KE);

	return payload && ike_ke_parse(payload, out) && out->group == method && out->len <= KEX_PUBLIC_MAX;
}

/* --- ours ------------------------------------------------------------------------------------- */

static bool keep_link(struct ike_followup *followup, const struct ike_message *inner)
{
	struct ike_notify link;

	if (!ike_notify_find(inner, IKE_NOTIFY_ADDITIONAL_KEY_EXCHANGE, &link) || link.len > LINK_MAX)
		return false;
	ike_kept_set(&followup->link, link.data, link.len);
	return true;
}

static bool send_next(struct ike_sa *sa)
{
	struct ike_create *create = sa->ours;
	struct ike_followup *followup = state_of(create);
	struct crypto_random random = ike_random(sa->ike);
	uint8_t inner[IKE_MESSAGE_MAX];
	struct ike_builder chain = ike_build_chain(inner, sizeof(inner));

	if (!kex_generate(&create->kex, create->chosen.addke[followup->next], &random))
		return false;
	ike_ke_build(&chain, create->kex.group, create->kex.public, create->kex.public_len);
	ike_notify_build(
		&chain, IKE_NOTIFY_ADDITIONAL_KEY_EXCHANGE, followup->link.data, followup->link.len);
	ike_send_sealed_request(sa, IKE_EXCHANGE_IKE_FOLLOWUP_KE, &chain);
	return true;
}

bool ike_followup_begin(struct ike_sa *sa, const struct ike_message *inner)
{
	return keep_link(state_of(sa->ours), inner) && send_next(sa);
}

static bool take_ke(struct ike_create *create, const struct ike_message *inner)
{
	struct secret shared = {0};
	struct ike_ke ke;
	bool good = !inner->unsupported && read_ke(inner, create->kex.group, &ke) &&
		    kex_derive(&create->kex, ke.data, ke.len, &shared);

	if (good)
		add_secret(create->followup, &shared);
	secret_clear(&shared);
	return good;
}

void ike_take_followup_response(struct ike_sa *sa, const struct ike_message *inner)
{
	struct ike_create *create = sa->ours;
	struct ike_notify error;

	ike_request_answered(sa);
	if (!create || !create->followup)
		return;
	if (ike_notify_find_error(inner, &error))
		ike_create_fail_ours(sa, create, &error);
	else if (!take_ke(create, inner))
		ike_create_fail_ours(sa, create, NULL);
	else if (!ike_followup_is_due(create))
		ike_create_complete_ours(sa, create);
	else if (!keep_link(create->followup, inner) || !send_next(sa))
		ike_create_fail_ours(sa, create, NULL);
}

/* --- theirs --------------------------------------------------------------------------------------- */

void ike_followup_expect(struct ike_sa *sa, struct ike_create *create, struct ike_builder *chain)
{
	struct ike_followup *followup = state_of(create);
	uint8_t link[LINK_LEN];

	sa->ike->ops.random(sa->ike->arg, link, sizeof(link));
	ike_kept_set(&followup->link, link, sizeof(link));
	ike_notify_build(chain, IKE_NOTIFY_ADDITIONAL_KEY_EXCHANGE, link, sizeof(link));
	followup->give_up_us = sa->ike->now_us + WAIT_US;
}

/* The data plane has what the last request asks for: that is the same request once more. */
static bool is_installing(const struct ike_create *create)
{
	return create->child && create->child->state == IKE_CHILD_INSTALLING;
}

uint64_t ike_followup_give_up(const struct ike_sa *sa)
{
	return sa->theirs && sa->theirs->followup && !is_installing(sa->theirs)
		       ? sa->theirs->followup->give_up_us
		       : IKE_NEVER;
}

bool ike_followup_tick(struct ike_sa *sa)
{
	if (ike_followup_give_up(sa) > sa->ike->now_us)
		return false;
	ike_create_drop_theirs(sa);
	ike_sa_schedule(sa);
	return true;
}

static bool is_linked(const struct ike_create *create, const struct ike_message *inner)
{
	struct ike_notify link;

	return create && create->followup && ike_followup_is_due(create) &&
	       ike_notify_find(inner, IKE_NOTIFY_ADDITIONAL_KEY_EXCHANGE, &link) &&
	       link.len == create->followup->link.len &&
	       memcmp(link.data, create->followup->link.data, link.len) == 0;
}

static void refuse(struct ike_sa *sa, uint32_t id, uint16_t type, const void *data, size_t len)
{
	uint8_t buffer[64];
	struct ike_builder chain = ike_build_chain(buffer, sizeof(buffer));

	ike_notify_build(&chain, type, data, len);
	ike_send_sealed_response(sa, IKE_EXCHANGE_IKE_FOLLOWUP_KE, id, &chain);
}

static bool answer_ke(struct ike_sa *sa, struct ike_create *create, const struct ike_message *inner)
{
	struct crypto_random random = ike_random(sa->ike);
	struct secret shared = {0};
	struct ike_ke ke;
	bool good = read_ke(inner, create->chosen.addke[create->followup->next], &ke) &&
		    kex_answer(&create->kex, ke.group, ke.data, ke.len, &random) &&
		    kex_derive(&create->kex, ke.data, ke.len, &shared);

	if (good)
		add_secret(create->followup, &shared);
	secret_clear(&shared);
	return good;
}

void ike_followup_answer(struct ike_sa *sa)
{
	struct ike_create *create = sa->theirs;
	uint8_t buffer[IKE_MESSAGE_MAX];
	struct ike_builder chain = ike_build_chain(buffer, sizeof(buffer));

	ike_ke_build(&chain, create->kex.group, create->kex.public, create->kex.public_len);
	if (ike_followup_is_due(create))
		ike_followup_expect(sa, create, &chain);
	ike_send_sealed_response(sa, IKE_EXCHANGE_IKE_FOLLOWUP_KE, create->message_id, &chain);
}

void ike_take_followup_request(struct ike_sa *sa, const struct ike_message *inner)
{
	struct ike_create *create;
	uint32_t id = inner->header.id;

	/* What had begun before we said goodbye is over. */
	if (sa->state != IKE_SA_ESTABLISHED)
		ike_create_drop_theirs(sa);
	create = sa->theirs;
	if (create && is_installing(create))
		return;
	if (inner->unsupported) {
		refuse(sa, id, IKE_NOTIFY_UNSUPPORTED_CRITICAL_PAYLOAD, &inner->unsupported, 1);
	} else if (!is_linked(create, inner)) {
		refuse(sa, id, IKE_NOTIFY_STATE_NOT_FOUND, NULL, 0);
	} else if (!answer_ke(sa, create, inner)) {
		ike_create_drop_theirs(sa);
		refuse(sa, id, IKE_NOTIFY_INVALID_SYNTAX, NULL, 0);
	} else {
		create->message_id = id;
		if (ike_followup_is_due(create))
			ike_followup_answer(sa);
		else
			ike_create_complete_theirs(sa);
	}
}

/* --- both at once ---------------------------------------------------------------------------- */

bool ike_followup_is_for(const struct ike_sa *sa, enum ike_create_kind kind, uint64_t old)
{
	return sa->ours && sa->ours->followup && sa->ours->kind == kind && sa->ours->old == old;
}

static bool replaces_same(const struct ike_create *ours, const struct ike_create *theirs)
{
	return ours->kind == theirs->kind && ours->kind != IKE_CREATE_CHILD && (!theirs->child || theirs->child->replaces == ours->old);
}

bool ike_followup_crosses(const struct ike_sa *sa)
{
	return sa->ours && sa->theirs && sa->theirs->followup && replaces_same(sa->ours, sa->theirs);
}

bool ike_followup_loses(const struct ike_sa *sa)
{
	const struct ike_create *ours = sa->ours, *theirs = sa->theirs;
	uint8_t low[IKE_LOW_NONCE], rival[IKE_LOW_NONCE];

	if (!ike_followup_crosses(sa))
		return false;
	ike_low_nonce(&ours->ni, &ours->nr, low);
	ike_low_nonce(&theirs->ni, &theirs->nr, rival);
	return memcmp(low, rival, sizeof(low)) < 0;
}
