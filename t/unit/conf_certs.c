/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Certificates of a configuration: ours in every form that leftcert= takes, the CAs that rightca=
 * means, revocation lists. What cannot serve is told with its place when the configuration is loaded.
 */
#include "ike/const.h"
#include "ike/crypto/cert_sign.h"
#include "t/pki.h"
#include "t/unit/conf_files.h"

#include <string.h>

#define CONN "conn x\n\tright=%opportunisticgroup\n\tleftauth=null\n\trightauth=ecdsa\n\tauto=ondemand\n"
#define PKI "\tpki-dir=@/pki\n"
#define FIRST_LIST "pki/crls/a.pem"

static struct pki_cert *ca, *false_ca, *next_ca;
static struct pki_cert *host, *other;
static struct cert_serials *serials; /* of the host */

/* --- revocation lists ------------------------------------------------------------------------- */

static void write_list(const char *file, const struct pki_cert *issuer, const struct pki_crl *how)
{
	const struct pki_cert *revoked[] = {host};
	size_t len;
	uint8_t *list = pki_revoke(how, issuer, ca, revoked, 1, &len);
	char *text = mem_strndup((char *)list, len);

	files_write(file, text);
	free(text);
	free(list);
}

static bool permits(const struct conf *conf)
{
	const struct ike_conn *ike = files_ike(conf, "x");

	return ike && ike->remote_auth == IKE_AUTH_CERT && cert_trust_permits(conf->ike.trusts[ike->trust], serials);
}

static void test_lists(void)
{
	static const struct pki_crl good, expired = {.from_days = -9, .until_days = -1};
	struct conf *conf = files_load_text(PKI CONN);

	ok(conf && files_report.count == 0 && permits(conf), "no folder of lists");
	conf_free(conf);
	write_list(FIRST_LIST, ca, &good);
	conf = files_load_text(PKI CONN);
	ok(conf && files_report.count == 0 && !permits(conf), "a list counts");
	conf_free(conf);
	write_list(FIRST_LIST, ca, &expired);
	conf = files_load_text(PKI CONN);
	ok(files_said(CONF_WARNING, FIRST_LIST ": a revocation list: it has expired") && !permits(conf),
		"an expired one is a warning");
	conf_free(conf);
	write_list(FIRST_LIST, false_ca, &good);
	conf = files_load_text(PKI CONN);
	ok(files_said(CONF_DEFECT, FIRST_LIST ": this revocation list is left out: its CA has not signed it") &&
			permits(conf),
		"a false one is a defect");
	conf_free(conf);
	files_write(FIRST_LIST, "noise");
	conf = files_load_text(PKI CONN);
	ok(files_said(CONF_DEFECT, FIRST_LIST ": this revocation list is left out: there is no"), "so is what is none");
	conf_free(conf);
	files_write("pki/crls/.hidden", "noise");
	unlink(files_path(FIRST_LIST));
	conf = files_load_text(PKI CONN);
	ok(conf && files_report.count == 0, "a hidden file is passed over");
	conf_free(conf);
}

/* Without a list nobody is permitted, by either name of the option. */
static void test_strict(void)
{
	struct conf *conf = files_load_text(PKI "\tcrl-strict=yes\n" CONN);

	ok(conf && !permits(conf), "crl-strict=yes");
	conf_free(conf);
	conf = files_load_text(PKI "\tstrictcrlpolicy=yes\n" CONN);
	ok(conf && files_report.count == 0 && !permits(conf), "strictcrlpolicy=yes");
	conf_free(conf);
	conf = files_load_text(PKI "\tcrl-strict=no\n" CONN);
	ok(conf && permits(conf), "crl-strict=no");
	conf_free(conf);
	ok(!files_load_text(PKI "\tcrl-strict=perhaps\n" CONN), "crl-strict=perhaps");
}

/* --- ours --------------------------------------------------------------------------------------- */

#define KEY_ENCIPHERMENT 32
#define NO_KEY ", and there is no key for it in @/pki/private"
#define CODE_SIGNING "1.3.6.1.5.5.7.3.3"

