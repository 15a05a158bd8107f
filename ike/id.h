/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Identities: ours, whether the peer's is acceptable, which PSK belongs to both. */
#ifndef IKE_ID_H
#define IKE_ID_H

#include "ike/conn.h"
#include "ike/crypto/prf.h"

/*
 * The identity that we send: what is configured, ID_NULL with NULL (RFC 7619
 * 2.2), the subject of our certificate if we have one, else our address.
 */
void ike_id_own(const struct ike_id_spec *spec, enum ike_auth auth,
	const struct cert_identity *identity, const struct addr *local, struct ike_id *out);
void ike_id_of_addr(const struct addr *addr, struct ike_id *out);
/* What the peer claims, against what the connection wants. */
bool ike_id_acceptable(const struct ike_id_spec *spec, enum ike_auth auth, const struct ike_id *id);
bool ike_id_equal(const struct ike_id *a, const struct ike_id *b);
/* As bytes of just the length that it takes (the type, then the data), and back. */
#define IKE_ID_PACKED_MAX (1 + IKE_ID_MAX)
size_t ike_id_pack(const struct ike_id *id, uint8_t out[IKE_ID_PACKED_MAX]);
struct ike_id ike_id_unpack(const uint8_t *packed, size_t len);
/* An id of type 0 in a PSK entry is %any. */
#define IKE_ID_TYPE_ANY 0

/*
 * The PSK for a pair of identities: an entry that names both, else one that
 * names the peer, else one that names us, else one for everybody; the first
 * of equals. NULL when there is none. `peer` may be NULL when it is not known
 * yet; the peer's address counts as an identity too.
 */
const struct secret *ike_psk_find(const struct ike_config *config, const struct ike_id *own,
	const struct ike_id *peer, const struct addr *peer_addr);

/*
 * The PPK (RFC 8784) for a pair of identities, by the same rules, among those
 * that the connection permits: of that name (its PPK_ID), or with `name` NULL of any.
 */
const struct ike_psk *ike_ppk_find(const struct ike_config *config, const struct ike_conn *conn,
	const struct chunk *name, const struct ike_id *own, const struct ike_id *peer,
	const struct addr *peer_addr);

#define IKE_ID_TEXT 128
/* A stranger's bytes for a log: printable ASCII as it is, the rest as '?'. */
void ike_copy_printable(char *out, size_t room, const uint8_t *data, size_t len);
/* "10.9.0.1", "@host.example", "%null", "(type 9, 42 bytes)". */
const char *ike_id_format(const struct ike_id *id, char out[IKE_ID_TEXT]);

#endif
