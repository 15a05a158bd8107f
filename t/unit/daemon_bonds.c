/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Names that addresses are in use under: who may have a tunnel, and for how long a name holds. */
#include "daemon/bonds_file.h"

#include "ike/crypto/cert.h"
#include "t/pki.h"
#include "t/tap.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define SECOND UINT64_C(1000000)
#define DNS(text) {text, sizeof(text) - 1, false}

static struct bonds *bonds;
static struct addr addr, other;
static bool in_use; /* a tunnel with `addr` stands */
static struct cert_hosts *good, *both, *evil, *with_addr;
static char why[160];

static bool uses(void *arg, const struct addr *which)
{
	(void)arg;
	return in_use && addr_equal(which, &addr);
}

static struct cert_hosts *hosts_of(const struct pki_san *sans)
{
	struct pki_spec spec = {.key = PKI_P256, .sans = sans};
	struct pki_cert *cert = pki_make(&spec, NULL);
	struct cert_hosts *hosts = cert_hosts_of(&cert->der);

	pki_free(cert);
	return hosts;
}

static void begin(void)
{
	bonds = bonds_new(uses, NULL);
	in_use = false;
}

static bool admits(bool ours, const struct cert_hosts *hosts, uint64_t at_s)
{
	why[0] = '\0';
	return bonds_admit(bonds, &addr, ours, hosts, at_s * SECOND, why, sizeof(why));
}

/* --- who is let in --------------------------------------------------------------------------------- */

static void test_nobody_asked(void)
{
	begin();
	ok(admits(false, evil, 1), "who comes to us is let in");
	ok(!admits(true, evil, 1) && strstr(why, "nobody has looked up"), "we went for the address: %s", why);
	ok(!admits(true, evil, 2), "a refusal is no question: nor the next time");
	ok(admits(true, with_addr, 2), "a certificate with the address");
	ok(bonds_ask(bonds, &addr, 3 * SECOND), "then a lookup: what was refused is forgotten");
	ok(!bonds_ask(bonds, &addr, 3 * SECOND), "once");
	ok(admits(true, evil, 3), "and the answer will judge");
	ok(!bonds_ask(bonds, &other, 3 * SECOND), "another address has nothing to do with it");
	ok(!admits(true, evil, 3 + BONDS_ASKED_S), "a while later nobody asks any more");
	bonds_free(bonds);
}

static void test_tied(void)
{
	begin();
	ok(bonds_tie(bonds, &addr, "good.example", SECOND), "an answer");
	ok(admits(true, good, 2) && admits(false, good, 2), "the same host again, whoever begins");
	ok(!admits(true, evil, 2) && strstr(why, "evil.example"), "not another: %s", why);
	ok(!strstr(why, "good.example"), "the log tells no name that was asked");
	ok(!admits(false, evil, 2), "nor when he comes to us");
	ok(!admits(true, with_addr, 2), "nor who has the address and not the name");
	bonds_ask(bonds, &addr, 2 * SECOND);
	ok(!admits(true, evil, 2), "a lookup of another name changes nothing");
	bonds_tie(bonds, &addr, "more.example", 3 * SECOND);
	ok(!admits(true, good, 4) && admits(true, both, 4), "two names: for both of them");
	bonds_forget(bonds, &addr);
	ok(admits(false, evil, 4), "forgotten");
	bonds_free(bonds);
}

/* --- how long -------------------------------------------------------------------------------------- */

static void test_time(void)
{
	begin();
	bonds_tie(bonds, &addr, "good.example", 0);
	ok(!admits(false, evil, BONDS_S - 1), "tied to its last second");
	ok(admits(false, evil, BONDS_S), "and not longer");
	bonds_tie(bonds, &addr, "good.example", BONDS_S * SECOND);
	bonds_tie(bonds, &addr, "GOOD.example", 2 * BONDS_S * SECOND - SECOND);
	ok(!admits(false, evil, 2 * BONDS_S), "another answer renews it");
	in_use = true;
	ok(!admits(false, evil, 100 * BONDS_S), "while a tunnel stands it does not end");
	in_use = false;
	bonds_renew(bonds, &addr, 100 * BONDS_S * SECOND);
	ok(!admits(false, evil, 101 * BONDS_S - 1), "nor soon after the tunnel");
	ok(admits(false, evil, 101 * BONDS_S), "but then");
	bonds_renew(bonds, &addr, 200 * BONDS_S * SECOND);
	ok(admits(false, evil, 200 * BONDS_S), "what has ended is not renewed");
	bonds_free(bonds);
}

/* --- how many ---------------------------------------------------------------------------------------- */

static bool tie_number(size_t i, uint64_t at_s)
{
	char name[32];

	snprintf(name, sizeof(name), "n%zu.example", i);
	return bonds_tie(bonds, &addr, name, at_s * SECOND);
}

