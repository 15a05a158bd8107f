/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Post-quantum pre-shared keys (RFC 8784; ppk.c): where initiator and responder mix one into the keys
 * of IKE_AUTH, or go on without.
 */
#ifndef IKE_PPK_H
#define IKE_PPK_H

#include "ike/sa.h"

/* The PPK that we begin with; NULL: none is wanted, or there is none. */
const struct ike_psk *ike_ppk_own(const struct ike_sa *sa);
/* Whether a responder has any that the connection permits. */
bool ike_ppk_any(const struct ike_sa *sa);
/* Initiator, at the answer to IKE_SA_INIT: false, and noted why, when one is demanded and not possible. */
bool ike_ppk_agreed(struct ike_sa *sa, const struct ike_message *init);
/* Initiator: our AUTH gets the PPK, before its way is chosen. False: there is none any more. */
bool ike_ppk_prepare(struct ike_sa *sa, struct auth_task *task);
/* Initiator: PPK_IDENTITY, and NO_PPK_AUTH when it may go without. */
void ike_ppk_build_request(struct ike_sa *sa, struct ike_builder *chain);
/*
 * What the peer's IKE_AUTH message says of it: mixes the PPK into the keys, or
 * goes on without. False, and noted why, when the SA must fail (4, 5).
 */
bool ike_ppk_take_request(struct ike_sa *sa, const struct ike_message *inner);
bool ike_ppk_take_response(struct ike_sa *sa, const struct ike_message *inner);
/* Responder: that it is used. */
void ike_ppk_build_response(struct ike_sa *sa, struct ike_builder *chain);
/* Beside the task of our own AUTH: the proof without a PPK, if there is to be one; any thread. */
struct auth_task *ike_ppk_plain_auth(const struct ike_auth_work *work);
bool ike_ppk_plain_good(const struct ike_sa *sa); /* once it has run; true if there is none */
void ike_ppk_free(struct ike_ppk_work *ppk);

#endif
