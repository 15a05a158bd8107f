/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Signatures (cert_sign.h). An AlgorithmIdentifier is compared byte by byte
 * with the ones that we know: parsing PSS parameters has been a source of
 * forgeries. RSA is signed with PSS, which every peer with RFC 7427 takes, and
 * taken with PKCS#1 v1.5 too.
 */
#include "ike/crypto/cert_gnutls.h"
#include "ike/crypto/cert_sign.h"

#include "ike/const.h"
#include "lib/mem.h"
#include "lib/wire.h"

#include <gnutls/crypto.h>
#include <stdio.h>
#include <string.h>

struct scheme {
	enum cert_key key;
	enum sign_hash hash;
	gnutls_sign_algorithm_t algorithm;
	bool pss;
};

/* In the order in which we like to sign, within a kind of key. */
static const struct scheme schemes[] = {
	{CERT_KEY_RSA, SIGN_SHA2_256, GNUTLS_SIGN_RSA_PSS_RSAE_SHA256, true},
	{CERT_KEY_RSA, SIGN_SHA2_384, GNUTLS_SIGN_RSA_PSS_RSAE_SHA384, true},
	{CERT_KEY_RSA, SIGN_SHA2_512, GNUTLS_SIGN_RSA_PSS_RSAE_SHA512, true},
	{CERT_KEY_RSA, SIGN_SHA2_256, GNUTLS_SIGN_RSA_SHA256, false},
	{CERT_KEY_RSA, SIGN_SHA2_384, GNUTLS_SIGN_RSA_SHA384, false},
	{CERT_KEY_RSA, SIGN_SHA2_512, GNUTLS_SIGN_RSA_SHA512, false},
	{CERT_KEY_ECDSA, SIGN_SHA2_256, GNUTLS_SIGN_ECDSA_SHA256, false},
	{CERT_KEY_ECDSA, SIGN_SHA2_384, GNUTLS_SIGN_ECDSA_SHA384, false},
	{CERT_KEY_ECDSA, SIGN_SHA2_512, GNUTLS_SIGN_ECDSA_SHA512, false},
	{CERT_KEY_EDDSA, SIGN_IDENTITY, GNUTLS_SIGN_EDDSA_ED25519, false},
};

/* RFC 4754: the curve gives the hash and the length of r and s. */
static const struct old_ecdsa {
	uint8_t method;
	gnutls_ecc_curve_t curve;
	enum sign_hash hash;
	gnutls_sign_algorithm_t algorithm;
	size_t half;
} old_ecdsas[] = {
	{IKE_METHOD_ECDSA_256, GNUTLS_ECC_CURVE_SECP256R1, SIGN_SHA2_256, GNUTLS_SIGN_ECDSA_SHA256, 32},
	{IKE_METHOD_ECDSA_384, GNUTLS_ECC_CURVE_SECP384R1, SIGN_SHA2_384, GNUTLS_SIGN_ECDSA_SHA384, 48},
	{IKE_METHOD_ECDSA_521, GNUTLS_ECC_CURVE_SECP521R1, SIGN_SHA2_512, GNUTLS_SIGN_ECDSA_SHA512, 66},
};

static const struct old_ecdsa *old_ecdsa_of_curve(gnutls_ecc_curve_t curve)
{
	for (size_t i = 0; i < ARRAY_LEN(old_ecdsas); i++) {
		if (old_ecdsas[i].curve == curve)
			return &old_ecdsas[i];
	}
	return NULL;
}

/* --- AlgorithmIdentifiers (RFC 7427 A) ------------------------------------------------------ */

#define ALGORITHM_ID_MAX 80

/* SHA2's AlgorithmIdentifier, with or without the NULL (RFC 4055 2.1 wants both taken). */
static void write_hash(struct writer *w, enum sign_hash hash, bool null)
{
	static const uint8_t oid[] = {0x06, 0x09, 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02};

	writer_u8(w, 0x30);
	writer_u8(w, null ? 13 : 11);
	writer_bytes(w, oid, sizeof(oid));
	writer_u8(w, (uint8_t)(hash - SIGN_SHA2_256 + 1));
	if (null)
		writer_u16(w, 0x0500);
}

