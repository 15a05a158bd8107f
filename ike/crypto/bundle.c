/* SPDX-License-Identifier: GPL-2.0-or-later */
/* PKCS#12 by GnuTLS (bundle.h). */
#include "ike/crypto/bundle.h"
#include "ike/crypto/cert_gnutls.h"

#include "lib/mem.h"
#include "lib/secret.h"

#include <gnutls/pkcs12.h>
#include <stdlib.h>
#include <string.h>

/* What a file holds; GnuTLS's objects, owned. */
struct contents {
	gnutls_x509_privkey_t key;
	gnutls_x509_crt_t *chain; /* the key's certificate first */
	unsigned chain_count;
	gnutls_x509_crt_t *extra;
	unsigned extra_count;
};

static void contents_clear(struct contents *contents)
{
	if (contents->key)
		gnutls_x509_privkey_deinit(contents->key);
	cert_list_free(contents->chain, contents->chain_count);
	cert_list_free(contents->extra, contents->extra_count);
}

/* --- names --------------------------------------------------------------------------------- */

static char *name_in_bag(gnutls_pkcs12_bag_t bag)
{
	int count = gnutls_pkcs12_bag_get_count(bag);
	char *name = NULL;

	for (unsigned i = 0; count > 0 && i < (unsigned)count && !name; i++) {
		char *found = NULL;

		if (gnutls_pkcs12_bag_get_friendly_name(bag, i, &found) == 0 && found && *found)
			name = mem_strdup(found);
	}
	return name;
}

/* Bags that hold certificates are encrypted as a rule. NULL: nobody gave it a name. */
static char *friendly_name(gnutls_pkcs12_t file, const char *passphrase)
{
	char *name = NULL;

	for (int i = 0; !name; i++) {
		gnutls_pkcs12_bag_t bag;

		if (gnutls_pkcs12_bag_init(&bag) < 0)
			break;
		if (gnutls_pkcs12_get_bag(file, i, bag) < 0) {
			gnutls_pkcs12_bag_deinit(bag);
			break;
		}
		if (gnutls_pkcs12_bag_get_type(bag, 0) == GNUTLS_BAG_ENCRYPTED)
			gnutls_pkcs12_bag_decrypt(bag, passphrase);
		name = name_in_bag(bag);
		gnutls_pkcs12_bag_deinit(bag);
	}
	return name;
}

static char *common_name(gnutls_x509_crt_t cert)
{
	char name[256];
	size_t len = sizeof(name);

	if (gnutls_x509_crt_get_dn_by_oid(cert, GNUTLS_OID_X520_COMMON_NAME, 0, 0, name, &len) < 0)
		return mem_strdup("imported");
	return mem_strndup(name, len);
}

/* --- PEM -------------------------------------------------------------------------------------- */

static void append_pem(char **text, gnutls_x509_crt_t cert)
{
	gnutls_datum_t pem;
	char *longer;

	if (gnutls_x509_crt_export2(cert, GNUTLS_X509_FMT_PEM, &pem) < 0)
		return;
	longer = mem_printf("%s%.*s", *text, (int)pem.size, (char *)pem.data);
	gnutls_free(pem.data);
	free(*text);
	*text = longer;
}

static void sort_cert(struct cert_bundle *bundle, gnutls_x509_crt_t cert)
{
	if (gnutls_x509_crt_check_issuer(cert, cert)) {
		append_pem(&bundle->cas, cert);
		bundle->ca_count++;
	} else {
		append_pem(&bundle->certs, cert);
		bundle->intermediate_count++;
	}
}

static char *key_pem(gnutls_x509_privkey_t key)
{
	gnutls_datum_t pem;
	char *text;

	if (gnutls_x509_privkey_export2_pkcs8(key, GNUTLS_X509_FMT_PEM, NULL, GNUTLS_PKCS_PLAIN, &pem) < 0)
		return mem_strdup("");
	text = mem_strndup((char *)pem.data, pem.size);
	secret_wipe(pem.data, pem.size);
	gnutls_free(pem.data);
	return text;
}

/* --- the whole ----------------------------------------------------------------------------------- */

static struct cert_bundle *bundle_of(const struct contents *contents, char *name)
{
	struct cert_bundle *bundle = mem_new(struct cert_bundle);
	char subject[256];

	bundle->name = name ? name : common_name(contents->chain[0]);
	cert_name_of(contents->chain[0], false, subject, sizeof(subject));
	bundle->subject = mem_strdup(subject);
	bundle->certs = mem_strdup("");
	bundle->cas = mem_strdup("");
	bundle->key = key_pem(contents->key);
	append_pem(&bundle->certs, contents->chain[0]);
	for (unsigned i = 1; i < contents->chain_count; i++)
		sort_cert(bundle, contents->chain[i]);
	for (unsigned i = 0; i < contents->extra_count; i++)
		sort_cert(bundle, contents->extra[i]);
	return bundle;
}

/* A key that cannot serve is found out now. */
static struct cert_bundle *checked(struct cert_bundle *bundle, int64_t now, char **why)
{
	struct cert_identity *identity = cert_identity_new(bundle->certs, strlen(bundle->certs),
		bundle->key, strlen(bundle->key), now, why);

	if (!identity) {
		cert_bundle_free(bundle);
		return NULL;
	}
	bundle->key_text = mem_strdup(cert_identity_key_text(identity));
	cert_identity_free(identity);
	return bundle;
}

static const char *parse(gnutls_pkcs12_t file, const void *data, size_t len, const char *passphrase,
	struct contents *out)
{
	gnutls_datum_t datum = cert_datum(data, len);
	int rc;

	if (gnutls_pkcs12_import(file, &datum, GNUTLS_X509_FMT_DER, 0) < 0)
		return "it is no PKCS#12 file";
	if (gnutls_pkcs12_verify_mac(file, passphrase) < 0)
		return "the passphrase is wrong, or the file is damaged";
	rc = gnutls_pkcs12_simple_parse(file, passphrase, &out->key, &out->chain, &out->chain_count,
		&out->extra, &out->extra_count, NULL, GNUTLS_PKCS12_SP_INCLUDE_SELF_SIGNED);
	if (rc == GNUTLS_E_REQUESTED_DATA_NOT_AVAILABLE || (rc >= 0 && (!out->key || !out->chain_count)))
		return "there is no certificate with its private key in it";
	return rc < 0 ? gnutls_strerror(rc) : NULL;
}

struct cert_bundle *cert_bundle_read(
	const void *data, size_t len, const char *passphrase, int64_t now, char **why)
{
	struct contents contents = {0};
	struct cert_bundle *bundle = NULL;
	const char *problem;
	gnutls_pkcs12_t file;

	gnutls_pkcs12_init(&file);
	problem = parse(file, data, len, passphrase, &contents);
	if (problem)
		*why = mem_strdup(problem);
	else
		bundle = checked(bundle_of(&contents, friendly_name(file, passphrase)), now, why);
	contents_clear(&contents);
	gnutls_pkcs12_deinit(file);
	return bundle;
}

void cert_bundle_free(struct cert_bundle *bundle)
{
	if (!bundle)
		return;
	if (bundle->key)
		secret_wipe(bundle->key, strlen(bundle->key));
	free(bundle->name);
	free(bundle->subject);
	free(bundle->key_text);
	free(bundle->certs);
	free(bundle->key);
	free(bundle->cas);
	free(bundle);
}