static char *join(const char *a, const char *b)
{
	return mem_printf("%s%s", a, b);
}

/* A conn that shows who we are by `cert`, which `methods` and `more` fit or do not. */
static struct conf *load_own(const char *cert, const char *methods, const char *more)
{
	char *text = mem_printf(PKI "conn x\n\tright=%%opportunisticgroup\n\tleftauth=%s\n\trightauth=ecdsa\n"
				"\tleftcert=%s\n%s\tauto=ondemand\n",
		methods, cert, more);
	struct conf *conf = files_load_text(text);

	free(text);
	return conf;
}

static const struct cert_chain *own_chain(const struct conf *conf)
{
	const struct ike_conn *ike = files_ike(conf, "x");

	return ike && ike->local_auth == IKE_AUTH_CERT ? cert_identity_chain(conf->ike.identities[ike->identity])
						       : NULL;
}

/* The host's certificate, alone. */
static void serves(const char *cert, const char *what)
{
	struct conf *conf = load_own(cert, "ecdsa", "");
	const struct cert_chain *chain = own_chain(conf);

	ok(chain && files_report.count == 0 && chain->count == 1 && chain->certs[0].len == host->der.len &&
			memcmp(chain->certs[0].data, host->der.data, host->der.len) == 0,
		"%s: leftcert=%s", what, cert);
	conf_free(conf);
}

/* The whole message, but for the folder's name: the conn, its line, and `why`. */
static void refuses_with(const char *cert, const char *more, const char *why, const char *what)
{
	struct conf *conf = load_own(cert, "ecdsa", more);
	char *text = mem_printf("@/oe.conf:5: conn x: this end's authentication by ecdsa: %s; "
				"every negotiation of it fails, and nothing is sent",
		why);
	char *said = files_text(text);
	const struct ike_conn *ike = files_ike(conf, "x");

	ok(ike && ike->local_auth == IKE_AUTH_UNAVAILABLE && ike->unavailable && files_report.count == 1 &&
			files_said(CONF_DEFECT, said),
		"%s is refused", what);
	free(said);
	free(text);
	conf_free(conf);
}

/* For a reason that lies in the file. */
static void refuses(const char *file, const char *reason, const char *what)
{
	char *cert = join("@/", file), *why = mem_printf("%s: %s", cert, reason);

	refuses_with(cert, "", why, what);
	free(why);
	free(cert);
}

static void test_places(void)
{
	files_write("pki/private/a-other.pem", other->key_pem);
	files_write("pki/private/b.pem", host->key_pem);
	files_write("pki/certs/own.pem", host->cert_pem);
	files_write("pki/certs/second.crt", host->cert_pem);
	files_write("pki/certs/third.cer", host->cert_pem);
	files_write("elsewhere/own.pem", host->cert_pem);
	serves("own", "a name");
	serves("own.pem", "with its ending");
	serves("second", ".crt");
	serves("third", ".cer");
	serves("NSS Certificate DB:own", "as libreswan has it");
	serves("@/elsewhere/own.pem", "a path");
	serves("@/pki/../elsewhere/own.pem", "another path to it");
	refuses_with("elsewhere.pem", "",
		"cannot read the certificate @/pki/certs/elsewhere.pem.pem: No such file or directory",
		"a name that nothing has");
}

static void test_forms(void)
{
	size_t len;
	uint8_t *key = pki_key(host, NULL, &len);
	char *both = join(host->cert_pem, host->key_pem), *reverse = join(host->key_pem, host->cert_pem);

	files_write_bytes("own.der", host->der.data, host->der.len);
	serves("@/own.der", "DER, its key in PEM");
	unlink(files_path("pki/private/b.pem"));
	files_write("both.pem", both);
	serves("@/both.pem", "with its key");
	files_write("both.pem", reverse);
	serves("@/both.pem", "behind its key");
	refuses("own.der", "there is no private key in it" NO_KEY, "one whose key is nowhere");
	files_write("pki/private/.b.pem", host->key_pem);
	files_write("pki/private/b.pem~", host->key_pem);
	refuses("own.der", "there is no private key in it" NO_KEY, "one whose key is hidden, or an editor's copy,");
	files_write_bytes("pki/private/b.der", key, len);
	serves("@/own.der", "DER, its key too");
	serves("own", "PEM, its key in DER");
	free(reverse);
	free(both);
	free(key);
}