static uint8_t hash_len(enum sign_hash hash)
{
	return hash == SIGN_SHA2_256 ? 32 : hash == SIGN_SHA2_384 ? 48 : 64;
}

/* RSASSA-PSS, MGF1 with the same hash, and a salt of the hash's length. */
static void write_pss(struct writer *w, enum sign_hash hash, bool null)
{
	static const uint8_t oid[] = {
		0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x0a};
	static const uint8_t mgf1[] = {
		0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x08};
	uint8_t less = null ? 0 : 2; /* each hash is so much shorter */

	writer_u8(w, 0x30);
	writer_u8(w, (uint8_t)(65 - 2 * less));
	writer_bytes(w, oid, sizeof(oid));
	writer_u8(w, 0x30);
	writer_u8(w, (uint8_t)(52 - 2 * less));
	writer_u8(w, 0xa0);
	writer_u8(w, (uint8_t)(15 - less));
	write_hash(w, hash, null);
	writer_u8(w, 0xa1);
	writer_u8(w, (uint8_t)(28 - less));
	writer_u8(w, 0x30);
	writer_u8(w, (uint8_t)(26 - less));
	writer_bytes(w, mgf1, sizeof(mgf1));
	write_hash(w, hash, null);
	writer_u8(w, 0xa2);
	writer_u8(w, 3);
	writer_u8(w, 0x02);
	writer_u8(w, 1);
	writer_u8(w, hash_len(hash));
}

static void write_plain(struct writer *w, const struct scheme *scheme)
{
	static const uint8_t rsa[] = {
		0x30, 0x0d, 0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01};
	static const uint8_t ecdsa[] = {
		0x30, 0x0a, 0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03};
	static const uint8_t ed25519[] = {0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70};
	uint8_t nth = (uint8_t)(scheme->hash - SIGN_SHA2_256);

	switch (scheme->key) {
	case CERT_KEY_RSA:
		writer_bytes(w, rsa, sizeof(rsa));
		writer_u8(w, (uint8_t)(11 + nth));
		writer_u16(w, 0x0500);
		return;
	case CERT_KEY_ECDSA:
		writer_bytes(w, ecdsa, sizeof(ecdsa));
		writer_u8(w, (uint8_t)(2 + nth));
		return;
	case CERT_KEY_EDDSA:
		writer_bytes(w, ed25519, sizeof(ed25519));
		return;
	}
}

static size_t algorithm_id(const struct scheme *scheme, bool null, uint8_t out[ALGORITHM_ID_MAX])
{
	struct writer w = writer_init(out, ALGORITHM_ID_MAX);

	if (scheme->pss)
		write_pss(&w, scheme->hash, null);
	else
		write_plain(&w, scheme);
	return w.len;
}

static bool is_scheme(const struct scheme *scheme, bool null, const uint8_t *id, size_t len)
{
	uint8_t expected[ALGORITHM_ID_MAX];

	return algorithm_id(scheme, null, expected) == len && memcmp(expected, id, len) == 0;
}

static const struct scheme *scheme_of_id(const uint8_t *id, size_t len)
{
	for (size_t i = 0; i < ARRAY_LEN(schemes); i++) {
		if (is_scheme(&schemes[i], true, id, len) ||
			(schemes[i].pss && is_scheme(&schemes[i], false, id, len)))
			return &schemes[i];
	}
	return NULL;
}

/* --- signing ----------------------------------------------------------------------------------- */

/* The hash that fits the curve (RFC 8247 3.2 leaves it open), else any that the peer has. */
static const struct scheme *scheme_for(const struct cert_identity *identity, unsigned hashes)
{
	const struct old_ecdsa *fitting = old_ecdsa_of_curve(identity->curve);
	const struct scheme *found = NULL;

	for (size_t i = 0; i < ARRAY_LEN(schemes); i++) {
		const struct scheme *scheme = &schemes[i];

		if (scheme->key != identity->kind || !(hashes & 1u << scheme->hash))
			continue;
		if (!found || (identity->kind == CERT_KEY_ECDSA && fitting &&
				      scheme->hash == fitting->hash))
			found = scheme;
	}
	return found;
}

