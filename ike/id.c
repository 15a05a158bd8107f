/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Identities (id.h). */
#include "ike/id.h"

#include "ike/const.h"
#include "ike/crypto/cert.h"

#include <stdio.h>
#include <string.h>

void ike_id_of_addr(const struct addr *addr, struct ike_id *out)
{
	*out = (struct ike_id){
		.type = addr->family == ADDR_IPV4 ? IKE_ID_IPV4_ADDR : IKE_ID_IPV6_ADDR,
		.len = (uint16_t)addr_len(addr)};
	memcpy(out->data, addr->bytes, out->len);
}

/* The subject's name, which a certificate always covers. */
static void id_of_subject(const struct cert_identity *identity, struct ike_id *out)
{
	*out = (struct ike_id){.type = IKE_ID_DER_ASN1_DN};
	out->len = (uint16_t)cert_identity_subject(identity, out->data, sizeof(out->data));
}

void ike_id_own(const struct ike_id_spec *spec, enum ike_auth auth,
	const struct cert_identity *identity, const struct addr *local, struct ike_id *out)
{
	if (spec->kind == IKE_ID_KIND_EXACT)
		*out = spec->id;
	else if (spec->kind == IKE_ID_KIND_NULL || auth == IKE_AUTH_NULL)
		*out = (struct ike_id){.type = IKE_ID_NULL};
	else if (identity)
		id_of_subject(identity, out);
	else
		ike_id_of_addr(local, out);
}

bool ike_id_equal(const struct ike_id *a, const struct ike_id *b)
{
	return a->type == b->type && a->len == b->len && memcmp(a->data, b->data, a->len) == 0;
}

bool ike_id_acceptable(const struct ike_id_spec *spec, enum ike_auth auth, const struct ike_id *id)
{
	/* NULL authentication proves no identity, so none can be demanded (RFC 7619 2.2). */
	if (auth == IKE_AUTH_NULL)
		return true;
	switch (spec->kind) {
	case IKE_ID_KIND_EXACT:
		if (spec->id.type == IKE_ID_DER_ASN1_DN && id->type == IKE_ID_DER_ASN1_DN)
			return cert_dn_matches(spec->id.data, spec->id.len, id->data, id->len);
		return ike_id_equal(&spec->id, id);
	case IKE_ID_KIND_NULL:
		return id->type == IKE_ID_NULL;
	case IKE_ID_KIND_DEFAULT:
	case IKE_ID_KIND_ANY:
	case IKE_ID_KIND_FROMCERT:
		break;
	}
	return true;
}

size_t ike_id_pack(const struct ike_id *id, uint8_t out[IKE_ID_PACKED_MAX])
{
	out[0] = id->type;
	memcpy(out + 1, id->data, id->len);
	return 1u + id->len;
}

/* No bytes: no identity is known, a zeroed id. */
struct ike_id ike_id_unpack(const uint8_t *packed, size_t len)
{
	struct ike_id id = {0};

	if (len == 0 || len > IKE_ID_PACKED_MAX)
		return id;
	id.type = packed[0];
	id.len = (uint16_t)(len - 1);
	memcpy(id.data, packed + 1, id.len);
	return id;
}

static bool names(const struct ike_psk *psk, const struct ike_id *id)
{
	for (size_t i = 0; id && i < psk->id_count; i++) {
		if (ike_id_equal(&psk->ids[i], id))
			return true;
	}
	return false;
}

static bool names_anybody(const struct ike_psk *psk)
{
	for (size_t i = 0; i < psk->id_count; i++) {
		if (psk->ids[i].type == IKE_ID_TYPE_ANY)
			return true;
	}
	return psk->id_count == 0;
}

