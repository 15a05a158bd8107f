/* SPDX-License-Identifier: GPL-2.0-or-later */
/* AUTH (auth.h). */
#include "ike/auth.h"

#include "ike/const.h"
#include "ike/crypto/cert_sign.h"
#include "lib/mem.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* 2.15: without a terminating NUL. */
static const char key_pad[] = "Key Pad for IKEv2";

void auth_task_init(struct auth_task *task, const struct ike_keys *keys, bool of_initiator,
	const uint8_t *message, size_t message_len, const struct ike_nonce *nonce,
	const uint8_t *id, size_t id_len)
{
	auth_task_clear(task);
	task->prf = keys->prf;
	task->prf_len = keys->prf_len;
	memcpy(task->sk_p, of_initiator ? keys->pi : keys->pr, keys->prf_len);
	task->message = mem_dup(message, message_len);
	task->message_len = message_len;
	task->nonce = *nonce;
	memcpy(task->id, id, id_len);
	task->id_len = id_len;
}

#define NEXT_IN_HEADER 16
#define LENGTH_IN_HEADER 24

/*
 * prf(SK_p, IntAuth of the ones before | header | generic header | content), as one message that
 * was never cut, with the lengths that there would be without what sealing adds.
 */
bool auth_cover_intermediate(const struct ike_keys *keys, bool of_initiator, bool is_first,
	const uint8_t header[IKE_HEADER_LEN], uint8_t first_payload, const uint8_t *content, size_t len,
	uint8_t mac[PRF_MAX])
{
	uint8_t head[IKE_HEADER_LEN + IKE_GENERIC_LEN];
	struct writer w = writer_init(head, sizeof(head));
	struct chunk chunks[] = {
		{mac, is_first ? 0u : keys->prf_len}, {head, sizeof(head)}, {content, len}};

	writer_bytes(&w, header, IKE_HEADER_LEN);
	writer_patch_u8(&w, NEXT_IN_HEADER, IKE_PAYLOAD_SK);
	writer_patch_u32(&w, LENGTH_IN_HEADER, (uint32_t)(sizeof(head) + len));
	writer_u8(&w, first_payload);
	writer_u8(&w, 0);
	writer_u16(&w, (uint16_t)(IKE_GENERIC_LEN + len));
	return prf_compute(keys->prf, of_initiator ? keys->pi : keys->pr, keys->prf_len, chunks,
		ARRAY_LEN(chunks), mac);
}

void auth_task_with_intermediate(struct auth_task *task, const uint8_t *of_initiator,
	const uint8_t *of_responder, uint32_t message_id)
{
	struct writer w = writer_init(task->intermediate, sizeof(task->intermediate));

	writer_bytes(&w, of_initiator, task->prf_len);
	writer_bytes(&w, of_responder, task->prf_len);
	writer_u32(&w, message_id);
	task->intermediate_len = w.len;
}

bool auth_task_with_ppk(struct auth_task *task, const struct secret *ppk)
{
	task->has_ppk = true;
	return !ppk || ike_key_with_ppk(task->prf, ppk, task->sk_p, task->prf_len);
}

void auth_task_by_secret(struct auth_task *task, const struct secret *secret)
{
	task->method = secret ? IKE_METHOD_PSK : IKE_METHOD_NULL;
	if (secret)
		secret_set(&task->secret, secret->data, secret->len);
	else /* RFC 7619 2.1: SK_pi or SK_pr takes the place of the shared secret. */
		secret_set(&task->secret, task->sk_p, task->prf_len);
}

void auth_task_by_identity(struct auth_task *task, const struct cert_identity *identity,
	unsigned hashes, bool allow_sha1)
{
	task->identity = identity;
	task->hashes = hashes;
	task->allow_sha1 = allow_sha1;
}

void auth_task_by_cert(struct auth_task *task, const struct cert_trust *trust, unsigned keys,
	bool allow_sha1, struct cert_chain *chain)
{
	task->trust = trust;
	task->keys = keys;
	task->allow_sha1 = allow_sha1;
	task->chain = *chain;
	chain->count = 0;
}

void auth_task_claim(struct auth_task *task, uint8_t method, const uint8_t *proof, size_t len)
{
	task->is_claim = true;
	/* A MAC's method is what the connection demands: another never verifies (N8, G7). */
	if (!task->trust && task->method != method)
		return;
	task->method = method;
	task->proof = mem_dup(proof, len);
	task->proof_len = len;
}