static bool sign(const struct cert_identity *identity, gnutls_sign_algorithm_t algorithm,
	const void *octets, size_t len, gnutls_datum_t *signature)
{
	gnutls_datum_t data = cert_datum(octets, len);
	/* RFC 6979: a repeated signature gives nothing away, and a simulation repeats. */
	unsigned flags = identity->kind == CERT_KEY_ECDSA ? GNUTLS_PRIVKEY_FLAG_REPRODUCIBLE : 0;

	return gnutls_privkey_sign_data2(identity->key, algorithm, flags, &data, signature) == 0;
}

static bool sign_by_scheme(const struct cert_identity *identity, const struct scheme *scheme,
	const void *octets, size_t len, struct sign_proof *out)
{
	uint8_t id[ALGORITHM_ID_MAX];
	size_t id_len = algorithm_id(scheme, true, id);
	struct writer w = writer_init(out->data, sizeof(out->data));
	gnutls_datum_t signature;

	if (!sign(identity, scheme->algorithm, octets, len, &signature))
		return false;
	out->method = IKE_METHOD_SIGNATURE;
	writer_u8(&w, (uint8_t)id_len);
	writer_bytes(&w, id, id_len);
	writer_bytes(&w, signature.data, signature.size);
	gnutls_free(signature.data);
	out->len = w.len;
	return !w.failed;
}

/* A big-endian number into exactly `half` bytes. */
static bool write_half(struct writer *w, const gnutls_datum_t *number, size_t half)
{
	const unsigned char *bytes = number->data;
	size_t len = number->size;

	while (len > half && *bytes == 0) {
		bytes++;
		len--;
	}
	if (len > half)
		return false;
	writer_zero(w, half - len);
	writer_bytes(w, bytes, len);
	return true;
}

static bool sign_old_ecdsa(
	const struct cert_identity *identity, const void *octets, size_t len, struct sign_proof *out)
{
	const struct old_ecdsa *old = old_ecdsa_of_curve(identity->curve);
	struct writer w = writer_init(out->data, sizeof(out->data));
	gnutls_datum_t signature, r = {0}, s = {0};
	bool good;

	if (!old || !sign(identity, old->algorithm, octets, len, &signature))
		return false;
	good = gnutls_decode_rs_value(&signature, &r, &s) == 0 && write_half(&w, &r, old->half) &&
	       write_half(&w, &s, old->half) && !w.failed;
	gnutls_free(signature.data);
	gnutls_free(r.data);
	gnutls_free(s.data);
	out->method = old->method;
	out->len = w.len;
	return good;
}

static bool sign_old_rsa(
	const struct cert_identity *identity, const void *octets, size_t len, struct sign_proof *out)
{
	gnutls_datum_t signature;

	if (!sign(identity, GNUTLS_SIGN_RSA_SHA1, octets, len, &signature))
		return false;
	out->method = IKE_METHOD_RSA;
	out->len = signature.size;
	if (signature.size <= sizeof(out->data))
		memcpy(out->data, signature.data, signature.size);
	gnutls_free(signature.data);
	return out->len <= sizeof(out->data);
}

bool cert_sign(const struct cert_identity *identity, unsigned hashes, bool allow_sha1,
	const void *octets, size_t len, struct sign_proof *out, char why[CERT_WHY])
{
	const struct scheme *scheme = scheme_for(identity, hashes);
	bool good;

	if (scheme) {
		good = sign_by_scheme(identity, scheme, octets, len, out);
	} else if (!hashes && identity->kind == CERT_KEY_ECDSA) {
		good = sign_old_ecdsa(identity, octets, len, out);
	} else if (!hashes && identity->kind == CERT_KEY_RSA && allow_sha1) {
		good = sign_old_rsa(identity, octets, len, out);
	} else {
		snprintf(why, CERT_WHY, "the peer verifies no signature that our %s key can make",
			identity->text);
		return false;
	}
	if (!good)
		snprintf(why, CERT_WHY, "signing with our %s key failed", identity->text);
	return good;
}

/* --- checking ---------------------------------------------------------------------------------- */

static bool verify(gnutls_pubkey_t key, gnutls_sign_algorithm_t algorithm, unsigned flags,
	const void *octets, size_t len, const gnutls_datum_t *signature)
{
	gnutls_datum_t data = cert_datum(octets, len);

	return gnutls_pubkey_verify_data2(key, algorithm, flags, &data, signature) >= 0;
}

