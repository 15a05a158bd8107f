/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The CAs that are believed, and the check of a peer's chain against them (cert.h). */
#include "ike/crypto/cert_gnutls.h"

#include "lib/mem.h"

#include <gnutls/crypto.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct cert_trust *cert_trust_new(void)
{
	struct cert_trust *trust = mem_new(struct cert_trust);

	gnutls_x509_trust_list_init(&trust->list, 0);
	return trust;
}

void cert_trust_free(struct cert_trust *trust)
{
	if (!trust)
		return;
	for (size_t i = 0; i < trust->count; i++)
		gnutls_x509_crt_deinit(trust->cas[i]);
	free(trust->cas);
	cert_trust_free_crls(trust);
	free(trust->hashes);
	gnutls_x509_trust_list_deinit(trust->list, 0);
	free(trust);
}

static void keep_key_hash(struct cert_trust *trust, gnutls_x509_crt_t ca)
{
	gnutls_pubkey_t key;
	gnutls_datum_t der = {0};

	trust->hashes = mem_resize(trust->hashes, trust->hashes_len + CERT_KEY_HASH_LEN, 1);
	gnutls_pubkey_init(&key);
	if (gnutls_pubkey_import_x509(key, ca, 0) == 0 &&
		gnutls_pubkey_export2(key, GNUTLS_X509_FMT_DER, &der) == 0 &&
		gnutls_hash_fast(GNUTLS_DIG_SHA1, der.data, der.size, trust->hashes + trust->hashes_len) == 0)
		trust->hashes_len += CERT_KEY_HASH_LEN;
	gnutls_free(der.data);
	gnutls_pubkey_deinit(key);
}

/* A copy of the certificate becomes an anchor. */
static void add_ca(struct cert_trust *trust, gnutls_x509_crt_t ca)
{
	gnutls_datum_t der;
	gnutls_x509_crt_t copy;

	if (gnutls_x509_crt_export2(ca, GNUTLS_X509_FMT_DER, &der) < 0)
		return;
	copy = cert_import(&(struct cert_der){der.data, der.size});
	gnutls_free(der.data);
	if (!copy)
		return;
	trust->cas = mem_resize(trust->cas, trust->count + 1, sizeof(*trust->cas));
	trust->cas[trust->count++] = copy;
	keep_key_hash(trust, copy);
	/* The list only refers to it: ours is the one that is freed (deinit's `all` is 0). */
	gnutls_x509_trust_list_add_cas(trust->list, &copy, 1, 0);
}

struct cert_trust *cert_trust_copy(const struct cert_trust *from)
{
	struct cert_trust *trust = cert_trust_new();

	for (size_t i = 0; i < from->count; i++)
		add_ca(trust, from->cas[i]);
	cert_trust_copy_crls(trust, from);
	return trust;
}

size_t cert_trust_add(struct cert_trust *trust, const void *data, size_t len, char **why)
{
	gnutls_x509_crt_t *list;
	int count = cert_import_list(data, len, &list);
	size_t before = trust->count;

	if (count <= 0) {
		*why = mem_strdup("there is no certificate in it");
		return 0;
	}
	for (int i = 0; i < count; i++) {
		if (gnutls_x509_crt_get_ca_status(list[i], NULL) > 0)
			add_ca(trust, list[i]);
	}
	cert_list_free(list, (size_t)count);
	if (trust->count == before)
		*why = mem_strdup("none of its certificates is a CA's");
	return trust->count - before;
}

size_t cert_trust_count(const struct cert_trust *trust)
{
	return trust->count;
}

bool cert_trust_has(const struct cert_trust *trust, gnutls_x509_crt_t ca)
{
	for (size_t i = 0; i < trust->count; i++) {
		if (gnutls_x509_crt_equals(trust->cas[i], ca))
			return true;
	}
	return false;
}

