/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The AUTH payload's content (RFC 7296 2.15, RFC 7619 2.1): a MAC over
 * one's own first message, the peer's nonce and one's own ID.
 *
 * A task is self-contained, so that a worker can compute it: everything is
 * copied in, and freed and wiped by auth_task_clear().
 */
#ifndef IKE_AUTH_H
#define IKE_AUTH_H

#include "ike/conn.h"
#include "ike/keys.h"

struct auth_task {
	uint16_t prf;
	size_t prf_len;
	uint8_t sk_p[PRF_MAX]; /* of the side whose AUTH this is */
	struct secret secret;  /* the PSK; empty for NULL */
	uint8_t *message;      /* that side's IKE_SA_INIT message, owned */
	size_t message_len;
	struct ike_nonce nonce; /* the other side's */
	uint8_t id[4 + IKE_ID_MAX]; /* body of its ID payload */
	size_t id_len;
	bool done;
	uint8_t mac[PRF_MAX]; /* the result, prf_len bytes */
};

/* The AUTH of the SA's original initiator or responder. `secret` NULL: RFC 7619. Copies all. */
void auth_task_init(struct auth_task *task, const struct ike_keys *keys, bool of_initiator,
	const struct secret *secret, const uint8_t *message, size_t message_len,
	const struct ike_nonce *nonce, const uint8_t *id, size_t id_len);
/* Computes the MAC; any thread. */
void auth_task_run(struct auth_task *task);
/* True when the task was computed and the peer's data equals it (constant time). */
bool auth_task_matches(const struct auth_task *task, const uint8_t *data, size_t len);
void auth_task_clear(struct auth_task *task);

#endif