/* How well an entry fits: 0 not at all. */
static int score(const struct ike_psk *psk, const struct ike_id *own, const struct ike_id *peer,
	const struct ike_id *peer_addr)
{
	bool ours = names(psk, own);
	bool theirs = names(psk, peer) || names(psk, peer_addr);

	if (ours && theirs)
		return 4;
	/* An entry for two others is not for us: one match is enough only if nobody else is meant. */
	if ((ours || theirs) && (psk->id_count == 1 || names_anybody(psk)))
		return theirs ? 3 : 2;
	return names_anybody(psk) ? 1 : 0;
}

const struct secret *ike_psk_find(const struct ike_config *config, const struct ike_id *own,
	const struct ike_id *peer, const struct addr *peer_addr)
{
	const struct ike_psk *best = NULL;
	struct ike_id by_addr;
	int best_score = 0;

	ike_id_of_addr(peer_addr, &by_addr);
	for (size_t i = 0; i < config->psk_count; i++) {
		int fits = score(&config->psks[i], own, peer, &by_addr);

		if (fits > best_score) {
			best = &config->psks[i];
			best_score = fits;
		}
	}
	return best ? &best->secret : NULL;
}

/* Its place in the connection's list, which says which is preferred; 0 if it is not there. */
static int place_in_list(const struct ike_conn *conn, const struct ike_psk *ppk)
{
	static const char ends[] = ", \t";
	int place = 0;

	if (!conn->ppk_ids)
		return 1;
	for (const char *at = conn->ppk_ids + strspn(conn->ppk_ids, ends); *at; at += strspn(at, ends)) {
		size_t len = strcspn(at, ends);

		place++;
		if (len == ppk->name_len && memcmp(at, ppk->name, len) == 0)
			return place;
		at += len;
	}
	return 0;
}

const struct ike_psk *ike_ppk_find(const struct ike_config *config, const struct ike_conn *conn,
	const struct chunk *name, const struct ike_id *own, const struct ike_id *peer,
	const struct addr *peer_addr)
{
	const struct ike_psk *best = NULL;
	int best_score = 0, best_place = 0;
	struct ike_id by_addr;

	ike_id_of_addr(peer_addr, &by_addr);
	for (size_t i = 0; i < config->ppk_count; i++) {
		const struct ike_psk *ppk = &config->ppks[i];
		int place = place_in_list(conn, ppk), fits = score(ppk, own, peer, &by_addr);

		if (!place || !fits ||
			(name && (name->len != ppk->name_len || memcmp(name->data, ppk->name, name->len) != 0)))
			continue;
		if (!best || place < best_place || (place == best_place && fits > best_score)) {
			best = ppk;
			best_place = place;
			best_score = fits;
		}
	}
	return best;
}

void ike_copy_printable(char *out, size_t room, const uint8_t *data, size_t len)
{
	size_t i;

	for (i = 0; i + 1 < room && i < len; i++)
		out[i] = data[i] > ' ' && data[i] < 0x7f ? (char)data[i] : '?';
	out[i] = '\0';
}

const char *ike_id_format(const struct ike_id *id, char out[IKE_ID_TEXT])
{
	struct addr addr;
	char text[ADDR_TEXT];

	switch (id->type) {
	case IKE_ID_IPV4_ADDR:
	case IKE_ID_IPV6_ADDR:
		if (addr_from_bytes(id->data, id->len, &addr))
			snprintf(out, IKE_ID_TEXT, "%s", addr_format(&addr, text));
		else
			snprintf(out, IKE_ID_TEXT, "?");
		break;
	case IKE_ID_FQDN:
		out[0] = '@';
		ike_copy_printable(out + 1, IKE_ID_TEXT - 1, id->data, id->len);
		break;
	case IKE_ID_RFC822_ADDR:
		ike_copy_printable(out, IKE_ID_TEXT, id->data, id->len);
		break;
	case IKE_ID_NULL:
		snprintf(out, IKE_ID_TEXT, "%%null");
		break;
	default:
		snprintf(out, IKE_ID_TEXT, "(type %u, %u bytes)", id->type, id->len);
	}
	return out;
}