bool cert_trust_includes(const struct cert_trust *trust, const struct cert_trust *some)
{
	for (size_t i = 0; i < some->count; i++) {
		if (!cert_trust_has(trust, some->cas[i]))
			return false;
	}
	return true;
}

struct cert_trust *cert_trust_of_subject(const struct cert_trust *trust, const uint8_t *dn, size_t len)
{
	struct cert_trust *some = cert_trust_new();

	for (size_t i = 0; i < trust->count; i++) {
		gnutls_datum_t subject = {0};

		if (gnutls_x509_crt_get_raw_dn(trust->cas[i], &subject) == 0 &&
			cert_dn_equal(subject.data, subject.size, dn, len))
			add_ca(some, trust->cas[i]);
		gnutls_free(subject.data);
	}
	cert_trust_copy_crls(some, trust);
	return some;
}

struct cert_trust *cert_trust_of_identity(
	const struct cert_trust *trust, const struct cert_identity *identity)
{
	struct cert_trust *some = cert_trust_new();
	const struct cert_chain *chain = &identity->chain;

	for (size_t c = 0; c < chain->count; c++) {
		gnutls_x509_crt_t cert = cert_import(&chain->certs[c]);

		for (size_t i = 0; cert && i < trust->count; i++) {
			if (gnutls_x509_crt_check_issuer(cert, trust->cas[i]))
				add_ca(some, trust->cas[i]);
		}
		if (cert)
			gnutls_x509_crt_deinit(cert);
	}
	cert_trust_copy_crls(some, trust);
	return some;
}

size_t cert_trust_key_hashes(const struct cert_trust *trust, uint8_t *out, size_t room)
{
	size_t len = trust->hashes_len < room ? trust->hashes_len : room - room % CERT_KEY_HASH_LEN;

	if (len)
		memcpy(out, trust->hashes, len);
	return len;
}

/* --- the check ------------------------------------------------------------------------------ */

#define NAME_CONSTRAINTS "2.5.29.30"

/* The first of these that is set is the reason to tell. */
static const struct {
	unsigned status;
	const char *text;
} reasons[] = {
	{GNUTLS_CERT_SIGNER_NOT_FOUND, "no CA that is trusted here issued it"},
	{GNUTLS_CERT_SIGNER_NOT_CA, "its issuer is no CA"},
	{GNUTLS_CERT_SIGNATURE_FAILURE, "its signature is wrong"},
	{GNUTLS_CERT_INSECURE_ALGORITHM, "it is signed or keyed with a weak algorithm"},
	{GNUTLS_CERT_EXPIRED, "it or its issuer has expired"},
	{GNUTLS_CERT_NOT_ACTIVATED, "it or its issuer is not valid yet"},
	{GNUTLS_CERT_SIGNER_CONSTRAINTS_FAILURE, NULL}, /* constraint_of() */
	{GNUTLS_CERT_UNKNOWN_CRIT_EXTENSIONS, "it has a critical extension that is not known here"},
	{GNUTLS_CERT_PURPOSE_MISMATCH, "it is for another purpose"},
};

static void tell(gnutls_x509_crt_t leaf, const char *reason, char why[CERT_WHY])
{
	char name[64];

	cert_name_of(leaf, false, name, sizeof(name));
	snprintf(why, CERT_WHY, "certificate %s: %.80s", name, reason);
}

/*
 * Which limit of a CA above it: GnuTLS has one status for three of them. What a
 * root of ours limits is not in `certs`.
 */
static const char *constraint_of(gnutls_x509_crt_t *certs, size_t count)
{
	const char *found = "its CA's constraints forbid it";

	for (size_t i = 1; i < count; i++) {
		gnutls_datum_t names = {0};
		unsigned usage, critical, is_ca;
		int path_len;

		if (gnutls_x509_crt_get_key_usage(certs[i], &usage, &critical) == 0 &&
			!(usage & GNUTLS_KEY_KEY_CERT_SIGN))
			return "its issuer may not sign certificates";
		if (gnutls_x509_crt_get_basic_constraints(certs[i], &critical, &is_ca, &path_len) >= 0 &&
			path_len >= 0 && (size_t)path_len < i - 1)
			return "its chain is longer than a CA in it permits";
		if (gnutls_x509_crt_get_extension_by_oid2(
			    certs[i], NAME_CONSTRAINTS, 0, &names, NULL) < 0)
			continue;
		gnutls_free(names.data);
		found = "a CA above it may not give it its names";
	}
	return found;
}

