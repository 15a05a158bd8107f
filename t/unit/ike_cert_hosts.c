/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The hosts that a certificate is for: names as TLS compares them, with
 * GnuTLS's own word on each beside ours, and addresses.
 */
#include "ike/crypto/cert.h"
#include "lib/addr.h"
#include "lib/mem.h"
#include "t/pki.h"
#include "t/tap.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DNS(text) {text, sizeof(text) - 1, false}

static struct pki_cert *ca;

static struct pki_cert *issue(const struct pki_san *sans, bool no_names)
{
	struct pki_spec spec = {.key = PKI_P256,
		.sans = sans,
		.no_names = no_names,
		.subject = sans ? "CN=host" : "CN=www.example.org"};

	return pki_make(&spec, ca);
}

/* --- names ---------------------------------------------------------------------------------- */

static const struct {
	const char *what;
	struct pki_san san;
	const char *name; /* that is asked for */
	bool good;
	bool tls_differs; /* GnuTLS says otherwise */
} table[] = {
	{"the name", DNS("www.example.org"), "www.example.org", true, false},
	{"another", DNS("www.example.org"), "ftp.example.org", false, false},
	{"case", DNS("WWW.Example.ORG"), "wWw.eXample.org", true, false},
	{"a trailing dot of the question", DNS("www.example.org"), "www.example.org.", true, true},
	{"a trailing dot of the certificate", DNS("www.example.org."), "www.example.org", false, false},
	{"a name below", DNS("example.org"), "www.example.org", false, false},
	{"a name above", DNS("www.example.org"), "example.org", false, false},
	{"an ending that is no label", DNS("example.org"), "badexample.org", false, false},
	{"a beginning", DNS("www.example.org.evil.example"), "www.example.org", false, false},
	{"an IDN as A-label", DNS("xn--bcher-kva.example.org"), "XN--BCHER-KVA.example.org", true, false},
	{"an IDN as bytes", DNS("b\xc3\xbc" "cher.example.org"), "b\xc3\xbc" "cher.example.org", false, false},
	{"an underscore", DNS("_sip.example.org"), "_sip.example.org", true, false},
	{"a name of one label", DNS("printer"), "printer", true, false},
	/* Wildcards. */
	{"a wildcard", DNS("*.example.org"), "www.example.org", true, false},
	{"a wildcard, other case", DNS("*.EXAMPLE.org"), "www.example.ORG", true, false},
	{"a wildcard for two labels", DNS("*.example.org"), "a.b.example.org", false, false},
	{"a wildcard for none", DNS("*.example.org"), "example.org", false, false},
	{"a wildcard for a bare dot", DNS("*.example.org"), ".example.org", false, true},
	{"a wildcard and an A-label", DNS("*.example.org"), "xn--bcher-kva.example.org", true, false},
	{"a part of a label", DNS("w*.example.org"), "www.example.org", false, false},
	{"two wildcards", DNS("*.*.org"), "www.example.org", false, false},
	{"a wildcard that is not the first", DNS("www.*.org"), "www.example.org", false, false},
	{"a wildcard for a whole top level", DNS("*.org"), "example.org", false, false},
	{"a wildcard alone", DNS("*"), "org", false, false},
	{"a wildcard asked for", DNS("*.example.org"), "*.example.org", false, true},
	/* What is no name. */
	{"a NUL within", {"www.example.org\0.evil.example", 29, false}, "www.example.org", false, false},
	{"a NUL at the end", {"www.example.org\0", 16, false}, "www.example.org", false, false},
	{"a NUL at the beginning", {"\0www.example.org", 16, false}, "www.example.org", false, false},
	{"an empty one", DNS(""), "", false, false},
	{"an empty label", DNS("www..example.org"), "www..example.org", false, true},
	{"a blank", DNS("www.example.org "), "www.example.org", false, false},
	{"an escaped dot in the question", DNS("www.example.org"), "www\\.example.org", false, false},
	{"an address as a name", DNS("192.0.2.7"), "192.0.2.7", true, false},
};

static void test_names(void)
{
	for (size_t i = 0; i < ARRAY_LEN(table); i++) {
		struct pki_san sans[2] = {table[i].san};
		struct pki_cert *cert = issue(sans, false);
		struct cert_hosts *hosts = cert_hosts_of(&cert->der);
		bool tls = pki_tls_accepts(cert, table[i].name);

		ok(cert_hosts_have_name(hosts, table[i].name) == table[i].good, "%s: %s", table[i].what,
			table[i].good ? "good" : "not it");
		ok(tls == (table[i].good != table[i].tls_differs), "GnuTLS: %s", tls ? "good" : "not it");
		free(hosts);
		pki_free(cert);
	}
}

