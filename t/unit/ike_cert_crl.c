/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Revocation lists: which are taken, what they forbid, and what those who insist on them demand. */
#include "ike/const.h"
#include "ike/crypto/cert.h"
#include "lib/mem.h"
#include "t/pki.h"
#include "t/tap.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#define DELTA_INDICATOR 27
#define DISTRIBUTION_POINT 28
#define KEY_CERT_SIGN 4

static const char fqdn[] = "host.example";

/* A CA, one below it, a false one of each name; hosts of the two. */
static struct pki_cert *ca, *middle, *false_ca, *false_middle;
static struct pki_cert *host, *other, *below;

static struct cert_trust *trust;
static char why[CERT_WHY];
static char *reason; /* of the last list */

static void begin(void)
{
	char *text = NULL;

	trust = cert_trust_new();
	cert_trust_add(trust, ca->cert_pem, strlen(ca->cert_pem), &text);
	free(text);
}

static void end(void)
{
	cert_trust_free(trust);
	free(reason);
	reason = NULL;
}

static size_t add(const void *data, size_t len)
{
	free(reason);
	return cert_trust_add_crls(trust, data, len, time(NULL), &reason);
}

static size_t add_list(const struct pki_crl *how, const struct pki_cert *issuer, const struct pki_cert *named,
	const struct pki_cert *revoked)
{
	static const struct pki_crl good;
	size_t len, count;
	uint8_t *list = pki_revoke(how ? how : &good, issuer, named, &revoked, revoked ? 1 : 0, &len);

	count = add(list, len);
	free(list);
	return count;
}

static bool verify(const struct cert_chain *chain)
{
	why[0] = '\0';
	return cert_verify(trust, chain, IKE_ID_FQDN, (const uint8_t *)fqdn, strlen(fqdn), NULL, why);
}

static bool good(const struct pki_cert *cert)
{
	struct cert_chain chain = {.certs = {cert->der}, .count = 1};

	return verify(&chain);
}

static bool good_below(void)
{
	struct cert_chain chain = {.certs = {below->der, middle->der}, .count = 2};

	return verify(&chain);
}

/* --- lists of a CA that is believed ------------------------------------------------------------------ */

static void test_forms(void)
{
	static const struct {
		const char *what;
		struct pki_crl how;
	} forms[] = {{"PEM", {0}}, {"DER", {.der = true}}, {"with leading zeros", {.leading_zeros = true}}};

	for (size_t i = 0; i < ARRAY_LEN(forms); i++) {
		begin();
		ok(good(host), "%s: no list, nothing revoked", forms[i].what);
		ok(add_list(&forms[i].how, ca, NULL, host) == 1 && !reason, "a list");
		ok(!good(host) && strstr(why, "it is revoked"), "what it names is refused: %s", why);
		ok(good(other), "what it does not name is not");
		end();
	}
	begin();
	ok(add_list(NULL, ca, NULL, NULL) == 1 && good(host), "an empty list");
	end();
}

static void test_dates(void)
{
	static const struct pki_crl expired = {.from_days = -9, .until_days = -1}, early = {.from_days = 2};

	begin();
	is_int((int)add_list(&expired, ca, NULL, host), 1, "an expired list");
	ok(reason && strstr(reason, "expired"), "is told: %s", reason);
	ok(!good(host) && good(other), "what it names stays refused");
	cert_trust_be_strict(trust);
	ok(!good(other) && strstr(why, "no revocation list that is valid"), "strict: it is none: %s", why);
	ok(!good(host) && strstr(why, "it is revoked"), "and the reason of what it names is the same");
	ok(add_list(NULL, ca, NULL, NULL) == 1 && good(other), "strict: with a new one it is good again");
	ok(good(host), "and the later list says what is revoked");
	ok(add_list(NULL, ca, NULL, host) == 1 && !good(host), "of two of the same time both do");
	end();
	begin();
	cert_trust_be_strict(trust);
	ok(!good(host), "strict, and no list at all: %s", why);
	is_int((int)add_list(&early, ca, NULL, NULL), 1, "one from the future");
	ok(reason && strstr(reason, "not valid yet"), "is told: %s", reason);
	ok(!good(host), "and does not count");
	end();
}

static void refuses(size_t added, const char *what, const char *because)
{
	ok(added == 0 && strstr(reason, because), "%s: %s", what, reason);
}