static bool path_good(const struct cert_trust *trust, gnutls_x509_crt_t *certs, size_t count,
	char why[CERT_WHY])
{
	unsigned status = 0;
	int rc = gnutls_x509_trust_list_verify_crt2(
		trust->list, certs, (unsigned)count, NULL, 0, CERT_VERIFY_FLAGS, &status, NULL);

	if (rc == 0 && status == 0)
		return true;
	for (size_t i = 0; i < ARRAY_LEN(reasons); i++) {
		if (!(status & reasons[i].status))
			continue;
		tell(certs[0], reasons[i].text ? reasons[i].text : constraint_of(certs, count), why);
		return false;
	}
	tell(certs[0], "its chain cannot be checked", why);
	return false;
}

static bool leaf_good(gnutls_x509_crt_t leaf, char why[CERT_WHY])
{
	enum cert_key kind;
	gnutls_ecc_curve_t curve;
	char text[16], reason[CERT_WHY];
	gnutls_pubkey_t key;
	bool good;

	gnutls_pubkey_init(&key);
	snprintf(reason, sizeof(reason), "its key cannot be read");
	good = gnutls_pubkey_import_x509(key, leaf, 0) == 0 &&
	       cert_key_judge(key, &kind, &curve, text, reason) && cert_usage_good(leaf, reason);
	gnutls_pubkey_deinit(key);
	if (!good)
		tell(leaf, reason, why);
	return good;
}

static bool is_unrevoked(const struct cert_trust *trust, gnutls_x509_crt_t *certs, size_t count,
	char why[CERT_WHY])
{
	gnutls_x509_crt_t culprit;
	const char *reason = cert_trust_revoked(trust, certs, count, &culprit);

	if (reason)
		tell(culprit, reason, why);
	return !reason;
}

/* All or none: a chain with one broken certificate is not a chain. */
size_t cert_import_chain(const struct cert_chain *chain, gnutls_x509_crt_t certs[CERT_CHAIN_MAX])
{
	for (size_t i = 0; i < chain->count; i++) {
		certs[i] = cert_import(&chain->certs[i]);
		if (certs[i])
			continue;
		while (i-- > 0)
			gnutls_x509_crt_deinit(certs[i]);
		return 0;
	}
	return chain->count;
}

bool cert_verify(const struct cert_trust *trust, const struct cert_chain *chain, uint8_t id_type,
	const uint8_t *id, size_t id_len, struct cert_kept *kept, char why[CERT_WHY])
{
	gnutls_x509_crt_t certs[CERT_CHAIN_MAX];
	size_t count = cert_import_chain(chain, certs);
	bool good;

	if (count == 0) {
		snprintf(why, CERT_WHY, chain->count ? "a certificate that is no X.509 certificate"
						     : "no certificate was sent");
		return false;
	}
	good = path_good(trust, certs, count, why) && is_unrevoked(trust, certs, count, why) && leaf_good(certs[0], why);
	if (good && !cert_has_id(certs[0], id_type, id, id_len)) {
		tell(certs[0], "it does not carry the identity that the peer claims", why);
		good = false;
	}
	if (good && kept) {
		kept->serials = cert_serials_read(trust, certs, count);
		kept->hosts = kept->wants_hosts ? cert_hosts_read(certs[0]) : NULL;
	}
	for (size_t i = 0; i < count; i++)
		gnutls_x509_crt_deinit(certs[i]);
	return good;
}
