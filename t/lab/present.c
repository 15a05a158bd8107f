/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A peer that shows whatever certificates it is told to: one negotiation by
 * our own engine over a real socket. For t/lab/bad-certs.t.
 *
 *   present LOCAL REMOTE CA.pem CA.key NAME [CERT …]
 *
 * NAME is the identity that it claims, a host's name. A CERT is made on the
 * spot from words with commas between them; the first is issued by the CA, each
 * further one by the one before, and the last is our own and the first that is
 * sent. Words: ca, key=KIND, from=DAYS, until=DAYS, purpose=OID, usage=BITS,
 * pathlen=N, permit=NAME, subject=NAME (CN; else "host" or "CA"), serial=N, nonames,
 * wildcard, sha1, critical, noconstraints: as in struct pki_spec;
 *   self, other   issued by itself; by another CA of the same name
 *   unsent        stays at home
 *   cut=N, flip=N only its first N bytes are sent; a bit of byte N is another;
 *                 below 0 it counts from the end
 *   noise=N       N bytes that are nothing at all
 *   times=N       sent so many times
 *   otherkey      AUTH is made with another key
 *
 * Prints what came of it: "up", or the reason why not. What our engine would not
 * send (64 KiB of noise, a ninth certificate) is put into its request afterwards.
 */
#include "ike/payload.h"
#include "ike/sa.h"
#include "ike/sk.h"
#include "lib/mem.h"
#include "t/initiator.h"
#include "t/pki.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LIMIT_US UINT64_C(8000000)
/* What our engine carries in its own way. */
#define LARGE 14000
#define PIECE 1180

/* One CERT of the command line. */
struct shown {
	struct pki_spec spec;
	char subject[64];
	bool self, other, unsent, otherkey;
	long cut, flip, noise, times;
};

static struct initiator initiator;
static struct cert_chain sent;
/* CERT payloads that go in front of what our engine has in its request; where the last begins. */
static uint8_t extra[100000];
static size_t extra_len, extra_last;
static const char *outcome;

/* --- words ---------------------------------------------------------------------------------- */

static enum pki_key key_named(const char *name)
{
	static const struct {
		const char *name;
		enum pki_key key;
	} keys[] = {{"p256", PKI_P256}, {"p384", PKI_P384}, {"p521", PKI_P521},
		{"rsa2048", PKI_RSA_2048}, {"rsa1024", PKI_RSA_1024}, {"ed25519", PKI_ED25519},
		{"ed448", PKI_ED448}};

	for (size_t i = 0; i < ARRAY_LEN(keys); i++) {
		if (strcmp(name, keys[i].name) == 0)
			return keys[i].key;
	}
	fprintf(stderr, "key=%s: no such kind\n", name);
	exit(2);
}

static bool take_flag(struct shown *shown, const char *word)
{
	const struct {
		const char *word;
		bool *flag;
	} flags[] = {{"ca", &shown->spec.is_ca}, {"nonames", &shown->spec.no_names},
		{"wildcard", &shown->spec.wildcard}, {"sha1", &shown->spec.sha1},
		{"critical", &shown->spec.critical_unknown},
		{"noconstraints", &shown->spec.no_basic_constraints}, {"self", &shown->self},
		{"other", &shown->other}, {"unsent", &shown->unsent},
		{"otherkey", &shown->otherkey}};

	for (size_t i = 0; i < ARRAY_LEN(flags); i++) {
		if (strcmp(word, flags[i].word) == 0)
			return *flags[i].flag = true;
	}
	return false;
}

static bool take_number(struct shown *shown, const char *word, const char *value)
{
	const struct {
		const char *word;
		int *number;
	} numbers[] = {{"from", &shown->spec.from_days}, {"until", &shown->spec.until_days},
		{"pathlen", &shown->spec.path_len}};
	const struct {
		const char *word;
		long *number;
	} sizes[] = {{"cut", &shown->cut}, {"flip", &shown->flip}, {"noise", &shown->noise},
		{"times", &shown->times}};

	for (size_t i = 0; i < ARRAY_LEN(numbers); i++) {
		if (strcmp(word, numbers[i].word) == 0) {
			*numbers[i].number = atoi(value);
			return true;
		}
	}
	for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
		if (strcmp(word, sizes[i].word) == 0) {
			*sizes[i].number = strtol(value, NULL, 10);
			return true;
		}
	}
	return false;
}

static bool take_text(struct shown *shown, const char *word, const char *value)
{
	if (strcmp(word, "key") == 0)
		shown->spec.key = key_named(value);
	else if (strcmp(word, "purpose") == 0)
		shown->spec.purpose = value;
	else if (strcmp(word, "usage") == 0)
		shown->spec.usage = (unsigned)atoi(value);
	else if (strcmp(word, "serial") == 0)
		shown->spec.serial = (unsigned)atoi(value);
	else if (strcmp(word, "permit") == 0)
		shown->spec.permitted_dns = value;
	else if (strcmp(word, "subject") == 0)
		snprintf(shown->subject, sizeof(shown->subject), "CN=%s,O=Fleet,C=CH", value);
	else
		return false;
	return true;
}

