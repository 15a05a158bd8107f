/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The key exchange of IKE_SA_INIT as jobs: one side's half, and the shared
 * secret. X25519 takes 0.1 ms of a processor, MODP-4096 several, and it is
 * strangers who ask for it, so the loop does not wait.
 *
 * An SA has one agreement at a time. What comes from the peer meanwhile is held
 * and handed out with the result, in its order.
 */
#ifndef IKE_AGREE_H
#define IKE_AGREE_H

#include "ike/sa.h"

/* A datagram that waits for keys. */
struct ike_held {
	struct path path;
	uint8_t *data;
	size_t len;
	struct ike_held *prev, *next;
};

/* Begin; `done` is called when the job has come back, unless the SA has ended, and must call ike_agree_take(). */
typedef void (*ike_agreed)(struct ike_sa *sa);
/* A fresh pair, the initiator's. */
void ike_agree_make(struct ike_sa *sa, uint16_t group, ike_agreed done);
/* The responder's half (kex_answer()). */
void ike_agree_answer(struct ike_sa *sa, const struct ike_ke *peer, ike_agreed done);
/* The secret of our half in the handshake and the peer's. */
void ike_agree_derive(struct ike_sa *sa, const struct ike_ke *peer, ike_agreed done);

/* Keeps a datagram until then; false when there is no agreement under way, or no room. */
bool ike_agree_hold(struct ike_sa *sa, const struct path *path, const uint8_t *data, size_t len);

/*
 * Ends the agreement: our half is in the handshake again; the secret goes to `shared`, and to `held`
 * what was held (free it by ike_held_free()). False for a value of the peer's that is none.
 */
bool ike_agree_take(struct ike_sa *sa, struct secret *shared, struct ike_held **held);
void ike_held_free(struct ike_held *held);

#endif
