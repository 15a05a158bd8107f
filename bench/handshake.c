/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a handshake costs the engine, as initiator and as responder, beside the
 * bare public-key operations that it cannot do without, in the same run:
 *
 *   bench/handshake [COUNT [PEERS]]      1000 10000
 *
 * Two engines in one process, datagrams handed over by a queue; the time spent
 * in calls of each is added up. The goal is a ratio of at most 1.4 with NULL,
 * PSK, Ed25519 and ECDSA.
 *
 * Then what the same handshake costs a host that has SAs with so many others,
 * and one with a peer that has lost its own.
 */
#include "ike/const.h"
#include "ike/crypto/cert.h"
#include "ike/crypto/cert_sign.h"
#include "ike/crypto/kex.h"
#include "ike/ike.h"
#include "lib/mem.h"
#include "t/pki.h"

#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

#define QUEUE 64

enum work { WORK_DATAGRAM, WORK_JOB, WORK_INSTALLED };

struct item {
	enum work work;
	size_t host;
	struct path path;
	uint8_t data[4096];
	size_t len;
	struct ike_job job;
	uint64_t child;
};

struct host {
	struct ike *ike;
	struct addr addr;
	struct ike_conn conn;
	struct ike_psk psk;
	struct ike_config config;
	double seconds; /* spent in it */
	unsigned ups;
	uint64_t sa;
};

static struct host hosts[2];
static struct item queue[QUEUE];
static size_t queue_at, queue_end;
static uint64_t now_us = 1000000;
static uint64_t peer = 1; /* the initiator's number: what its flow is called on both sides */

