/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Names in certificates (cert.h): which identities one carries, and
 * distinguished names as text. A name of RFC 4514 has the most specific part
 * first ("CN=host,O=Example,C=CH"), most ipsec.conf have it last.
 */
#include "ike/crypto/cert_gnutls.h"

#include "ike/const.h"
#include "lib/mem.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* A stranger's bytes go to logs and terminals. */
static void copy_printable(char *out, size_t room, const char *text, size_t len)
{
	size_t i;

	for (i = 0; i + 1 < room && i < len; i++)
		out[i] = text[i] >= ' ' && text[i] < 0x7f ? text[i] : '?';
	out[i] = '\0';
}

/* The whole name as normalized text; NULL when it is no name. Caller frees with gnutls_free. */
static char *dn_text(const uint8_t *dn, size_t len)
{
	gnutls_datum_t der = cert_datum(dn, len), text = {0};
	gnutls_x509_dn_t name;

	if (gnutls_x509_dn_init(&name) < 0)
		return NULL;
	if (gnutls_x509_dn_import(name, &der) < 0 || gnutls_x509_dn_get_str2(name, &text, 0) < 0)
		text.data = NULL;
	gnutls_x509_dn_deinit(name);
	/* A NUL within would end a comparison early. */
	if (text.data && strlen((char *)text.data) != text.size) {
		gnutls_free(text.data);
		text.data = NULL;
	}
	return (char *)text.data;
}

bool cert_dn_equal(const uint8_t *a, size_t a_len, const uint8_t *b, size_t b_len)
{
	char *one, *other;
	bool equal;

	if (a_len == b_len && memcmp(a, b, a_len) == 0)
		return true;
	one = dn_text(a, a_len);
	other = dn_text(b, b_len);
	equal = one && other && strcasecmp(one, other) == 0;
	gnutls_free(one);
	gnutls_free(other);
	return equal;
}

static bool is_star(const gnutls_x509_ava_st *part)
{
	return part->value.size == 1 && part->value.data[0] == '*';
}

static bool part_matches(const gnutls_x509_ava_st *pattern, const gnutls_x509_ava_st *part)
{
	return pattern->oid.size == part->oid.size &&
	       memcmp(pattern->oid.data, part->oid.data, part->oid.size) == 0 &&
	       (is_star(pattern) ||
		       (pattern->value.size == part->value.size &&
			       !memchr(part->value.data, '\0', part->value.size) &&
			       strncasecmp((const char *)pattern->value.data,
				       (const char *)part->value.data, part->value.size) == 0));
}

/* Part by part, in order; none may be missing or too many. */
static bool parts_match(gnutls_x509_dn_t pattern, gnutls_x509_dn_t dn, bool *has_star)
{
	for (int rdn = 0;; rdn++) {
		for (int ava = 0;; ava++) {
			gnutls_x509_ava_st one, other;
			bool more = gnutls_x509_dn_get_rdn_ava(pattern, rdn, ava, &one) == 0;

			if (more != (gnutls_x509_dn_get_rdn_ava(dn, rdn, ava, &other) == 0))
				return false;
			if (!more && ava == 0)
				return true;
			if (!more)
				break;
			*has_star = *has_star || is_star(&one);
			if (!part_matches(&one, &other))
				return false;
		}
	}
}

bool cert_dn_matches(const uint8_t *pattern, size_t pattern_len, const uint8_t *dn, size_t len)
{
	gnutls_datum_t wanted = cert_datum(pattern, pattern_len), given = cert_datum(dn, len);
	gnutls_x509_dn_t one, other;
	bool good = false, has_star = false;

	/* Without a star names are compared as names are, in all their spellings. */
	if (cert_dn_equal(pattern, pattern_len, dn, len))
		return true;
	if (gnutls_x509_dn_init(&one) < 0)
		return false;
	if (gnutls_x509_dn_init(&other) == 0) {
		good = gnutls_x509_dn_import(one, &wanted) == 0 &&
		       gnutls_x509_dn_import(other, &given) == 0 && parts_match(one, other, &has_star);
		gnutls_x509_dn_deinit(other);
	}
	gnutls_x509_dn_deinit(one);
	return good && has_star;
}

void cert_dn_format(const uint8_t *dn, size_t len, char *out, size_t room)
{
	char *text = dn_text(dn, len);

	copy_printable(out, room, text ? text : "?", text ? strlen(text) : 1);
	gnutls_free(text);
}

void cert_name_of(gnutls_x509_crt_t cert, bool issuer, char *out, size_t room)
{
	gnutls_datum_t dn = {0};

	if ((issuer ? gnutls_x509_crt_get_raw_issuer_dn(cert, &dn)
		    : gnutls_x509_crt_get_raw_dn(cert, &dn)) < 0) {
		snprintf(out, room, "?");
		return;
	}
	cert_dn_format(dn.data, dn.size, out, room);
	gnutls_free(dn.data);
}

/* --- text to DER ------------------------------------------------------------------------- */

#define PARTS_MAX 16

/* Cuts at commas and slashes that begin a new part; leading blanks go. */
static size_t split(char *text, char *parts[PARTS_MAX])
{
	size_t count = 0;
	char *save = NULL;
	const char *ends = text[0] == '/' ? "/" : ",";

	for (char *part = strtok_r(text, ends, &save); part; part = strtok_r(NULL, ends, &save)) {
		part += strspn(part, " ");
		if (count == PARTS_MAX || !strchr(part, '='))
			return 0;
		parts[count++] = part;
	}
	return count;
}

