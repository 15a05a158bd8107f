/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What lies in pki-dir beside certificates: revocation lists, each bad one told with its place. */
#include "t/pki.h"
#include "t/unit/conf_files.h"

#include <string.h>

#define CONN "conn x\n\tright=%opportunisticgroup\n\tleftauth=null\n\trightauth=ecdsa\n\tauto=ondemand\n"
#define PKI "\tpki-dir=@/pki\n"
#define FIRST_LIST "pki/crls/a.pem"

static struct pki_cert *ca, *false_ca;
static struct pki_cert *host;
static struct cert_serials *serials; /* of the host */

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

int main(void)
{
	struct pki_spec root = {.key = PKI_P256, .is_ca = true}, leaf = {.key = PKI_P256};
	struct cert_chain chain = {.count = 1};
	struct cert_trust *nobody = cert_trust_new();

	files_begin();
	ca = pki_make(&root, NULL);
	false_ca = pki_make(&root, NULL);
	host = pki_make(&leaf, ca);
	chain.certs[0] = host->der;
	serials = cert_serials_new(nobody, &chain);
	mkdir(files_path("pki"), 0700);
	files_write("pki/cacerts/ca.pem", ca->cert_pem);
	test_lists();
	test_strict();
	cert_trust_free(nobody);
	free(serials);
	pki_free(host);
	pki_free(false_ca);
	pki_free(ca);
	return files_done();
}
