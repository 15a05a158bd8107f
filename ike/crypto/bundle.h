/* SPDX-License-Identifier: GPL-2.0-or-later */
/* PKCS#12 (RFC 7292): what a fleet's administrator hands out for each host, in one file. */
#ifndef IKE_CRYPTO_BUNDLE_H
#define IKE_CRYPTO_BUNDLE_H

#include "ike/crypto/cert.h"

/* PEM texts, owned; cert_bundle_free(). */
struct cert_bundle {
	char *name;    /* the friendly name, else the subject's common name */
	char *subject; /* for people */
	char *key_text; /* "RSA-3072" */
	char *certs;   /* the host's certificate, intermediates behind it */
	char *key;     /* PKCS#8, in the clear */
	char *cas;     /* the self-signed ones; "" if there are none */
	size_t intermediate_count, ca_count;
};

/*
 * Reads a PKCS#12 file. `now` as in cert_identity_new(): a key that cannot
 * serve is refused here already. NULL with the reason (caller frees).
 */
struct cert_bundle *cert_bundle_read(
	const void *data, size_t len, const char *passphrase, int64_t now, char **why);
/* Wipes the key. NULL is fine. */
void cert_bundle_free(struct cert_bundle *bundle);

#endif
