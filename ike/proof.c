/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Who we are and who the peer is, in IKE_AUTH: what is said of it on the wire
 * (IDs, AUTH, CERT, CERTREQ, SIGNATURE_HASH_ALGORITHMS), and the job that
 * makes our proof or checks the peer's (auth.h). Both roles.
 */
#include "ike/crypto/cert_sign.h"
#include "ike/ppk.h"
#include "lib/mem.h"

#include <stdlib.h>
#include <string.h>

/* Beyond this many CAs a CERTREQ says only that a certificate is wanted. */
#define CERTREQ_MAX 20

void ike_note_detail(struct ike_sa *sa, const char *detail)
{
	if (!sa->detail && detail[0])
		sa->detail = mem_strdup(detail);
}

/* --- our own side ------------------------------------------------------------------------- */

static const struct cert_identity *own_identity(const struct ike_sa *sa)
{
	const struct ike_conn *conn = ike_sa_conn(sa);
	const struct ike_config *config = &sa->ike->config;

	return conn->local_auth == IKE_AUTH_CERT && conn->identity < config->identity_count
		       ? config->identities[conn->identity]
		       : NULL;
}

static const struct cert_trust *trust_of(const struct ike_config *config, const struct ike_conn *conn)
{
	return conn->remote_auth == IKE_AUTH_CERT && conn->trust < config->trust_count
		       ? config->trusts[conn->trust]
		       : NULL;
}

static const struct cert_trust *peer_trust(const struct ike_sa *sa)
{
	return trust_of(&sa->ike->config, ike_sa_conn(sa));
}

/* What we call ourselves on this connection. */
struct ike_id ike_sa_own_id(const struct ike_sa *sa)
{
	const struct ike_conn *conn = ike_sa_conn(sa);
	struct ike_id id;

	ike_id_own(&conn->local_id, conn->local_auth, own_identity(sa), &sa->path.local.addr, &id);
	return id;
}

void ike_begin_auth_work(struct ike_sa *sa)
{
	struct ike_handshake *h = sa->handshake;

	if (h->work)
		return;
	h->work = mem_new(struct ike_auth_work);
	h->work->own_id = ike_sa_own_id(sa);
	ike_read_nonces(h, &h->work->ni, &h->work->nr);
}

void ike_build_proof(struct ike_sa *sa, struct ike_builder *chain, uint8_t id_payload)
{
	const struct auth_task *task = &sa->handshake->work->own_auth;
	const struct cert_identity *identity = own_identity(sa);
	const struct cert_chain *certs = identity ? cert_identity_chain(identity) : NULL;

	ike_id_build(chain, id_payload, &sa->handshake->work->own_id);
	for (size_t i = 0; certs && i < certs->count; i++)
		ike_cert_build(chain, certs->certs[i].data, certs->certs[i].len);
	ike_auth_build(chain, task->method, task->proof, task->proof_len);
}

/* --- what is said beforehand ---------------------------------------------------------------- */

void ike_build_certreq(struct ike_sa *sa, struct ike_builder *chain)
{
	const struct cert_trust *trust = peer_trust(sa);
	uint8_t hashes[CERTREQ_MAX * CERT_KEY_HASH_LEN];
	size_t len = 0;

	if (!trust)
		return;
	if (cert_trust_count(trust) <= CERTREQ_MAX)
		len = cert_trust_key_hashes(trust, hashes, sizeof(hashes));
	ike_build_begin(chain, IKE_PAYLOAD_CERTREQ);
	writer_u8(&chain->w, IKE_CERT_X509);
	writer_bytes(&chain->w, hashes, len);
	ike_build_end(chain);
}

void ike_build_hashes(struct ike_sa *sa, struct ike_builder *chain)
{
	const struct ike_conn *conn = ike_sa_conn(sa);
	uint8_t list[16];
	struct writer w = writer_init(list, sizeof(list));

	if (conn->local_auth != IKE_AUTH_CERT && conn->remote_auth != IKE_AUTH_CERT)
		return;
	for (uint16_t hash = SIGN_SHA2_256; hash <= SIGN_IDENTITY; hash++)
		writer_u16(&w, hash);
	ike_notify_build(chain, IKE_NOTIFY_SIGNATURE_HASH_ALGORITHMS, list, w.len);
}

uint8_t ike_read_hashes(const struct ike_message *message)
{
	struct ike_notify notify;
	struct reader r;
	unsigned set = 0;

	if (!ike_notify_find(message, IKE_NOTIFY_SIGNATURE_HASH_ALGORITHMS, &notify))
		return 0;
	r = reader_init(notify.data, notify.len);
	while (reader_left(&r) >= 2) {
		uint16_t hash = reader_u16(&r);

		if (hash <= SIGN_IDENTITY)
			set |= 1u << hash;
	}
	/* Who names only what we do not know still speaks RFC 7427: the older methods are not meant. */
	return (uint8_t)(set | 1u);
}

/* --- the peer's side -------------------------------------------------------------------------- */