static void count(void *arg, const struct addr *which, const char *name)
{
	size_t *counted = arg;

	(void)which;
	(void)name;
	(*counted)++;
}

static void test_bounds(void)
{
	size_t tied = 0, counted = 0;
	struct addr many = {.family = ADDR_IPV6};

	begin();
	in_use = true;
	for (size_t i = 0; i < BONDS_NAMES_MAX; i++)
		tied += tie_number(i, 1);
	ok(tied == BONDS_NAMES_MAX && !tie_number(tied, 2), "no more names for one address than %u",
		BONDS_NAMES_MAX);
	ok(tie_number(0, 2), "but one that it has");
	ok(tie_number(tied, 1 + BONDS_S), "a later one takes the place of one that is over");
	bonds_each_of(bonds, &addr, (1 + BONDS_S) * SECOND, count, &counted);
	is_int((int)counted, BONDS_NAMES_MAX, "as many as before");
	tied = 0;
	for (uint32_t i = 0; i < 2 * BONDS_MAX; i++) {
		memcpy(many.bytes, &i, sizeof(i));
		tied += bonds_tie(bonds, &many, "name.example", 2000 * SECOND);
	}
	is_int((int)tied, BONDS_MAX - 1, "no more addresses than there is room for");
	tied = 0;
	for (uint32_t i = 2 * BONDS_MAX; i < 3 * BONDS_MAX; i++) {
		memcpy(many.bytes, &i, sizeof(i));
		tied += bonds_tie(bonds, &many, "name.example", (2000 + BONDS_S) * SECOND);
	}
	is_int((int)tied, BONDS_MAX - 1, "those that are over make room");
	bonds_free(bonds);
}

static void test_withheld(void)
{
	begin();
	ok(!bonds_withheld(bonds, &addr), "nothing was withheld");
	bonds_note_withheld(bonds, &addr, "evil.example", "because", SECOND);
	is_str(bonds_withheld(bonds, &addr), "evil.example: because", "what was, and why");
	bonds_free(bonds);
}

/* --- over a restart ---------------------------------------------------------------------------------- */

#define NOON INT64_C(1800000000)

static void restart(const char *folder, int64_t after_s)
{
	bonds_free(bonds);
	begin();
	bonds_file_read(bonds, folder, 5 * SECOND, NOON + after_s);
}

static void test_file(void)
{
	char folder[] = "/tmp/oe-bonds-XXXXXX", path[64];
	struct stat st;
	FILE *file;

	if (!mkdtemp(folder))
		return;
	snprintf(path, sizeof(path), "%s/verified", folder);
	begin();
	restart(folder, 0);
	ok(admits(false, evil, 5), "no file: nothing is tied");
	bonds_tie(bonds, &addr, "good.example", 5 * SECOND);
	in_use = true;
	bonds_file_write(bonds, folder, 5000 * SECOND, NOON);
	ok(stat(path, &st) == 0 && (st.st_mode & 0777) == 0600, "what is tied is kept, for root alone");
	restart(folder, 1);
	ok(!admits(false, evil, 5) && admits(true, good, 5), "a restart: the same host, and nobody else");
	ok(!admits(false, evil, 4 + BONDS_S) && admits(false, evil, 5 + BONDS_S), "for as long as after an answer");
	restart(folder, BONDS_S + BONDS_FILE_S);
	ok(admits(false, evil, 5), "a restart much later: it is over");
	restart(folder, -1000000);
	ok(admits(false, evil, 5), "nor does a clock that was set back tie for ever");
	file = fopen(path, "w");
	fprintf(file, "noise\n192.0.2.7\n192.0.2.7 %lld\n\n:: x y\n192.0.2.7 %lld good.example\n", (long long)NOON,
		(long long)NOON + 100);
	fclose(file);
	restart(folder, 0);
	ok(!admits(false, evil, 5), "a line that is none is passed over");
	bonds_free(bonds);
	unlink(path);
	rmdir(folder);
}

int main(void)
{
	static const struct pki_san good_sans[] = {DNS("good.example"), {NULL, 0, false}};
	static const struct pki_san both_sans[] = {
		DNS("good.example"), DNS("more.example"), {NULL, 0, false}};
	static const struct pki_san evil_sans[] = {DNS("evil.example"), {NULL, 0, false}};
	static const struct pki_san addr_sans[] = {
		DNS("evil.example"), {"\xc0\x00\x02\x07", 4, true}, {NULL, 0, false}};

	addr_parse("192.0.2.7", &addr);
	addr_parse("192.0.2.8", &other);
	good = hosts_of(good_sans);
	both = hosts_of(both_sans);
	evil = hosts_of(evil_sans);
	with_addr = hosts_of(addr_sans);
	test_nobody_asked();
	test_tied();
	test_time();
	test_bounds();
	test_withheld();
	test_file();
	free(good);
	free(both);
	free(evil);
	free(with_addr);
	return tap_done();
}