/* Writes into `text`, which the result points to. */
static void read_words(char *text, struct shown *shown)
{
	*shown = (struct shown){.spec = {.key = PKI_P256}, .times = 1};
	for (char *word = strtok(text, ","); word; word = strtok(NULL, ",")) {
		char *value = strchr(word, '=');

		if (value)
			*value++ = '\0';
		if (value ? take_number(shown, word, value) || take_text(shown, word, value)
			  : take_flag(shown, word) || strcmp(word, "host") == 0)
			continue;
		fprintf(stderr, "%s: not a word for a certificate\n", word);
		exit(2);
	}
	if (shown->subject[0])
		shown->spec.subject = shown->subject;
}

/* --- certificates ------------------------------------------------------------------------------
 */

static uint8_t *make_noise(size_t len)
{
	uint8_t *noise = mem_zalloc(len);

	for (size_t i = 0; i < len; i++)
		noise[i] = (uint8_t)(i * 2654435761u >> 13);
	return noise;
}

static void show_extra(const uint8_t *data, size_t len)
{
	struct writer w = writer_init(extra + extra_len, sizeof(extra) - extra_len);

	extra_last = extra_len;
	writer_u8(&w, IKE_PAYLOAD_CERT);
	writer_u8(&w, 0);
	writer_u16(&w, (uint16_t)(IKE_GENERIC_LEN + 1 + len));
	writer_u8(&w, IKE_CERT_X509);
	writer_bytes(&w, data, len);
	if (w.failed) {
		fprintf(stderr, "more than can be sent\n");
		exit(2);
	}
	extra_len += w.len;
}

/* Puts it in front: our own is made last and sent first. */
static void show(const uint8_t *data, size_t len, long times)
{
	for (long i = 0; i < times; i++) {
		struct cert_der last;

		if (len > LARGE || !cert_chain_add(&sent, data, len)) {
			show_extra(data, len);
			continue;
		}
		last = sent.certs[sent.count - 1];
		memmove(&sent.certs[1], &sent.certs[0], (sent.count - 1) * sizeof(sent.certs[0]));
		sent.certs[0] = last;
	}
}

static void show_noise(const struct shown *shown)
{
	uint8_t *noise = make_noise((size_t)shown->noise);

	show(noise, (size_t)shown->noise, shown->times);
	free(noise);
}

static size_t place_in(size_t len, long at)
{
	return (at < 0 ? len - (size_t)-at : (size_t)at) % len;
}

static struct pki_cert *make_one(const struct shown *shown, const struct pki_cert *issuer)
{
	static const struct pki_spec stranger = {
		.key = PKI_P256, .is_ca = true, .subject = "CN=Fleet CA,O=Fleet,C=CH"};
	struct pki_cert *other = shown->other ? pki_make(&stranger, NULL) : NULL;
	struct pki_cert *made = pki_make(&shown->spec, shown->self ? NULL : other ? other : issuer);
	uint8_t *der = mem_dup(made->der.data, made->der.len);

	if (shown->flip)
		der[place_in(made->der.len, shown->flip)] ^= 0x10;
	if (!shown->unsent)
		show(der, shown->cut ? place_in(made->der.len, shown->cut) : made->der.len,
			shown->times);
	free(der);
	pki_free(other);
	return made;
}

/* What is to be shown is in `sent` then; gives the certificate whose key signs. */
static struct pki_cert *make_chain(struct pki_cert *issuer, char **words, int count)
{
	static const struct pki_spec plain = {.key = PKI_P256};
	bool own_key = false;

	for (int i = 0; i < count; i++) {
		struct shown shown;
		struct pki_cert *made;

		read_words(words[i], &shown);
		if (shown.noise) {
			show_noise(&shown);
			continue;
		}
		made = make_one(&shown, issuer);
		pki_free(issuer);
		issuer = made;
		own_key = !shown.otherkey && shown.spec.key != PKI_ED448;
	}
	if (own_key)
		return issuer;
	pki_free(issuer);
	return pki_make(&plain, NULL);
}

/* --- the request, with more in it
 * ------------------------------------------------------------------ */

/* In pieces, each sealed as it should be (RFC 7383). */
static void send_pieces(struct ike_sa *sa, const struct ike_header *header, uint8_t first,
	const uint8_t *inner, size_t len)
{
	struct ike_place place = {.total = (uint16_t)((len + PIECE - 1) / PIECE)};
	uint8_t out[PIECE + IKE_SKF_OVERHEAD_MAX];

	for (place.number = 1; place.number <= place.total; place.number++) {
		size_t from = (place.number - 1u) * PIECE;
		size_t piece = len - from < PIECE ? len - from : PIECE;

		initiator_send(&initiator, out,
			ike_sk_seal(sa->keys, header, ++sa->iv,
				place.number == 1 ? first : IKE_PAYLOAD_NONE, &place, inner + from,
				piece, out, sizeof(out)));
	}
}

