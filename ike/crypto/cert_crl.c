/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Revocation lists (RFC 5280 5). Of each one are kept its issuer's name, the
 * serial numbers as sorted hashes, and its bytes. A list counts for a
 * certificate when it has the certificate's issuer and that issuer's
 * signature. The signature of a CA that is believed was checked when the list was
 * loaded; that of a CA below it is checked with the chain that shows it.
 *
 * What a list names is revoked for good, whatever its dates say. Whether one is
 * valid now matters to those who insist on it (crl-strict=).
 */
#include "ike/crypto/cert_gnutls.h"

#include "lib/mem.h"

#include <gnutls/crypto.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define HASH_LEN 16
#define DELTA_INDICATOR "2.5.29.27"
#define DISTRIBUTION_POINT "2.5.29.28"

/* A time that is over, or not there yet. */
#define NOT_NOW (GNUTLS_CERT_REVOCATION_DATA_SUPERSEDED | GNUTLS_CERT_REVOCATION_DATA_ISSUED_IN_FUTURE)

struct hash {
	uint8_t bytes[HASH_LEN];
};

struct cert_crl {
	struct hash issuer; /* of its name */
	struct hash signer; /* of the certificate that its signature was checked with */
	bool has_signer;
	int64_t this_update;
	struct hash *revoked; /* serial numbers, sorted */
	size_t count;
	uint8_t *der;
	size_t der_len;
};

/* What lists call a certificate. */
struct cert_serial {
	struct hash issuer, serial;
};

struct cert_serials {
	size_t count;
	struct cert_serial list[];
};

/* --- hashes -------------------------------------------------------------------------------------- */

static struct hash hash_of(const uint8_t *data, size_t len)
{
	struct hash hash = {0};
	uint8_t all[32];

	if (gnutls_hash_fast(GNUTLS_DIG_SHA256, data, len, all) == 0)
		memcpy(hash.bytes, all, sizeof(hash.bytes));
	return hash;
}

static bool same_hash(const struct hash *a, const struct hash *b)
{
	return memcmp(a, b, sizeof(*a)) == 0;
}

static int compare_hashes(const void *a, const void *b)
{
	return memcmp(a, b, sizeof(struct hash));
}

/* DER has a zero before a number whose first bit is set; not everybody does. */
static struct hash hash_of_serial(const uint8_t *serial, size_t len)
{
	while (len > 1 && *serial == 0) {
		serial++;
		len--;
	}
	return hash_of(serial, len);
}

static struct hash hash_of_cert(gnutls_x509_crt_t cert)
{
	gnutls_datum_t der = {0};
	struct hash hash = {0};

	if (gnutls_x509_crt_export2(cert, GNUTLS_X509_FMT_DER, &der) == 0)
		hash = hash_of(der.data, der.size);
	gnutls_free(der.data);
	return hash;
}

static struct cert_serial serial_of(gnutls_x509_crt_t cert)
{
	struct cert_serial out = {0};
	gnutls_datum_t issuer = {0};
	uint8_t serial[256];
	size_t len = sizeof(serial);

	if (gnutls_x509_crt_get_raw_issuer_dn(cert, &issuer) == 0)
		out.issuer = hash_of(issuer.data, issuer.size);
	gnutls_free(issuer.data);
	if (gnutls_x509_crt_get_serial(cert, serial, &len) == 0)
		out.serial = hash_of_serial(serial, len);
	return out;
}

/* --- loading --------------------------------------------------------------------------------------- */

static void set_why(char **why, const char *text)
{
	free(*why);
	*why = mem_strdup(text);
}

/* A list for a part of the certificates, or of changes, says less than it seems to. */
static bool is_whole(gnutls_x509_crl_t crl, char **why)
{
	for (unsigned i = 0;; i++) {
		char oid[128];
		size_t len = sizeof(oid);
		unsigned critical = 0;

		if (gnutls_x509_crl_get_extension_info(crl, i, oid, &len, &critical) < 0)
			return true;
		if (!critical && strcmp(oid, DELTA_INDICATOR) != 0 && strcmp(oid, DISTRIBUTION_POINT) != 0)
			continue;
		set_why(why, "it is for a part of the certificates only, or has a critical extension that is "
			     "not known here");
		return false;
	}
}