static bool check_scheme(gnutls_pubkey_t key, enum cert_key kind, const uint8_t *proof,
	size_t proof_len, const void *octets, size_t len, const char **why)
{
	struct reader r = reader_init(proof, proof_len);
	size_t id_len = reader_u8(&r), signature_len;
	const uint8_t *id = reader_bytes(&r, id_len);
	const struct scheme *scheme;
	gnutls_datum_t signature;

	*why = "its AUTH payload is malformed";
	signature_len = reader_left(&r);
	if (r.failed || signature_len == 0)
		return false;
	signature = cert_datum(reader_bytes(&r, signature_len), signature_len);
	scheme = scheme_of_id(id, id_len);
	*why = "its signature is of an algorithm that is not accepted here";
	if (!scheme || scheme->key != kind)
		return false;
	*why = "its AUTH signature is wrong";
	return verify(key, scheme->algorithm, 0, octets, len, &signature);
}

static bool check_old_ecdsa(gnutls_pubkey_t key, gnutls_ecc_curve_t curve, uint8_t method,
	const uint8_t *proof, size_t proof_len, const void *octets, size_t len)
{
	const struct old_ecdsa *old = old_ecdsa_of_curve(curve);
	gnutls_datum_t r, s, signature;
	bool good;

	if (!old || old->method != method || proof_len != 2 * old->half)
		return false;
	r = cert_datum(proof, old->half);
	s = cert_datum(proof + old->half, old->half);
	if (gnutls_encode_rs_value(&signature, &r, &s) < 0)
		return false;
	good = verify(key, old->algorithm, 0, octets, len, &signature);
	gnutls_free(signature.data);
	return good;
}

static bool check_method(gnutls_pubkey_t key, enum cert_key kind, gnutls_ecc_curve_t curve,
	bool allow_sha1, uint8_t method, const uint8_t *proof, size_t proof_len,
	const void *octets, size_t len, const char **why)
{
	gnutls_datum_t signature = cert_datum(proof, proof_len);

	*why = "its AUTH signature is wrong";
	switch (method) {
	case IKE_METHOD_SIGNATURE:
		return check_scheme(key, kind, proof, proof_len, octets, len, why);
	case IKE_METHOD_RSA:
		if (kind == CERT_KEY_RSA && !allow_sha1)
			*why = "it signs with SHA-1, which authby=rsa-sha1 would permit";
		return kind == CERT_KEY_RSA && allow_sha1 &&
		       verify(key, GNUTLS_SIGN_RSA_SHA1, GNUTLS_VERIFY_ALLOW_BROKEN, octets, len,
			       &signature);
	case IKE_METHOD_ECDSA_256:
	case IKE_METHOD_ECDSA_384:
	case IKE_METHOD_ECDSA_521:
		return kind == CERT_KEY_ECDSA &&
		       check_old_ecdsa(key, curve, method, proof, proof_len, octets, len);
	}
	*why = "it does not authenticate by a signature";
	return false;
}

static bool key_of(const struct cert_der *der, gnutls_pubkey_t key)
{
	gnutls_x509_crt_t cert = cert_import(der);
	bool good = cert && gnutls_pubkey_import_x509(key, cert, 0) == 0;

	if (cert)
		gnutls_x509_crt_deinit(cert);
	return good;
}

bool cert_check_signature(const struct cert_der *cert, unsigned keys, bool allow_sha1, uint8_t method,
	const uint8_t *proof, size_t proof_len, const void *octets, size_t len, char why[CERT_WHY])
{
	gnutls_ecc_curve_t curve = GNUTLS_ECC_CURVE_INVALID;
	const char *reason = "its key cannot be read";
	gnutls_pubkey_t key;
	enum cert_key kind;
	char text[16];
	bool good = false;

	why[0] = '\0';
	gnutls_pubkey_init(&key);
	if (key_of(cert, key) && cert_key_judge(key, &kind, &curve, text, why)) {
		reason = "its key is of a kind that this connection does not accept";
		good = (keys & (unsigned)kind) &&
		       check_method(key, kind, curve, allow_sha1, method, proof, proof_len, octets,
			       len, &reason);
	}
	gnutls_pubkey_deinit(key);
	if (!good && !why[0])
		snprintf(why, CERT_WHY, "%s", reason);
	return good;
}