/* A certificate with its key in one file: what is wrong is the certificate. */
static void refuses_spec(const struct pki_spec *spec, const char *reason, const char *what)
{
	struct pki_cert *bad = pki_make(spec, ca);
	char *both = join(bad->cert_pem, bad->key_pem);

	files_write("bad.pem", both);
	refuses("bad.pem", reason, what);
	free(both);
	pki_free(bad);
}

/* As openssl asks for a passphrase by default. */
static void test_locked(void)
{
	size_t len;
	uint8_t *key = pki_key(host, "sesame", &len);
	char *both = mem_printf("%s%.*s", host->cert_pem, (int)len, (char *)key);

	files_write("bad.pem", both);
	refuses("bad.pem", "the key is protected by a passphrase" NO_KEY, "a locked key");
	free(both);
	free(key);
}

static void test_useless(void)
{
	static const struct {
		const char *what, *reason;
		struct pki_spec spec;
	} table[] = {
		{"one that has expired", "the certificate has expired",
			{.key = PKI_P256, .from_days = -9, .until_days = -1}},
		{"one that is not valid yet", "the certificate is not valid yet", {.key = PKI_P256, .from_days = 2}},
		{"one for encryption", "its key usage does not permit signatures",
			{.key = PKI_P256, .usage = KEY_ENCIPHERMENT}},
		{"a CA's", "its key usage does not permit signatures", {.key = PKI_P256, .is_ca = true}},
		{"one for signing programs", "its extended key usage does not include IKE, TLS server or client",
			{.key = PKI_P256, .purpose = CODE_SIGNING}},
		{"a weak key", "an RSA key of 1024 bits (2048 at least, 16384 at most)", {.key = PKI_RSA_1024}},
	};
	char *mixed = join(host->cert_pem, other->key_pem);

	for (size_t i = 0; i < ARRAY_LEN(table); i++)
		refuses_spec(&table[i].spec, table[i].reason, table[i].what);
	unlink(files_path("pki/private/b.der"));
	files_write("bad.pem", mixed);
	refuses("bad.pem", "the private key belongs to none of the certificates" NO_KEY, "one beside another's key");
	files_write("pki/certs/bad.crt", mixed);
	refuses_with("bad", "", "@/pki/certs/bad.crt: the private key belongs to none of the certificates" NO_KEY,
		"one that is but named");
	files_write("bad.pem", "noise");
	refuses("bad.pem", "there is no certificate in it" NO_KEY, "what is no certificate");
	files_write("bad.pem", host->key_pem);
	refuses("bad.pem", "there is no certificate in it" NO_KEY, "a key alone");
	test_locked();
	files_write("pki/private/b.pem", host->key_pem);
	refuses_with("own", "\tleftid=@other.example\n", "the certificate own does not carry leftid=@other.example",
		"one for another name");
	free(mixed);
}

/* authby= names kinds of keys. */
static void test_kinds(void)
{
	static const struct pki_spec rsa = {.key = PKI_RSA_2048};
	struct pki_cert *cert = pki_make(&rsa, ca);
	char *both = join(cert->cert_pem, cert->key_pem);
	struct conf *conf;

	files_write("pki/certs/rsa", both);
	refuses_with("rsa", "", "the key of leftcert=rsa is RSA-2048", "a key of another kind");
	conf = load_own("rsa", "ecdsa,rsasig", "");
	ok(own_chain(conf) && files_report.count == 0, "one of two kinds is taken");
	conf_free(conf);
	conf = load_own("own", "ecdsa", "\tleftid=@host.example\n");
	ok(own_chain(conf) && files_report.count == 0, "one for the name of leftid= is taken");
	conf_free(conf);
	free(both);
	pki_free(cert);
}