/* Opens what the engine has sealed, whole or a piece; its length, 0 when it is not that. */
static size_t open_sealed(struct ike_sa *sa, const uint8_t *data, size_t len,
	const struct ike_message *outer, uint8_t *plain)
{
	struct ike_message opened;
	size_t plain_len;

	if (ike_message_find(outer, IKE_PAYLOAD_SKF))
		return ike_skf_open(sa->keys, data, len, outer, plain, &plain_len) == IKE_SK_OPENED
			       ? plain_len
			       : 0;
	if (ike_sk_open(sa->keys, data, len, outer, plain, &opened) != IKE_SK_OPENED ||
		!opened.count)
		return 0;
	return (size_t)(opened.payloads[opened.count - 1].data +
			opened.payloads[opened.count - 1].len - plain);
}

/* IKE_AUTH, when something is extra: that goes in front of what the engine has in it. */
static bool steal_auth(struct initiator *from, const uint8_t *data, size_t len)
{
	static uint8_t plain[IKE_MESSAGE_MAX], inner[sizeof(extra) + IKE_MESSAGE_MAX];
	static size_t inner_len;
	struct ike_sa *sa = from->ike->by_id;
	struct ike_place place = {1, 1};
	struct ike_message outer;
	size_t opened;

	if (!extra_len || !ike_message_parse(data, len, &outer) ||
		outer.header.exchange != IKE_EXCHANGE_IKE_AUTH)
		return false;
	opened = open_sealed(sa, data, len, &outer, plain);
	ike_skf_place(&outer, &place);
	if (place.number == 1) {
		extra[extra_last] = outer.sk_first;
		memcpy(inner, extra, extra_len);
		inner_len = extra_len;
	}
	memcpy(inner + inner_len, plain, opened);
	inner_len += opened;
	if (place.number == place.total)
		send_pieces(sa, &outer.header, IKE_PAYLOAD_CERT, inner, inner_len);
	return true;
}

/* --- one negotiation
 * --------------------------------------------------------------------------------- */

static void take_event(struct initiator *from, const struct ike_event *event)
{
	(void)from;
	if (event->kind == IKE_EVENT_CHILDLESS_UP)
		outcome = "up";
	else if (event->kind == IKE_EVENT_FAILED)
		outcome = ike_reason_name(event->reason);
}

static char *read_text(const char *name)
{
	size_t len;

	return initiator_read_file(name, &len);
}

static void configure(const char *claimed, const struct pki_cert *own, const char *ca_pem)
{
	static char name[] = "present";
	struct cert_identity *identity = pki_identity(own, &sent);
	struct cert_trust *trust = cert_trust_new();
	struct ike_conn conn = {.name = name,
		.local_auth = IKE_AUTH_CERT,
		.remote_auth = IKE_AUTH_CERT,
		.remote_keys = CERT_KEY_ANY,
		.local_id = {.kind = IKE_ID_KIND_EXACT,
			.id = {.type = IKE_ID_FQDN, .len = (uint16_t)strlen(claimed)}},
		.retransmit_timeout_ms = 3000,
		.childless = true};
	struct ike_config config = {.conns = &conn,
		.conn_count = 1,
		.identities = &identity,
		.identity_count = 1,
		.trusts = &trust,
		.trust_count = 1};
	char *why = NULL;

	memcpy(conn.local_id.id.data, claimed, conn.local_id.id.len);
	if (!cert_trust_add(trust, ca_pem, strlen(ca_pem), &why)) {
		fprintf(stderr, "%s\n", why);
		exit(2);
	}
	initiator.event = take_event;
	initiator.steal = steal_auth;
	initiator_configure(&initiator, &config);
	cert_identity_free(identity);
	cert_trust_free(trust);
}

int main(int argc, char **argv)
{
	uint64_t until_us = initiator_clock_us() + LIMIT_US;
	struct pki_cert *own;
	char *ca, *key;

	if (argc < 6 || strlen(argv[5]) > IKE_ID_MAX) {
		fprintf(stderr, "usage: present LOCAL REMOTE CA.pem CA.key NAME [CERT …]\n");
		return 2;
	}
	ca = read_text(argv[3]);
	key = read_text(argv[4]);
	if (!initiator_open(&initiator, argv[1], argv[2]))
		return 2;
	own = make_chain(pki_load(ca, key), argv + 6, argc - 6);
	configure(argv[5], own, ca);
	initiator_begin(&initiator, 1);
	while (!outcome && initiator_clock_us() < until_us)
		initiator_step(&initiator, 100);
	printf("%s\n", outcome ? outcome : "no answer");
	initiator_close(&initiator);
	pki_free(own);
	cert_chain_clear(&sent);
	free(key);
	free(ca);
	return 0;
}