/* Certificates of other encodings are passed over (3.6); more than fit make the chain too long. */
static void read_certs(struct ike_sa *sa, const struct ike_message *inner)
{
	struct cert_chain *chain = &sa->handshake->work->peer_chain;

	cert_chain_clear(chain);
	for (size_t i = 0; i < inner->count; i++) {
		const struct ike_payload *payload = &inner->payloads[i];

		if (payload->type != IKE_PAYLOAD_CERT || payload->len < 2 ||
			payload->data[0] != IKE_CERT_X509)
			continue;
		if (!cert_chain_add(chain, payload->data + 1, payload->len - 1)) {
			cert_chain_clear(chain);
			ike_note_detail(sa, "the peer's certificate chain is too long");
			return;
		}
	}
}

bool ike_read_proof(struct ike_sa *sa, const struct ike_message *inner, uint8_t id_payload)
{
	struct ike_handshake *h = sa->handshake;
	const struct ike_payload *id = ike_message_find(inner, id_payload);
	const struct ike_payload *payload = ike_message_find(inner, IKE_PAYLOAD_AUTH);
	struct ike_auth_payload auth;
	struct ike_id peer_id;
	uint8_t packed[IKE_ID_PACKED_MAX];

	if (!id || !payload || !ike_id_parse(id, &peer_id) || !ike_auth_parse(payload, &auth))
		return false;
	ike_kept_set(&sa->peer_id, packed, ike_id_pack(&peer_id, packed));
	h->work->peer_method = auth.method;
	ike_kept_set(&h->work->peer_proof, auth.data, auth.len);
	if (ike_sa_conn(sa)->remote_auth == IKE_AUTH_CERT)
		read_certs(sa, inner);
	return true;
}

struct ike_id ike_sa_peer_id(const struct ike_sa *sa)
{
	return ike_id_unpack(sa->peer_id.data, sa->peer_id.len);
}

bool ike_sa_same_peer(const struct ike_sa *a, const struct ike_sa *b)
{
	return a->peer_id.len == b->peer_id.len && a->peer_id.len &&
	       memcmp(a->peer_id.data, b->peer_id.data, a->peer_id.len) == 0;
}

bool ike_peer_id_good(struct ike_sa *sa)
{
	const struct ike_conn *conn = ike_sa_conn(sa);
	struct ike_id id = ike_sa_peer_id(sa);

	if (ike_id_acceptable(&conn->remote_id, conn->remote_auth, &id))
		return true;
	ike_note_detail(sa, "the peer's identity is not the one that is configured");
	return false;
}

/* --- tasks --------------------------------------------------------------------------------------- */

const struct secret *ike_sa_psk(const struct ike_sa *sa, const struct ike_config *config,
	const struct ike_id *ours, bool own)
{
	const struct ike_id_spec *spec = &ike_sa_conn(sa)->remote_id;
	const struct ike_id *expected = spec->kind == IKE_ID_KIND_EXACT ? &spec->id : NULL;
	struct ike_id claimed = ike_sa_peer_id(sa);

	return ike_psk_find(config, ours, own && sa->role == IKE_INITIATOR ? expected : &claimed,
		&sa->path.remote.addr);
}

/* Says how the task goes about it; false when we cannot. */
static bool choose_way(struct ike_sa *sa, struct auth_task *task, bool own)
{
	const struct ike_conn *conn = ike_sa_conn(sa);
	const struct cert_identity *identity = own_identity(sa);
	const struct cert_trust *trust = peer_trust(sa);
	const struct secret *psk;

	switch (own ? conn->local_auth : conn->remote_auth) {
	case IKE_AUTH_NULL:
		auth_task_by_secret(task, NULL);
		return true;
	case IKE_AUTH_PSK:
		psk = ike_sa_psk(sa, &sa->ike->config, &sa->handshake->work->own_id, own);
		if (psk)
			auth_task_by_secret(task, psk);
		else
			ike_note_detail(sa, "there is no PSK for this peer");
		return psk;
	case IKE_AUTH_CERT:
		if (own && identity)
			auth_task_by_identity(
				task, identity, sa->handshake->peer_hashes, conn->allow_sha1);
		else if (!own && trust)
			auth_task_by_cert(task, trust, conn->remote_keys, conn->allow_sha1,
				&sa->handshake->work->peer_chain);
		task->kept.wants_hosts = !own && conn->verify_name;
		return own ? identity != NULL : trust != NULL;
	case IKE_AUTH_NEVER:
	case IKE_AUTH_UNAVAILABLE:
		break;
	}
	return false;
}

/* What goes into NO_PPK_AUTH (RFC 8784 3), if that is to be sent. */
static bool prepare_plain(struct ike_sa *sa, const uint8_t *id, size_t id_len)
{
	struct ike_handshake *h = sa->handshake;
	struct auth_task *plain = ike_ppk_plain_auth(h->work);

	if (!plain)
		return true;
	auth_task_init(plain, sa->keys, true, h->init_request.data, h->init_request.len, &h->work->nr, id,
		id_len);
	ike_intermediate_cover_auth(sa, plain);
	return choose_way(sa, plain, true);
}