static unsigned status_of(gnutls_x509_crl_t crl, gnutls_x509_crt_t issuer)
{
	unsigned status = GNUTLS_CERT_INVALID;

	if (gnutls_x509_crl_verify(crl, &issuer, 1, CERT_VERIFY_FLAGS, &status) < 0)
		return GNUTLS_CERT_INVALID | GNUTLS_CERT_SIGNATURE_FAILURE;
	/* "Invalid" comes with every other bit. */
	return status & ~(unsigned)GNUTLS_CERT_INVALID;
}

/* False when one of our CAs has its issuer's name, and none has signed it. */
static bool find_signer(const struct cert_trust *trust, gnutls_x509_crl_t crl, struct cert_crl *out, char **why)
{
	bool named = false;

	for (size_t i = 0; i < trust->count && !out->has_signer; i++) {
		if (!gnutls_x509_crl_check_issuer(crl, trust->cas[i]))
			continue;
		named = true;
		if (status_of(crl, trust->cas[i]) & ~(unsigned)NOT_NOW)
			continue;
		out->signer = hash_of_cert(trust->cas[i]);
		out->has_signer = true;
	}
	if (named && !out->has_signer)
		set_why(why, "its CA has not signed it, or may not sign any");
	return out->has_signer || !named;
}

static void read_serials(gnutls_x509_crl_t crl, struct cert_crl *out)
{
	int count = gnutls_x509_crl_get_crt_count(crl);
	gnutls_x509_crl_iter_t iter = NULL;
	uint8_t serial[256];
	size_t len = sizeof(serial);

	out->revoked = mem_zalloc(((size_t)(count > 0 ? count : 0) + 1) * sizeof(*out->revoked));
	while (out->count < (size_t)(count > 0 ? count : 0) &&
		gnutls_x509_crl_iter_crt_serial(crl, &iter, serial, &len, NULL) == 0) {
		out->revoked[out->count++] = hash_of_serial(serial, len);
		len = sizeof(serial);
	}
	gnutls_x509_crl_iter_deinit(iter);
	if (out->count)
		qsort(out->revoked, out->count, sizeof(*out->revoked), compare_hashes);
}

static void note_dates(gnutls_x509_crl_t crl, int64_t now, char **why)
{
	time_t next = gnutls_x509_crl_get_next_update(crl);

	if (gnutls_x509_crl_get_this_update(crl) > now)
		set_why(why, "it is not valid yet; what it lists is refused already");
	else if (next == (time_t)-1 || next < now)
		set_why(why, "it has expired; what it lists is still refused");
}

static void clear_crl(struct cert_crl *crl)
{
	free(crl->revoked);
	free(crl->der);
}

static bool is_weak(gnutls_x509_crl_t crl)
{
	int algorithm = gnutls_x509_crl_get_signature_algorithm(crl);

	return algorithm < 0 ||
	       !gnutls_sign_is_secure2((gnutls_sign_algorithm_t)algorithm, GNUTLS_SIGN_FLAG_SECURE_FOR_CERTS);
}

static bool add_crl(struct cert_trust *trust, gnutls_x509_crl_t crl, int64_t now, char **why)
{
	struct cert_crl made = {.this_update = gnutls_x509_crl_get_this_update(crl)};
	gnutls_datum_t data = {0};

	if (is_weak(crl)) {
		set_why(why, "it is signed with a weak algorithm");
		return false;
	}
	if (!is_whole(crl, why) || !find_signer(trust, crl, &made, why))
		return false;
	if (gnutls_x509_crl_get_raw_issuer_dn(crl, &data) < 0 || data.size == 0) {
		set_why(why, "it has no issuer");
		return false;
	}
	made.issuer = hash_of(data.data, data.size);
	gnutls_free(data.data);
	data = (gnutls_datum_t){0};
	if (gnutls_x509_crl_export2(crl, GNUTLS_X509_FMT_DER, &data) < 0) {
		set_why(why, "it cannot be read");
		return false;
	}
	made.der = mem_dup(data.data, data.size);
	made.der_len = data.size;
	gnutls_free(data.data);
	read_serials(crl, &made);
	note_dates(crl, now, why);
	trust->crls = mem_resize(trust->crls, trust->crl_count + 1, sizeof(*trust->crls));
	trust->crls[trust->crl_count++] = made;
	return true;
}