static double now_s(void)
{
	struct timespec now;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
	return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

/* --- the engine's owner, as cheap as can be --------------------------------------------------- */

static struct item *push(enum work work, size_t host)
{
	struct item *item = &queue[queue_end++ % QUEUE];

	item->work = work;
	item->host = host;
	return item;
}

static size_t index_of(const void *arg)
{
	return (size_t)((const struct host *)arg - hosts);
}

static void take_send(void *arg, const struct path *path, const uint8_t *data, size_t len)
{
	struct item *item = push(WORK_DATAGRAM, 1 - index_of(arg));

	item->path = (struct path){.local = path->remote, .remote = path->local};
	memcpy(item->data, data, len);
	item->len = len;
}

static void take_timer(void *arg, uint64_t at_us)
{
	(void)arg;
	(void)at_us;
}

static void take_event(void *arg, const struct ike_event *event)
{
	struct host *host = arg;

	if (event->kind == IKE_EVENT_UP) {
		host->ups++;
		host->sa = event->child->sa;
	}
}

static int take_conn_for(void *arg, const struct path *path)
{
	(void)arg;
	(void)path;
	return 0;
}

static struct selector selector_of(size_t host)
{
	struct selector selector = {0};

	selector.local = prefix_of_host(&hosts[host].addr);
	selector.remote = prefix_of_host(&hosts[1 - host].addr);
	return selector;
}

static bool take_narrow(
	void *arg, const struct ike_offer *offer, struct selector *selector, uint64_t *user)
{
	(void)offer;
	*selector = selector_of(index_of(arg));
	*user = peer;
	return true;
}

static void take_install(void *arg, const struct ike_child *child)
{
	push(WORK_INSTALLED, index_of(arg))->child = child->id;
}

static void take_remove(void *arg, const struct ike_child *child)
{
	(void)arg;
	(void)child;
}

static void take_job(void *arg, const struct ike_job *job)
{
	push(WORK_JOB, index_of(arg))->job = *job;
}

static void take_random(void *arg, void *out, size_t len)
{
	(void)arg;
	if (getrandom(out, len, 0) != (ssize_t)len)
		abort();
}

/* No NAT is here. */
static void take_move(void *arg, const struct ike_child *child)
{
	(void)arg;
	(void)child;
	abort();
}

static void take_keepalive(void *arg, const struct path *path, const uint8_t *data, size_t len)
{
	(void)arg;
	(void)path;
	(void)data;
	(void)len;
	abort();
}

static const struct ike_ops ops = {.send = take_send,
	.timer = take_timer,
	.event = take_event,
	.conn_for = take_conn_for,
	.narrow = take_narrow,
	.install = take_install,
	.remove = take_remove,
	.move = take_move,
	.keepalive = take_keepalive,
	.job = take_job,
	.random = take_random};

static void do_item(struct item *item)
{
	struct host *host = &hosts[item->host];
	double began = now_s();

	switch (item->work) {
	case WORK_DATAGRAM:
		ike_datagram(host->ike, &item->path, item->data, item->len, now_us);
		break;
	case WORK_JOB:
		item->job.run(item->job.data);
		ike_job_done(host->ike, item->job.id, now_us);
		break;
	case WORK_INSTALLED:
		ike_installed(host->ike, item->child, true, now_us);
		break;
	}
	host->seconds += now_s() - began;
}

static void run_queue(void)
{
	while (queue_at != queue_end)
		do_item(&queue[queue_at++ % QUEUE]);
}

static void begin_handshake(void)
{
	struct path path = {.local = {.addr = hosts[0].addr, .port = 500},
		.remote = {.addr = hosts[1].addr, .port = 500}};
	struct selector selector = selector_of(0);
	double began = now_s();

	ike_initiate(hosts[0].ike, 0, &path, &selector, peer, now_us);
	hosts[0].seconds += now_s() - began;
	run_queue();
	now_us += 1000;
}

static void one_handshake(void)
{
	double began, other;

	begin_handshake();
	/* What goes with the SA is not part of the handshake. */
	began = hosts[0].seconds;
	other = hosts[1].seconds;
	ike_delete(hosts[0].ike, hosts[0].sa, now_us);
	run_queue();
	hosts[0].seconds = began;
	hosts[1].seconds = other;
}

/* --- the bare operations ------------------------------------------------------------------------ */

static double time_of_kex(unsigned count)
{
	struct crypto_random random = {.fill = take_random};
	struct kex ours = {0}, theirs = {0};
	struct secret shared = {0};
	double began;

	kex_generate(&theirs, IKE_GROUP_CURVE25519, &random);
	began = now_s();
	for (unsigned i = 0; i < count; i++) {
		kex_generate(&ours, IKE_GROUP_CURVE25519, &random);
		kex_derive(&ours, theirs.public, theirs.public_len, &shared);
	}
	began = now_s() - began;
	kex_clear(&ours);
	kex_clear(&theirs);
	return began / count;
}

/* One signature made, one checked, and the CA's on the certificate checked. */
static double time_of_signatures(const struct cert_identity *identity, const struct cert_trust *trust, unsigned count)
{
	const struct cert_chain *chain = cert_identity_chain(identity);
	struct sign_proof proof;
	uint8_t subject[256], octets[500] = {0};
	size_t len = cert_subject(&chain->certs[0], subject, sizeof(subject));
	char why[CERT_WHY];
	double began = now_s();

	for (unsigned i = 0; i < count; i++) {
		cert_sign(identity, SIGN_HASHES_OURS, false, octets, sizeof(octets), &proof, why);
		cert_check_signature(&chain->certs[0], CERT_KEY_ANY, false, proof.method, proof.data,
			proof.len, octets, sizeof(octets), why);
		cert_verify(trust, chain, IKE_ID_DER_ASN1_DN, subject, len, NULL, why);
	}
	return (now_s() - began) / count;
}

/* --- a way of authentication --------------------------------------------------------------------- */

static void host_init(size_t i, enum ike_auth auth, struct cert_identity **identity, struct cert_trust **trust)
{
	static char name[] = "bench";
	struct host *host = &hosts[i];

	*host = (struct host){0};
	addr_parse(i ? "10.9.0.2" : "10.9.0.1", &host->addr);
	host->conn = (struct ike_conn){.name = name,
		.local_auth = auth,
		.remote_auth = auth,
		.remote_keys = CERT_KEY_ANY,
		.mode = IPSEC_TUNNEL};
	secret_set(&host->psk.secret, "open sesame", 11);
	host->config = (struct ike_config){.conns = &host->conn,
		.conn_count = 1,
		.psks = &host->psk,
		.psk_count = 1,
		.identities = identity,
		.identity_count = *identity ? 1 : 0,
		.trusts = trust,
		.trust_count = *trust ? 1 : 0};
	host->ike = ike_new(&ops, host, &host->config);
}

static void bench(const char *name, enum ike_auth auth, unsigned count, struct cert_identity *identity,
	struct cert_trust *trust)
{
	static const char *const roles[] = {"initiator", "responder"};
	double bare;

	host_init(0, auth, &identity, &trust);
	host_init(1, auth, &identity, &trust);
	one_handshake();
	hosts[0].seconds = hosts[1].seconds = 0;
	hosts[1].ups = 0;
	for (unsigned i = 0; i < count; i++)
		one_handshake();
	bare = time_of_kex(count);
	if (identity)
		bare += time_of_signatures(identity, trust, count);
	for (size_t i = 0; i < 2; i++) {
		double each = hosts[i].seconds / count;

		printf("%-10s %-9s %7.0f a second, %7.1f us each, public-key operations %7.1f us, ratio %.2f%s\n",
			name, roles[i], 1 / each, each * 1e6, bare * 1e6, each / bare,
			hosts[1].ups == count ? "" : "  NOT ALL CAME UP");
	}
	ike_free(hosts[0].ike);
	ike_free(hosts[1].ike);
}

static void bench_cert(const char *name, enum pki_key key, unsigned count)
{
	struct pki_spec root = {.key = key, .is_ca = true}, leaf = {.key = key};
	struct pki_cert *ca = pki_make(&root, NULL), *cert = pki_make(&leaf, ca);
	struct cert_trust *trust = cert_trust_new();
	char *why = NULL;
	struct cert_identity *identity = cert_identity_new(cert->cert_pem, strlen(cert->cert_pem),
		cert->key_pem, strlen(cert->key_pem), time(NULL), &why);

	cert_trust_add(trust, ca->cert_pem, strlen(ca->cert_pem), &why);
	bench(name, IKE_AUTH_CERT, count, identity, trust);
	cert_identity_free(identity);
	cert_trust_free(trust);
	pki_free(cert);
	pki_free(ca);
}

/* --- a crowd -------------------------------------------------------------------------------------- */

#define SOME 500u

/* Handshakes of the peers [first, end), each with an address of its own; the responder's microseconds each. */
static double bring_up(unsigned first, unsigned end)
{
	hosts[1].seconds = 0;
	for (unsigned i = first; i < end; i++) {
		peer = i + 1;
		hosts[0].addr = (struct addr){.family = ADDR_IPV4,
			.bytes = {10, (uint8_t)(16 + (i >> 16)), (uint8_t)(i >> 8), (uint8_t)i}};
		begin_handshake();
	}
	return hosts[1].seconds / (end - first) * 1e6;
}

static size_t heap_bytes(void)
{
	struct mallinfo2 info = mallinfo2();

	return info.uordblks + info.hblkhd;
}

static void bench_crowd(unsigned peers)
{
	struct cert_identity *identity = NULL;
	struct cert_trust *trust = NULL;
	double first, last, again;
	size_t bytes, sas;
	struct ike *lost;

	host_init(0, IKE_AUTH_PSK, &identity, &trust);
	host_init(1, IKE_AUTH_PSK, &identity, &trust);
	first = bring_up(0, SOME);
	bytes = heap_bytes();
	bring_up(SOME, peers - SOME);
	bytes = (heap_bytes() - bytes) / (peers - 2 * SOME) / 2;
	last = bring_up(peers - SOME, peers);
	sas = ike_counters(hosts[1].ike).sas;
	/* The initiators have lost all. Freed later: a fragmented heap would be measured. */
	lost = hosts[0].ike;
	hosts[0].ike = ike_new(&ops, &hosts[0], &hosts[0].config);
	again = bring_up(0, SOME);
	printf("a crowd of %zu SAs: the first %u peers %.1f us each, the last %.1f us, those that come again %.1f us "
	       "(%zu SAs then); %zu bytes an SA\n",
		sas, SOME, first, last, again, ike_counters(hosts[1].ike).sas, bytes);
	ike_free(lost);
	ike_free(hosts[0].ike);
	ike_free(hosts[1].ike);
}

int main(int argc, char **argv)
{
	unsigned count = argc > 1 ? (unsigned)strtoul(argv[1], NULL, 10) : 1000;
	unsigned peers = argc > 2 ? (unsigned)strtoul(argv[2], NULL, 10) : 10000;

	bench("NULL", IKE_AUTH_NULL, count, NULL, NULL);
	bench("PSK", IKE_AUTH_PSK, count, NULL, NULL);
	bench_cert("Ed25519", PKI_ED25519, count);
	bench_cert("ECDSA-256", PKI_P256, count);
	bench_cert("ECDSA-384", PKI_P384, count);
	bench_cert("ECDSA-521", PKI_P521, count);
	bench_cert("RSA-2048", PKI_RSA_2048, count / 4 + 1);
	bench_cert("RSA-3072", PKI_RSA_3072, count / 4 + 1);
	if (peers > 2 * SOME)
		bench_crowd(peers);
	return 0;
}