static bool begins_general(const char *part)
{
	static const char *const general[] = {"C=", "DC=", "O=", "ST=", "L="};

	for (size_t i = 0; i < ARRAY_LEN(general); i++) {
		if (strncasecmp(part, general[i], strlen(general[i])) == 0)
			return true;
	}
	return false;
}

/* Parts as RFC 4514 wants them: the most specific first. Caller frees. */
static char *to_rfc4514(char *const parts[], size_t count)
{
	bool reverse = begins_general(parts[0]) && !begins_general(parts[count - 1]);
	char *text = mem_strdup("");

	for (size_t i = 0; i < count; i++) {
		const char *part = parts[reverse ? count - 1 - i : i];
		/* E= is OpenSSL's name of it. */
		bool mail = strncasecmp(part, "E=", 2) == 0 ||
			    strncasecmp(part, "emailAddress=", 13) == 0;
		char *longer = mem_printf("%s%s%s%s", text, i ? "," : "", mail ? "EMAIL=" : "",
			mail ? strchr(part, '=') + 1 : part);

		free(text);
		text = longer;
	}
	return text;
}

size_t cert_dn_parse(const char *text, uint8_t *out, size_t room)
{
	char *copy = mem_strdup(text), *parts[PARTS_MAX], *ordered;
	size_t count = split(copy, parts), len = 0;
	gnutls_x509_dn_t name;

	if (count > 0 && gnutls_x509_dn_init(&name) == 0) {
		ordered = to_rfc4514(parts, count);
		len = room;
		if (gnutls_x509_dn_set_str(name, ordered, NULL) < 0 ||
			gnutls_x509_dn_export(name, GNUTLS_X509_FMT_DER, out, &len) < 0)
			len = 0;
		gnutls_x509_dn_deinit(name);
		free(ordered);
	}
	free(copy);
	return len;
}

/* --- what a certificate carries ------------------------------------------------------------- */

size_t cert_subject(const struct cert_der *der, uint8_t *out, size_t room)
{
	gnutls_x509_crt_t cert = cert_import(der);
	gnutls_datum_t dn = {0};
	size_t len = 0;

	if (!cert)
		return 0;
	if (gnutls_x509_crt_get_raw_dn(cert, &dn) == 0 && dn.size <= room) {
		len = dn.size;
		memcpy(out, dn.data, len);
	}
	gnutls_free(dn.data);
	gnutls_x509_crt_deinit(cert);
	return len;
}

static bool subject_is(gnutls_x509_crt_t cert, const uint8_t *dn, size_t len)
{
	gnutls_datum_t subject = {0};
	bool equal = gnutls_x509_crt_get_raw_dn(cert, &subject) == 0 &&
		     cert_dn_equal(subject.data, subject.size, dn, len);

	gnutls_free(subject.data);
	return equal;
}

/* Bytes of an address, or a text without regard to case; never a NUL in a text. */
static bool name_equal(unsigned kind, const uint8_t *name, size_t name_len, const uint8_t *id, size_t len)
{
	if (name_len != len)
		return false;
	if (kind == GNUTLS_SAN_IPADDRESS)
		return memcmp(name, id, len) == 0;
	return !memchr(id, '\0', len) && strncasecmp((const char *)name, (const char *)id, len) == 0;
}

/* No wildcards: they say nothing of which host this is (RFC 4945 5.1.3.6). */
static bool has_alternative(gnutls_x509_crt_t cert, unsigned kind, const uint8_t *id, size_t len)
{
	for (unsigned i = 0;; i++) {
		uint8_t name[256];
		size_t name_len = sizeof(name);
		unsigned critical;
		int rc = gnutls_x509_crt_get_subject_alt_name(cert, i, name, &name_len, &critical);

		if (rc == GNUTLS_E_REQUESTED_DATA_NOT_AVAILABLE)
			return false;
		if (rc >= 0 && (unsigned)rc == kind && name_equal(kind, name, name_len, id, len))
			return true;
		/* One that is too long or malformed is not the one that is sought. */
	}
}

bool cert_has_id(gnutls_x509_crt_t cert, uint8_t type, const uint8_t *id, size_t len)
{
	switch (type) {
	case IKE_ID_DER_ASN1_DN:
		return subject_is(cert, id, len);
	case IKE_ID_FQDN:
		return has_alternative(cert, GNUTLS_SAN_DNSNAME, id, len);
	case IKE_ID_RFC822_ADDR:
		return has_alternative(cert, GNUTLS_SAN_RFC822NAME, id, len);
	case IKE_ID_IPV4_ADDR:
	case IKE_ID_IPV6_ADDR:
		return has_alternative(cert, GNUTLS_SAN_IPADDRESS, id, len);
	}
	return false;
}

bool cert_covers(const struct cert_der *der, uint8_t id_type, const uint8_t *id, size_t len)
{
	gnutls_x509_crt_t cert = cert_import(der);
	bool good = cert && cert_has_id(cert, id_type, id, len);

	if (cert)
		gnutls_x509_crt_deinit(cert);
	return good;
}