static bool mac_of_id(const struct auth_task *task, uint8_t out[PRF_MAX])
{
	struct chunk id = {task->id, task->id_len};

	return prf_compute(task->prf, task->sk_p, task->prf_len, &id, 1, out);
}

/* prf(prf(secret, pad), first message | nonce | prf(SK_p, ID body) | IntAuth) */
static bool mac_of(const struct auth_task *task, uint8_t out[PRF_MAX])
{
	struct chunk pad = {key_pad, sizeof(key_pad) - 1};
	uint8_t key[PRF_MAX], id_mac[PRF_MAX];
	struct chunk octets[] = {{task->message, task->message_len},
		{task->nonce.data, task->nonce.len}, {id_mac, task->prf_len},
		{task->intermediate, task->intermediate_len}};
	bool good = prf_compute(task->prf, task->secret.data, task->secret.len, &pad, 1, key) &&
		    mac_of_id(task, id_mac) &&
		    prf_compute(task->prf, key, task->prf_len, octets, ARRAY_LEN(octets), out);

	secret_wipe(key, sizeof(key));
	return good;
}

/* With NULL nothing but the PPK can differ. */
static const char *wrong_mac(const struct auth_task *task)
{
	if (!task->has_ppk)
		return "the peer does not know the secret";
	return task->method == IKE_METHOD_NULL ? "the peer has another PPK"
					       : "the peer does not know the secret, or has another PPK";
}

static void run_mac(struct auth_task *task)
{
	uint8_t mac[PRF_MAX];
	bool made = mac_of(task, mac);

	if (task->is_claim) {
		task->good = made && task->proof_len == task->prf_len &&
			     secret_equal(mac, task->proof, task->prf_len);
		if (!task->good)
			snprintf(task->why, sizeof(task->why), "%s",
				task->proof ? wrong_mac(task)
					    : "the peer authenticates by another method");
	} else if (made) {
		task->proof = mem_dup(mac, task->prf_len);
		task->proof_len = task->prf_len;
		task->good = true;
	}
	secret_wipe(mac, sizeof(mac));
}

/* What is signed; caller frees. NULL when the PRF fails. */
static uint8_t *signed_octets(const struct auth_task *task, size_t *len)
{
	uint8_t id_mac[PRF_MAX], *octets;
	struct writer w;

	if (!mac_of_id(task, id_mac))
		return NULL;
	*len = task->message_len + task->nonce.len + task->prf_len + task->intermediate_len;
	octets = mem_zalloc(*len);
	w = writer_init(octets, *len);
	writer_bytes(&w, task->message, task->message_len);
	writer_bytes(&w, task->nonce.data, task->nonce.len);
	writer_bytes(&w, id_mac, task->prf_len);
	writer_bytes(&w, task->intermediate, task->intermediate_len);
	return octets;
}

/* A wrong PPK shows as a wrong signature; other reasons it is not. */
static void note_ppk(char why[CERT_WHY])
{
	static const char wrong[] = "AUTH signature is wrong";
	size_t len = strlen(why);

	if (strstr(why, wrong))
		snprintf(why + len, CERT_WHY - len, ", or it has another PPK");
}

static void run_signature(struct auth_task *task, const uint8_t *octets, size_t len)
{
	struct sign_proof proof;

	if (task->is_claim) {
		/* The chain first: its reason says more than a wrong signature's. */
		task->good = cert_verify(task->trust, &task->chain, task->id[0], task->id + 4,
				     task->id_len - 4, &task->kept, task->why) &&
			     cert_check_signature(&task->chain.certs[0], task->keys,
				     task->allow_sha1, task->method, task->proof, task->proof_len,
				     octets, len, task->why);
		if (!task->good && task->has_ppk)
			note_ppk(task->why);
		return;
	}
	task->good = cert_sign(
		task->identity, task->hashes, task->allow_sha1, octets, len, &proof, task->why);
	if (!task->good)
		return;
	task->method = proof.method;
	task->proof = mem_dup(proof.data, proof.len);
	task->proof_len = proof.len;
}

void auth_task_run(struct auth_task *task)
{
	uint8_t *octets;
	size_t len;

	if (!task->identity && !task->trust) {
		run_mac(task);
		return;
	}
	octets = signed_octets(task, &len);
	if (octets)
		run_signature(task, octets, len);
	free(octets);
}

void auth_task_clear(struct auth_task *task)
{
	free(task->message);
	free(task->proof);
	free(task->kept.hosts);
	free(task->kept.serials);
	cert_chain_clear(&task->chain);
	secret_wipe(task, sizeof(*task));
}
