/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a stranger's CERT payloads and AUTH payload make GnuTLS and us read.
 * The input is a list: a kind, a length of two bytes, and so many bytes. Kind
 * 0 is a certificate of the peer's chain, 1 a CA that we believe, 2 the
 * claimed identity (its type first), 3 the AUTH payload's body, 4 a DN as
 * people write it, 5 a revocation list.
 */
#include "ike/crypto/cert.h"
#include "ike/crypto/cert_sign.h"
#include "lib/mem.h"
#include "lib/wire.h"

#include <gnutls/gnutls.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define MAX_PARTS 16
/* When the certificates of the corpus are valid. */
#define THEN 1796083200

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

struct scene {
	struct cert_chain chain;
	struct cert_trust *trust;
	const uint8_t *id, *proof;
	size_t id_len, proof_len;
};

static void demand(bool good)
{
	if (!good)
		abort();
}

static time_t then(time_t *out)
{
	if (out)
		*out = THEN;
	return THEN;
}

static void add_ca(struct scene *scene, const uint8_t *data, size_t len)
{
	char *why = NULL;
	size_t before = cert_trust_count(scene->trust), added = cert_trust_add(scene->trust, data, len, &why);

	demand(cert_trust_count(scene->trust) == before + added && (added > 0) == (why == NULL));
	free(why);
}

/* One that is left out has its reason; one that is taken may have one, too. */
static void add_list(struct scene *scene, const uint8_t *data, size_t len)
{
	char *why = NULL;

	demand(cert_trust_add_crls(scene->trust, data, len, THEN, &why) > 0 || why != NULL);
	free(why);
	/* By chance, for what the strict read again. */
	if (len % 2)
		cert_trust_be_strict(scene->trust);
}

/* A name that parses is DER that can be written and equals itself. */
static void read_name(const uint8_t *data, size_t len)
{
	char *text = mem_zalloc(len + 1), shown[64];
	uint8_t dn[256];
	size_t dn_len;

	if (len)
		memcpy(text, data, len);
	dn_len = cert_dn_parse(text, dn, sizeof(dn));
	demand(dn_len <= sizeof(dn));
	if (dn_len) {
		cert_dn_format(dn, dn_len, shown, sizeof(shown));
		demand(memchr(shown, 0, sizeof(shown)) != NULL && cert_dn_equal(dn, dn_len, dn, dn_len));
	}
	free(text);
}

static void take_part(struct scene *scene, uint8_t kind, const uint8_t *data, size_t len)
{
	switch (kind % 6) {
	case 0:
		demand(cert_chain_add(&scene->chain, data, len) || scene->chain.count == CERT_CHAIN_MAX);
		break;
	case 1:
		add_ca(scene, data, len);
		break;
	case 2:
		scene->id = data;
		scene->id_len = len;
		break;
	case 3:
		scene->proof = data;
		scene->proof_len = len;
		break;
	case 4:
		read_name(data, len);
		break;
	case 5:
		add_list(scene, data, len);
		break;
	}
}

static void read_subject(const struct scene *scene, const struct cert_der *cert)
{
	uint8_t dn[256], pattern[256];
	char text[64];
	size_t len = cert_subject(cert, dn, sizeof(dn));
	size_t pattern_len = cert_dn_parse("C=*, O=*, CN=*", pattern, sizeof(pattern));

	demand(len <= sizeof(dn));
	if (!len)
		return;
	cert_dn_format(dn, len, text, sizeof(text));
	demand(memchr(text, 0, sizeof(text)) != NULL);
	cert_dn_equal(dn, len, pattern, pattern_len);
	cert_dn_matches(pattern, pattern_len, dn, len);
	cert_trust_free(cert_trust_of_subject(scene->trust, dn, len));
}

static void demand_printable(const char *text)
{
	for (; *text; text++)
		demand(*text >= ' ' && *text <= '~');
}

/* What an SA keeps of a peer's certificate. */
static void keep(const struct scene *scene)
{
	struct cert_hosts *hosts = cert_hosts_of(&scene->chain.certs[0]);
	struct cert_serials *serials = cert_serials_new(scene->trust, &scene->chain);
	struct cert_serials *copy = cert_serials_copy(serials);
	char *text = cert_hosts_format(hosts);

	demand_printable(text);
	demand(!cert_hosts_have_name(hosts, "") && !cert_hosts_have_name(hosts, "*.example.org"));
	cert_hosts_have_name(hosts, "host.example");
	demand(cert_trust_permits(scene->trust, serials) == cert_trust_permits(scene->trust, copy));
	free(text);
	free(copy);
	free(serials);
	free(hosts);
}

static void judge(const struct scene *scene)
{
	static const uint8_t octets[] = "what was signed";
	uint8_t id_type = scene->id_len ? scene->id[0] : 0, hashes[4 * CERT_KEY_HASH_LEN];
	const uint8_t *id = scene->id_len ? scene->id + 1 : NULL;
	size_t id_len = scene->id_len ? scene->id_len - 1 : 0;
	char why[CERT_WHY] = "";

	cert_trust_key_hashes(scene->trust, hashes, sizeof(hashes));
	for (size_t i = 0; i < scene->chain.count; i++) {
		cert_covers(&scene->chain.certs[i], id_type, id, id_len);
		read_subject(scene, &scene->chain.certs[i]);
	}
	/* A refusal has its reason, in printable characters. */
	if (!cert_verify(scene->trust, &scene->chain, id_type, id, id_len, NULL, why)) {
		demand(why[0] && memchr(why, 0, sizeof(why)) != NULL);
		demand_printable(why);
	}
	if (scene->chain.count)
		keep(scene);
	if (scene->chain.count && scene->proof_len > 4)
		cert_check_signature(&scene->chain.certs[0], CERT_KEY_ANY, false, scene->proof[0],
			scene->proof + 4, scene->proof_len - 4, octets, sizeof(octets), why);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct reader r = reader_init(data, len);
	struct scene scene = {.trust = cert_trust_new()};

	gnutls_global_set_time_function(then);
	for (unsigned i = 0; i < MAX_PARTS && reader_left(&r) > 0; i++) {
		uint8_t kind = reader_u8(&r);
		size_t want = reader_u16(&r), given = want < reader_left(&r) ? want : reader_left(&r);
		const uint8_t *part = reader_bytes(&r, given);

		if (part)
			take_part(&scene, kind, part, given);
	}
	judge(&scene);
	cert_chain_clear(&scene.chain);
	cert_trust_free(scene.trust);
	return 0;
}