/* --- a chain ------------------------------------------------------------------------------------ */

static struct cert_trust *trust_in(const struct pki_cert *root)
{
	struct cert_trust *trust = cert_trust_new();
	char *why = NULL;

	cert_trust_add(trust, root->cert_pem, strlen(root->cert_pem), &why);
	free(why);
	return trust;
}

/* Whom the conn believes; NULL when it cannot be. */
static const struct cert_trust *trust_of(const struct conf *conf)
{
	const struct ike_conn *ike = files_ike(conf, "x");

	return ike && ike->remote_auth == IKE_AUTH_CERT ? conf->ike.trusts[ike->trust] : NULL;
}

/* What a peer does that believes this CA and has heard of no other; `why` is for a refusal. */
static bool is_believed(const struct pki_cert *root, const struct cert_identity *identity, char why[CERT_WHY])
{
	static const char octets[] = "what is signed", name[] = "host.example";
	const struct cert_chain *chain = cert_identity_chain(identity);
	struct cert_trust *trust = trust_in(root);
	struct sign_proof proof;
	bool good;

	good = cert_sign(identity, SIGN_HASHES_OURS, false, octets, sizeof(octets), &proof, why) &&
	       cert_check_signature(&chain->certs[0], CERT_KEY_ECDSA, false, proof.method, proof.data, proof.len,
		       octets, sizeof(octets), why) &&
	       cert_verify(trust, chain, IKE_ID_FQDN, (const uint8_t *)name, strlen(name), NULL, why);
	cert_trust_free(trust);
	return good;
}

/* A file of these: how many are sent, the leaf first, and whether that is enough. */
static void sends(const struct pki_cert *leaf, const char *first, const char *second, const char *third, size_t count,
	bool believed, const char *what)
{
	char *text = mem_printf("%s%s%s", first, second, third), why[CERT_WHY] = "";
	const struct cert_chain *chain;
	struct conf *conf;

	files_write("pki/certs/branch.pem", text);
	conf = load_own("branch", "ecdsa", "");
	chain = own_chain(conf);
	ok(chain && files_report.count == 0 && chain->count == count && chain->certs[0].len == leaf->der.len &&
			memcmp(chain->certs[0].data, leaf->der.data, leaf->der.len) == 0,
		"%s: %zu in the chain, the leaf first", what, count);
	ok(chain && is_believed(ca, conf->ike.identities[files_ike(conf, "x")->identity], why) == believed &&
			(believed || strstr(why, "no CA that is trusted")),
		"%s: %s by a peer with the root alone %s", what, believed ? "believed" : "refused", why);
	conf_free(conf);
	free(text);
}

static void test_chain(void)
{
	static const struct pki_spec below = {.key = PKI_P256, .is_ca = true, .subject = "CN=Middle,O=Fleet,C=CH"};
	static const struct pki_spec plain = {.key = PKI_P256};
	struct pki_cert *middle = pki_make(&below, ca), *leaf = pki_make(&plain, middle);
	struct cert_trust *root = trust_in(ca);
	struct conf *conf;

	files_write("pki/private/branch.pem", leaf->key_pem);
	sends(leaf, leaf->cert_pem, middle->cert_pem, "", 2, true, "leaf and intermediate");
	conf = load_own("branch", "ecdsa", "\trightca=%same\n");
	ok(trust_of(conf) && cert_trust_includes(trust_of(conf), root) && files_report.count == 0,
		"rightca=%%same is the root above both");
	conf_free(conf);
	sends(leaf, middle->cert_pem, leaf->cert_pem, "", 2, true, "intermediate and leaf");
	sends(leaf, leaf->cert_pem, middle->cert_pem, ca->cert_pem, 2, true, "with the root");
	sends(leaf, leaf->cert_pem, "", "", 1, false, "the leaf alone");
	sends(leaf, leaf->cert_pem, ca->cert_pem, "", 1, false, "leaf and root");
	cert_trust_free(root);
	pki_free(leaf);
	pki_free(middle);
}

