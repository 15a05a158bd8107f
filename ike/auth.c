/* SPDX-License-Identifier: GPL-2.0-or-later */
/* AUTH (auth.h). */
#include "ike/auth.h"

#include "lib/mem.h"

#include <stdlib.h>
#include <string.h>

/* 2.15: without a terminating NUL. */
static const char key_pad[] = "Key Pad for IKEv2";

void auth_task_init(struct auth_task *task, const struct ike_keys *keys, bool of_initiator,
	const struct secret *secret, const uint8_t *message, size_t message_len,
	const struct ike_nonce *nonce, const uint8_t *id, size_t id_len)
{
	auth_task_clear(task);
	task->prf = keys->prf;
	task->prf_len = keys->prf_len;
	memcpy(task->sk_p, of_initiator ? keys->pi : keys->pr, keys->prf_len);
	if (secret)
		secret_set(&task->secret, secret->data, secret->len);
	else /* RFC 7619 2.1: SK_pi or SK_pr takes the place of the shared secret. */
		secret_set(&task->secret, task->sk_p, keys->prf_len);
	task->message = mem_dup(message, message_len);
	task->message_len = message_len;
	task->nonce = *nonce;
	memcpy(task->id, id, id_len);
	task->id_len = id_len;
}

/* prf(prf(secret, pad), first message | nonce | prf(SK_p, ID body)) */
void auth_task_run(struct auth_task *task)
{
	struct chunk pad = {key_pad, sizeof(key_pad) - 1};
	struct chunk id = {task->id, task->id_len};
	uint8_t key[PRF_MAX], id_mac[PRF_MAX];
	struct chunk octets[] = {{task->message, task->message_len},
		{task->nonce.data, task->nonce.len}, {id_mac, task->prf_len}};

	task->done =
		prf_compute(task->prf, task->secret.data, task->secret.len, &pad, 1, key) &&
		prf_compute(task->prf, task->sk_p, task->prf_len, &id, 1, id_mac) &&
		prf_compute(task->prf, key, task->prf_len, octets, ARRAY_LEN(octets), task->mac);
	secret_wipe(key, sizeof(key));
}

bool auth_task_matches(const struct auth_task *task, const uint8_t *data, size_t len)
{
	return task->done && len == task->prf_len && secret_equal(task->mac, data, len);
}

void auth_task_clear(struct auth_task *task)
{
	free(task->message);
	secret_wipe(task, sizeof(*task));
}