bool ike_prepare_auth(struct ike_sa *sa, bool own)
{
	struct ike_handshake *h = sa->handshake;
	struct auth_task *task = own ? &h->work->own_auth : &h->work->peer_auth;
	bool of_initiator = own == (sa->role == IKE_INITIATOR);
	const struct ike_kept *message = of_initiator ? &h->init_request : &h->init_response;
	struct ike_id peer_id = ike_sa_peer_id(sa);
	uint8_t id[4 + IKE_ID_MAX];
	size_t id_len = ike_id_body(own ? &h->work->own_id : &peer_id, id);

	auth_task_init(task, sa->keys, of_initiator, message->data, message->len,
		of_initiator ? &h->work->nr : &h->work->ni, id, id_len);
	ike_intermediate_cover_auth(sa, task);
	if (sa->has_ppk ? !auth_task_with_ppk(task, NULL)
			: own && sa->role == IKE_INITIATOR && !ike_ppk_prepare(sa, task))
		return false;
	if (!choose_way(sa, task, own))
		return false;
	if (own) {
		h->run_own = true;
		return prepare_plain(sa, id, id_len);
	} else {
		auth_task_claim(task, h->work->peer_method, h->work->peer_proof.data, h->work->peer_proof.len);
		ike_kept_clear(&h->work->peer_proof);
		h->run_peer = true;
	}
	return true;
}

bool ike_can_authenticate(const struct ike_sa *sa)
{
	const struct ike_conn *conn = ike_sa_conn(sa);
	struct ike_id ours;

	if (!ike_auth_possible(conn->local_auth) || !ike_auth_possible(conn->remote_auth) ||
		(conn->local_auth == IKE_AUTH_CERT && !own_identity(sa)) ||
		(conn->remote_auth == IKE_AUTH_CERT && !peer_trust(sa)) ||
		(conn->ppk == IKE_PPK_INSIST && !ike_ppk_own(sa)))
		return false;
	if (conn->local_auth != IKE_AUTH_PSK && conn->remote_auth != IKE_AUTH_PSK)
		return true;
	ours = ike_sa_own_id(sa);
	return ike_sa_psk(sa, &sa->ike->config, &ours, true);
}

/*
 * The peer first: nobody makes us sign before the peer has shown who it is
 * (RFC 7296 2.15 leaves the order open).
 */
static void run_auth(void *data)
{
	struct ike_handshake *h = data;
	struct auth_task *plain = ike_ppk_plain_auth(h->work);

	if (h->run_peer)
		auth_task_run(&h->work->peer_auth);
	if (h->run_own && (!h->run_peer || h->work->peer_auth.good))
		auth_task_run(&h->work->own_auth);
	if (h->run_own && plain)
		auth_task_run(plain);
}

static void auth_done(struct ike_sa *sa)
{
	if (sa->state == IKE_SA_SIGNING)
		ike_initiator_signed(sa);
	else if (sa->state == IKE_SA_VERIFYING)
		ike_initiator_verified(sa);
	else if (sa->state == IKE_SA_CHECKING)
		ike_responder_checked(sa);
}

void ike_start_auth_job(struct ike_sa *sa)
{
	struct ike_handshake *h = sa->handshake;
	struct ike_job job = {.run = run_auth, .data = h, .rank = IKE_JOB_LONG};

	ike_errand_begin(&h->work->errand, sa, &job, auth_done);
}

static bool is_admitted(struct ike_sa *sa)
{
	const struct ike_ops *ops = &sa->ike->ops;
	struct ike_claim claim = {
		.role = sa->role, .conn = sa->conn, .path = sa->path, .hosts = sa->hosts};
	char why[CERT_WHY] = "";

	if (!sa->hosts || !ops->admit || ops->admit(sa->ike->arg, &claim, why, sizeof(why)))
		return true;
	ike_note_detail(sa, why);
	return false;
}

bool ike_peer_permitted(const struct ike_sa *sa, const struct ike_config *config, const struct ike_conn *conn)
{
	const struct cert_trust *trust = trust_of(config, conn);

	return !sa->serials || !trust || cert_trust_permits(trust, sa->serials);
}

/* A reload has brought other lists while the check went on. */
static bool is_still_permitted(struct ike_sa *sa, const struct auth_task *task)
{
	if (task->trust == peer_trust(sa) || ike_peer_permitted(sa, &sa->ike->config, ike_sa_conn(sa)))
		return true;
	ike_note_detail(sa, "the peer's certificate has been revoked meanwhile");
	return false;
}

bool ike_peer_auth_good(struct ike_sa *sa)
{
	struct auth_task *task = &sa->handshake->work->peer_auth;

	if (!task->good) {
		ike_note_detail(sa, task->why);
		return false;
	}
	sa->hosts = task->kept.hosts;
	sa->serials = task->kept.serials;
	task->kept = (struct cert_kept){0};
	return is_still_permitted(sa, task) && is_admitted(sa);
}