/* Reason by reason: it is not used, and does not end up as a list of nobody. */
static void test_bad(void)
{
	static const struct pki_crl sha1 = {.sha1 = true}, delta = {.der = true, .extension = DELTA_INDICATOR},
				    part = {.der = true, .extension = DISTRIBUTION_POINT};
	struct pki_spec mute = {.key = PKI_P256, .is_ca = true, .usage = KEY_CERT_SIGN, .subject = "CN=Mute"};
	struct pki_cert *mute_ca = pki_make(&mute, NULL);
	char *text = NULL;
	size_t len;
	uint8_t *list = pki_revoke(
		&(struct pki_crl){.der = true}, ca, NULL, (const struct pki_cert *const[]){host}, 1, &len);

	begin();
	refuses(add_list(NULL, false_ca, ca, host), "signed by another", "has not signed it");
	refuses(add_list(&sha1, ca, NULL, host), "signed with SHA-1", "weak algorithm");
	refuses(add_list(&delta, ca, NULL, host), "of changes only", "for a part");
	refuses(add_list(&part, ca, NULL, host), "for a part", "for a part");
	cert_trust_add(trust, mute_ca->cert_pem, strlen(mute_ca->cert_pem), &text);
	refuses(add_list(NULL, mute_ca, NULL, host), "of a CA that may not", "may not sign any");
	list[len - 5] ^= 1;
	refuses(add(list, len), "one bit of it changed", "has not signed it");
	refuses(add(list, len / 2), "half of it", "no revocation list");
	refuses(add("noise", 5), "noise", "no revocation list");
	refuses(add("", 0), "nothing", "no revocation list");
	refuses(add(ca->cert_pem, strlen(ca->cert_pem)), "a certificate", "no revocation list");
	ok(good(host), "none of them counts");
	end();
	free(text);
	free(list);
	pki_free(mute_ca);
}

/* --- CAs below ------------------------------------------------------------------------------------------ */

static void test_below(void)
{
	struct cert_chain hidden;

	begin();
	ok(good_below(), "a CA below ours, and no list");
	ok(add_list(NULL, middle, NULL, below) == 1, "its list: nobody knows it yet");
	ok(!good_below() && strstr(why, "it is revoked"), "it counts where the chain shows that CA: %s", why);
	ok(good(host), "and for nobody else");
	end();
	begin();
	ok(add_list(NULL, false_middle, NULL, below) == 1 && good_below(),
		"a false CA's of the same name does not count");
	end();
	begin();
	ok(add_list(NULL, ca, NULL, middle) == 1, "a list that revokes the CA below");
	ok(!good_below() && strstr(why, "CN=Middle: it is revoked"), "all below it are refused: %s", why);
	hidden = (struct cert_chain){.certs = {below->der, false_middle->der, middle->der}, .count = 3};
	ok(!verify(&hidden), "nor does a false CA before it hide it: %s", why);
	end();
	begin();
	cert_trust_be_strict(trust);
	add_list(NULL, ca, NULL, NULL);
	ok(good(host), "strict: a list of the CA");
	ok(!good_below() && strstr(why, "no revocation list"), "below another one that is not enough: %s", why);
	ok(add_list(NULL, middle, NULL, NULL) == 1 && good_below(), "but with both");
	end();
}

static void test_same_serial(void)
{
	struct pki_spec spec = {.key = PKI_P256, .serial = 7};
	struct pki_cert *ours = pki_make(&spec, ca), *theirs = pki_make(&spec, middle);
	struct cert_chain chain = {.certs = {theirs->der, middle->der}, .count = 2};

	begin();
	add_list(NULL, ca, NULL, ours);
	ok(!good(ours) && verify(&chain), "the same number of another CA is another certificate");
	end();
	pki_free(ours);
	pki_free(theirs);
}

/* --- later ---------------------------------------------------------------------------------------------- */

static void test_later(void)
{
	struct cert_chain chain = {.certs = {below->der, middle->der}, .count = 2};
	struct cert_serials *serials, *copied;
	struct cert_trust *copy;

	begin();
	serials = cert_serials_new(trust, &chain);
	copied = cert_serials_copy(serials);
	ok(cert_trust_permits(trust, serials), "what was good stays good");
	add_list(NULL, ca, NULL, host);
	ok(cert_trust_permits(trust, serials), "with a list that does not name it, too");
	copy = cert_trust_copy(trust);
	add_list(NULL, middle, NULL, below);
	ok(!cert_trust_permits(trust, copied), "but not with one that does");
	ok(cert_trust_permits(copy, serials), "a copy is as it was then");
	cert_trust_free(copy);
	copy = cert_trust_copy(trust);
	ok(!cert_trust_permits(copy, serials), "or is now");
	cert_trust_free(copy);
	end();
	begin();
	add_list(NULL, ca, NULL, middle);
	ok(!cert_trust_permits(trust, serials), "nor with one that names its CA");
	end();
	begin();
	add_list(NULL, ca, NULL, NULL);
	cert_trust_be_strict(trust);
	ok(!cert_trust_permits(trust, serials), "strict: nor without a list of each");
	add_list(NULL, middle, NULL, NULL);
	ok(cert_trust_permits(trust, serials), "strict: with both");
	end();
	free(copied);
	free(serials);
}

int main(void)
{
	struct pki_spec root = {.key = PKI_P256, .is_ca = true};
	struct pki_spec sub = {.key = PKI_P256, .is_ca = true, .subject = "CN=Middle"};
	struct pki_spec leaf = {.key = PKI_P256};

	ca = pki_make(&root, NULL);
	false_ca = pki_make(&root, NULL);
	middle = pki_make(&sub, ca);
	false_middle = pki_make(&sub, false_ca);
	host = pki_make(&leaf, ca);
	other = pki_make(&leaf, ca);
	below = pki_make(&leaf, middle);
	test_forms();
	test_dates();
	test_bad();
	test_below();
	test_same_serial();
	test_later();
	pki_free(below);
	pki_free(other);
	pki_free(host);
	pki_free(false_middle);
	pki_free(middle);
	pki_free(false_ca);
	pki_free(ca);
	return tap_done();
}