size_t cert_trust_add_crls(struct cert_trust *trust, const void *data, size_t len, int64_t now, char **why)
{
	gnutls_datum_t datum = cert_datum(data, len);
	gnutls_x509_crl_t *list = NULL;
	unsigned count = 0;
	size_t added = 0;

	*why = NULL;
	if (gnutls_x509_crl_list_import2(&list, &count, &datum, GNUTLS_X509_FMT_PEM, 0) < 0 &&
		gnutls_x509_crl_list_import2(&list, &count, &datum, GNUTLS_X509_FMT_DER, 0) < 0) {
		set_why(why, "there is no revocation list in it");
		return 0;
	}
	for (unsigned i = 0; i < count; i++) {
		added += add_crl(trust, list[i], now, why);
		gnutls_x509_crl_deinit(list[i]);
	}
	gnutls_free(list);
	return added;
}

void cert_trust_copy_crls(struct cert_trust *trust, const struct cert_trust *from)
{
	trust->strict = from->strict;
	trust->crl_count = from->crl_count;
	trust->crls = mem_dup(from->crls, from->crl_count * sizeof(*from->crls));
	for (size_t i = 0; i < from->crl_count; i++) {
		struct cert_crl *crl = &trust->crls[i];

		crl->revoked = mem_dup(crl->revoked, (crl->count + 1) * sizeof(*crl->revoked));
		crl->der = mem_dup(crl->der, crl->der_len);
	}
}

void cert_trust_free_crls(struct cert_trust *trust)
{
	for (size_t i = 0; i < trust->crl_count; i++)
		clear_crl(&trust->crls[i]);
	free(trust->crls);
}

void cert_trust_be_strict(struct cert_trust *trust)
{
	trust->strict = true;
}

/* --- the chain ---------------------------------------------------------------------------------------- */

/*
 * The certificates of a chain that a list may name: the host's, and whatever may have issued it.
 * By names alone, so that a false CA of the same name hides no other. A CA that is believed is not asked about.
 */
static void mark_path(const struct cert_trust *trust, gnutls_x509_crt_t *certs, size_t count,
	bool marked[CERT_CHAIN_MAX])
{
	bool more = true;

	memset(marked, 0, CERT_CHAIN_MAX * sizeof(*marked));
	marked[0] = true;
	while (more) {
		more = false;
		for (size_t i = 0; i < count; i++) {
			for (size_t j = 0; marked[i] && j < count; j++) {
				if (marked[j] || !gnutls_x509_crt_check_issuer(certs[i], certs[j]))
					continue;
				more = marked[j] = true;
			}
		}
	}
	for (size_t i = 0; i < count; i++)
		marked[i] = marked[i] && !cert_trust_has(trust, certs[i]);
}

struct cert_serials *cert_serials_read(const struct cert_trust *trust, gnutls_x509_crt_t *certs, size_t count)
{
	struct cert_serials *serials = mem_zalloc(sizeof(*serials) + count * sizeof(serials->list[0]));
	bool marked[CERT_CHAIN_MAX];

	if (count)
		mark_path(trust, certs, count, marked);
	for (size_t i = 0; i < count; i++) {
		if (marked[i])
			serials->list[serials->count++] = serial_of(certs[i]);
	}
	return serials;
}

struct cert_serials *cert_serials_new(const struct cert_trust *trust, const struct cert_chain *chain)
{
	gnutls_x509_crt_t certs[CERT_CHAIN_MAX];
	size_t count = cert_import_chain(chain, certs);
	struct cert_serials *serials = cert_serials_read(trust, certs, count);

	for (size_t i = 0; i < count; i++)
		gnutls_x509_crt_deinit(certs[i]);
	return serials;
}

struct cert_serials *cert_serials_copy(const struct cert_serials *serials)
{
	return serials ? mem_dup(serials, sizeof(*serials) + serials->count * sizeof(serials->list[0])) : NULL;
}

/* --- asking --------------------------------------------------------------------------------------------- */

static bool lists(const struct cert_crl *crl, const struct cert_serial *serial)
{
	return crl->count && bsearch(&serial->serial, crl->revoked, crl->count, sizeof(*crl->revoked), compare_hashes);
}