static void test_subject(void)
{
	struct pki_cert *cert = issue(NULL, true);
	struct cert_hosts *hosts = cert_hosts_of(&cert->der);
	char *text = cert_hosts_format(hosts);

	ok(!cert_hosts_have_name(hosts, "www.example.org"), "the subject's common name is no host");
	is_str(text, "no host", "and is not shown as one");
	ok(!cert_hosts_have_name(NULL, "www.example.org"), "nor has who showed none a name");
	free(text);
	free(hosts);
	pki_free(cert);
}

/* --- addresses -------------------------------------------------------------------------------- */

static void test_addresses(void)
{
	static const struct pki_san sans[] = {DNS("a.example.org"),
		{"\xc0\x00\x02\x07", 4, true},
		{"\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x07", 16, true},
		DNS("*.b.example.org"), {NULL, 0, false}};
	struct pki_cert *cert = issue(sans, false);
	struct cert_hosts *hosts = cert_hosts_of(&cert->der), *copy = cert_hosts_copy(hosts);
	char *text = cert_hosts_format(copy);
	struct addr addr;

	addr_parse("192.0.2.7", &addr);
	ok(cert_hosts_have_addr(hosts, &addr), "its IPv4 address");
	addr_parse("192.0.2.8", &addr);
	ok(!cert_hosts_have_addr(hosts, &addr), "not another");
	addr_parse("2001:db8::7", &addr);
	ok(cert_hosts_have_addr(copy, &addr), "its IPv6 address");
	addr_parse("c000:207::", &addr);
	ok(!cert_hosts_have_addr(hosts, &addr), "not one that begins with the same bytes");
	ok(!cert_hosts_have_name(hosts, "192.0.2.7"), "an address is no name");
	ok(!cert_hosts_have_addr(NULL, &addr), "who showed none has no address");
	is_str(text, "a.example.org, 192.0.2.7, 2001:db8::7, *.b.example.org", "as text");
	free(text);
	free(copy);
	free(hosts);
	pki_free(cert);
}

/* What is kept for as long as an SA lives is bounded, whatever a CA signs. */
static void test_many(void)
{
	static struct pki_san sans[2001];
	static char names[2000][32];
	struct pki_cert *cert;
	struct cert_hosts *hosts;
	char *text;

	for (size_t i = 0; i < 2000; i++) {
		snprintf(names[i], sizeof(names[i]), "host-%zu.example.org", i);
		sans[i] = (struct pki_san){names[i], strlen(names[i]), false};
	}
	cert = issue(sans, false);
	hosts = cert_hosts_of(&cert->der);
	text = cert_hosts_format(hosts);
	ok(cert_hosts_have_name(hosts, "host-99.example.org"), "a hundred names are kept");
	ok(!cert_hosts_have_name(hosts, "host-1999.example.org") && strlen(text) < 5000, "two thousand are not");
	free(text);
	free(hosts);
	pki_free(cert);
}

/* Not even people are shown half of a name. */
static void test_nul(void)
{
	static const struct pki_san sans[] = {{"www.example.org\0.evil.example", 29, false}, {NULL, 0, false}};
	struct pki_cert *cert = issue(sans, false);
	struct cert_hosts *hosts = cert_hosts_of(&cert->der);
	char *text = cert_hosts_format(hosts);

	is_str(text, "no host", "a name with a NUL is none");
	free(text);
	free(hosts);
	pki_free(cert);
}

static void test_broken(void)
{
	static uint8_t noise[] = {0x30, 0x82, 0xff, 0xff, 0x00};
	struct cert_der der = {noise, sizeof(noise)};
	struct cert_hosts *hosts = cert_hosts_of(&der);

	ok(!cert_hosts_have_name(hosts, "www.example.org"), "what is no certificate is for nobody");
	free(hosts);
}

int main(void)
{
	struct pki_spec spec = {.key = PKI_P256, .is_ca = true};

	ca = pki_make(&spec, NULL);
	test_names();
	test_subject();
	test_addresses();
	test_many();
	test_nul();
	test_broken();
	pki_free(ca);
	return tap_done();
}