/* --- CAs ---------------------------------------------------------------------------------------- */

#define OTHER_END "/oe.conf:5: conn x: the other end's authentication by ecdsa: "

/* How many CAs the other end's certificate may lead to; -1: none, and the conn cannot be. */
static void trusts(const char *rightca, int count, const char *what)
{
	char *more = rightca ? mem_printf("\trightca=%s\n", rightca) : mem_strdup("");
	struct conf *conf = load_own("own", "ecdsa", more);

	is_int(trust_of(conf) ? (int)cert_trust_count(trust_of(conf)) : -1, count, what);
	conf_free(conf);
	free(more);
}

static void test_cas(void)
{
	char *two = join(ca->cert_pem, next_ca->cert_pem);

	trusts(NULL, 1, "every CA of the folder");
	files_write_bytes("pki/cacerts/next.der", next_ca->der.data, next_ca->der.len);
	files_write("pki/cacerts/.hidden.pem", false_ca->cert_pem);
	trusts("%any", 2, "one of them in DER, a hidden one not");
	trusts("%same", 1, "ours");
	trusts("CN=Next, O=Others", 1, "the one of a name");
	trusts("/O=Others/CN=next", 1, "however it is written");
	ok(files_report.count == 0, "without a word");
	trusts("CN=Next", -1, "half a name is another's");
	ok(files_said(CONF_DEFECT, OTHER_END "no CA certificate in ") &&
			files_said(CONF_DEFECT, "/pki/cacerts fits CN=Next; every negotiation"),
		"and told so");
	trusts("Next", -1, "what is no name");
	ok(files_said(CONF_DEFECT, OTHER_END "'Next' is no distinguished name"), "is told, too");
	files_write("pki/cacerts/host.pem", host->cert_pem);
	trusts(NULL, 2, "a host's certificate is no CA");
	ok(files_said(CONF_WARNING, "/pki/cacerts/host.pem: left out: none of its certificates is a CA's"),
		"its file is named");
	files_write("pki/cacerts/host.pem", "noise");
	trusts(NULL, 2, "nor is noise");
	ok(files_said(CONF_WARNING, "/pki/cacerts/host.pem: left out: there is no certificate in it"),
		"that file, too");
	unlink(files_path("pki/cacerts/host.pem"));
	unlink(files_path("pki/cacerts/next.der"));
	files_write("pki/cacerts/ca.pem", two);
	trusts(NULL, 2, "two in one file");
	unlink(files_path("pki/cacerts/ca.pem"));
	trusts(NULL, -1, "none");
	ok(files_said(CONF_DEFECT, OTHER_END "no CA certificate in ") &&
			files_said(CONF_DEFECT, "/pki/cacerts; every negotiation"),
		"is told with the folder");
	files_write("pki/cacerts/ca.pem", ca->cert_pem);
	free(two);
}

int main(void)
{
	struct pki_spec root = {.key = PKI_P256, .is_ca = true}, leaf = {.key = PKI_P256};
	struct pki_spec next = {.key = PKI_P256, .is_ca = true, .subject = "CN=Next,O=Others"};
	struct cert_chain chain = {.count = 1};
	struct cert_trust *nobody = cert_trust_new();

	files_begin();
	ca = pki_make(&root, NULL);
	false_ca = pki_make(&root, NULL);
	next_ca = pki_make(&next, NULL);
	host = pki_make(&leaf, ca);
	other = pki_make(&leaf, ca);
	chain.certs[0] = host->der;
	serials = cert_serials_new(nobody, &chain);
	mkdir(files_path("pki"), 0700);
	files_write("pki/cacerts/ca.pem", ca->cert_pem);
	test_lists();
	test_strict();
	test_places();
	test_forms();
	test_useless();
	test_kinds();
	test_chain();
	test_cas();
	cert_trust_free(nobody);
	free(serials);
	pki_free(other);
	pki_free(host);
	pki_free(next_ca);
	pki_free(false_ca);
	pki_free(ca);
	return files_done();
}