bool cert_trust_permits(const struct cert_trust *trust, const struct cert_serials *serials)
{
	for (size_t i = 0; i < serials->count; i++) {
		bool has_list = false;

		for (size_t j = 0; j < trust->crl_count; j++) {
			if (!same_hash(&trust->crls[j].issuer, &serials->list[i].issuer))
				continue;
			has_list = true;
			if (lists(&trust->crls[j], &serials->list[i]))
				return false;
		}
		if (trust->strict && !has_list)
			return false;
	}
	return true;
}

/* One certificate, with those that may have issued it. */
struct question {
	const struct cert_trust *trust;
	gnutls_x509_crt_t *certs;
	size_t count;
	gnutls_x509_crt_t cert;
	struct cert_serial serial;
};

static bool is_signer(const struct question *question, const struct cert_crl *crl, gnutls_x509_crl_t parsed,
	gnutls_x509_crt_t issuer, bool *is_current)
{
	unsigned status;
	struct hash hash;

	if (!gnutls_x509_crt_check_issuer(question->cert, issuer))
		return false;
	if (!parsed) {
		hash = hash_of_cert(issuer);
		return same_hash(&hash, &crl->signer);
	}
	status = status_of(parsed, issuer);
	*is_current = *is_current || status == 0;
	return !(status & ~(unsigned)NOT_NOW);
}

static bool has_signed(const struct question *question, const struct cert_crl *crl, gnutls_x509_crl_t parsed,
	bool *is_current)
{
	bool found = false;

	for (size_t i = 0; i < question->trust->count; i++)
		found = is_signer(question, crl, parsed, question->trust->cas[i], is_current) || found;
	for (size_t i = 0; i < question->count; i++)
		found = is_signer(question, crl, parsed, question->certs[i], is_current) || found;
	return found;
}

/* Whether a list counts for the certificate; its dates matter only to the strict, and want it read again. */
static bool counts(const struct question *question, const struct cert_crl *crl, bool *is_current)
{
	gnutls_datum_t der = cert_datum(crl->der, crl->der_len);
	gnutls_x509_crl_t parsed = NULL;
	bool good;

	if (!same_hash(&crl->issuer, &question->serial.issuer))
		return false;
	if (crl->has_signer && !question->trust->strict)
		return has_signed(question, crl, NULL, is_current);
	if (gnutls_x509_crl_init(&parsed) < 0)
		return false;
	good = gnutls_x509_crl_import(parsed, &der, GNUTLS_X509_FMT_DER) == 0 &&
	       has_signed(question, crl, parsed, is_current);
	gnutls_x509_crl_deinit(parsed);
	return good;
}

/* NULL, or why the certificate must not be used. Of several lists of one CA the latest counts. */
static const char *ask(const struct question *question)
{
	const struct cert_crl *latest = NULL;
	bool any_current = false, is_revoked = false;

	for (size_t i = 0; i < question->trust->crl_count; i++) {
		const struct cert_crl *crl = &question->trust->crls[i];
		bool is_current = false;

		if (!counts(question, crl, &is_current))
			continue;
		any_current = any_current || is_current;
		if (latest && crl->this_update < latest->this_update)
			continue;
		/* Of the same second: whatever either says. */
		is_revoked = lists(crl, &question->serial) ||
			     (is_revoked && crl->this_update == latest->this_update);
		latest = crl;
	}
	if (is_revoked)
		return "it is revoked";
	return question->trust->strict && !any_current ? "its CA has no revocation list that is valid now (crl-strict)"
							: NULL;
}

const char *cert_trust_revoked(const struct cert_trust *trust, gnutls_x509_crt_t *certs, size_t count,
	gnutls_x509_crt_t *culprit)
{
	bool marked[CERT_CHAIN_MAX];
	const char *reason = NULL;

	if (trust->crl_count == 0 && !trust->strict)
		return NULL;
	mark_path(trust, certs, count, marked);
	for (size_t i = 0; i < count && !reason; i++) {
		struct question question = {
			.trust = trust, .certs = certs, .count = count, .cert = certs[i]};

		if (!marked[i])
			continue;
		question.serial = serial_of(certs[i]);
		reason = ask(&question);
		*culprit = certs[i];
	}
	return reason;
}
