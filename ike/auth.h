/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One side's AUTH payload (RFC 7296 2.15): made for us, or checked for the
 * peer. Three kinds of proof over that side's first message, the other's
 * nonce and the MAC of that side's ID:
 *
 *   NULL       a MAC with SK_pi or SK_pr (RFC 7619 2.1)
 *   PSK        a MAC with the shared secret
 *   signature  with the private key of a certificate (cert_sign.h)
 *
 * A task is self-contained, so that a worker can run it: all is copied in but
 * the key and the CAs, which the engine keeps until its jobs have ended.
 * Made by auth_task_init(), one auth_task_by_…(), for the peer
 * auth_task_claim(); then auth_task_run() sets `good`.
 */
#ifndef IKE_AUTH_H
#define IKE_AUTH_H

#include "ike/conn.h"
#include "ike/crypto/cert.h"
#include "ike/keys.h"

struct auth_task {
	/* Whose AUTH it is: what it covers. */
	uint16_t prf;
	size_t prf_len;
	uint8_t sk_p[PRF_MAX];
	bool has_ppk; /* which is in sk_p (RFC 8784) */
	uint8_t *message; /* that side's IKE_SA_INIT message, owned */
	size_t message_len;
	struct ike_nonce nonce;	    /* the other side's */
	uint8_t id[4 + IKE_ID_MAX]; /* body of its ID payload */
	size_t id_len;
	/* IntAuth (RFC 9242 3.3.2), behind all that; none: 0. */
	size_t intermediate_len;
	uint8_t intermediate[2 * PRF_MAX + 4];
	/* How. */
	struct secret secret; /* of a MAC; empty for signatures */
	const struct cert_identity *identity; /* signs; not owned */
	unsigned hashes; /* that the peer verifies (RFC 7427 4), a set */
	const struct cert_trust *trust; /* who may have issued the peer's certificate; not owned */
	struct cert_chain chain; /* the peer's */
	unsigned keys; /* kinds that the peer's may be, of enum cert_key */
	bool allow_sha1;
	/* What is in the AUTH payload: the result for us, the claim of the peer. */
	bool is_claim;
	uint8_t method;
	uint8_t *proof; /* owned */
	size_t proof_len;
	struct cert_kept kept; /* of a chain that is good, whether AUTH is or not; owned */
	/* The verdict. */
	bool good;
	char why[CERT_WHY]; /* when it is not; may be empty */
};

/* The AUTH of the SA's original initiator or responder. Copies all; clears an earlier content. */
void auth_task_init(struct auth_task *task, const struct ike_keys *keys, bool of_initiator,
	const uint8_t *message, size_t message_len, const struct ike_nonce *nonce,
	const uint8_t *id, size_t id_len);
/*
 * IntAuth of one end (RFC 9242 3.3.2) with one message more: its header as it is on the wire,
 * and its content before it is sealed. `mac` (PRF_MAX bytes) holds that of the messages before,
 * if it is not the first.
 */
bool auth_cover_intermediate(const struct ike_keys *keys, bool of_initiator, bool is_first,
	const uint8_t header[IKE_HEADER_LEN], uint8_t first_payload, const uint8_t *content, size_t len,
	uint8_t mac[PRF_MAX]);
/* IKE_INTERMEDIATE came before: the MACs over both ends' messages, and IKE_AUTH's message ID. */
void auth_task_with_intermediate(struct auth_task *task, const uint8_t *of_initiator,
	const uint8_t *of_responder, uint32_t message_id);
/*
 * A PPK is in SK_p: to be mixed in here, or (NULL) the keys had it already. Before the way is
 * chosen; false when the PRF fails.
 */
bool auth_task_with_ppk(struct auth_task *task, const struct secret *ppk);
/* By a MAC. `secret` NULL: RFC 7619. */
void auth_task_by_secret(struct auth_task *task, const struct secret *secret);
/* We, by a signature that a peer with these hashes (0: it named none) can verify. */
void auth_task_by_identity(struct auth_task *task, const struct cert_identity *identity,
	unsigned hashes, bool allow_sha1);
/* The peer, by a signature; takes over the chain. */
void auth_task_by_cert(struct auth_task *task, const struct cert_trust *trust, unsigned keys,
	bool allow_sha1, struct cert_chain *chain);
/* What the peer's AUTH payload says; copied. */
void auth_task_claim(struct auth_task *task, uint8_t method, const uint8_t *proof, size_t len);
/* Makes or checks the proof; any thread. MACs are compared in constant time. */
void auth_task_run(struct auth_task *task);
void auth_task_clear(struct auth_task *task);

#endif
