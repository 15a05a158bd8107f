/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Our engine as a swarm of initiators over a real socket: childless IKE SAs
 * (RFC 6023) with one responder, WINDOW at a time, which then stand until the
 * responder is gone. Signs and verifies in line, so that its CPU time is all.
 *
 *   bench/initiate LOCAL REMOTE COUNT WINDOW psk
 *   bench/initiate LOCAL REMOTE COUNT WINDOW cert CERT KEY CA
 *   bench/initiate LOCAL REMOTE COUNT WINDOW null CA         (the responder alone signs)
 *
 * Prints one line of JSON: up, failed, wall and CPU seconds.
 */
#include "ike/crypto/cert.h"
#include "lib/mem.h"
#include "t/initiator.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define STALL_US UINT64_C(10000000)

static struct swarm {
	struct initiator initiator;
	struct ike_conn conn;
	struct ike_psk psk;
	struct ike_config config;
	unsigned count, started, up, failed;
} swarm;

static uint64_t cpu_us(void)
{
	struct timespec now;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
	return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
}

/* --- the swarm
 * ------------------------------------------------------------------------------------ */

static void take_event(struct initiator *initiator, const struct ike_event *event)
{
	(void)initiator;
	if (event->kind == IKE_EVENT_CHILDLESS_UP)
		swarm.up++;
	if (event->kind != IKE_EVENT_FAILED)
		return;
	if (swarm.failed++ == 0)
		fprintf(stderr, "failed: %s %s\n", ike_reason_name(event->reason),
			event->detail ? event->detail : "");
}

static void run(unsigned window)
{
	unsigned ended = 0;
	uint64_t progress_us = initiator_clock_us();

	while (swarm.up + swarm.failed < swarm.count &&
		initiator_clock_us() - progress_us < STALL_US) {
		while (swarm.started < swarm.count &&
			swarm.started - swarm.up - swarm.failed < window)
			initiator_begin(&swarm.initiator, ++swarm.started);
		initiator_step(&swarm.initiator, 20);
		if (swarm.up + swarm.failed != ended)
			progress_us = initiator_clock_us();
		ended = swarm.up + swarm.failed;
	}
}

/* --- set-up
 * ----------------------------------------------------------------------------------------- */

static void use_identity(const char *cert_file, const char *key_file)
{
	static struct cert_identity *identity;
	size_t cert_len, key_len;
	void *cert = initiator_read_file(cert_file, &cert_len);
	void *key = initiator_read_file(key_file, &key_len);
	char *why = NULL;

	identity = cert_identity_new(cert, cert_len, key, key_len, time(NULL), &why);
	if (!identity) {
		fprintf(stderr, "%s\n", why);
		exit(2);
	}
	swarm.config.identities = &identity;
	swarm.config.identity_count = 1;
	free(cert);
	free(key);
}

static void use_trust(const char *ca_file)
{
	static struct cert_trust *trust;
	size_t ca_len;
	void *ca = initiator_read_file(ca_file, &ca_len);
	char *why = NULL;

	trust = cert_trust_new();
	if (!cert_trust_add(trust, ca, ca_len, &why)) {
		fprintf(stderr, "%s\n", why);
		exit(2);
	}
	swarm.config.trusts = &trust;
	swarm.config.trust_count = 1;
	free(ca);
}

int main(int argc, char **argv)
{
	static char name[] = "bench";
	bool certs = argc == 9 && strcmp(argv[5], "cert") == 0;
	bool null = argc == 7 && strcmp(argv[5], "null") == 0;
	uint64_t began_us, began_cpu_us;

	if (!certs && !null && !(argc == 6 && strcmp(argv[5], "psk") == 0)) {
		fprintf(stderr,
			"usage: initiate LOCAL REMOTE COUNT WINDOW psk | cert CERT KEY CA | null CA\n");
		return 2;
	}
	if (!initiator_open(&swarm.initiator, argv[1], argv[2]))
		return 2;
	swarm.count = (unsigned)strtoul(argv[3], NULL, 10);
	swarm.conn = (struct ike_conn){.name = name,
		.local_auth = null ? IKE_AUTH_NULL : certs ? IKE_AUTH_CERT : IKE_AUTH_PSK,
		.remote_auth = null || certs ? IKE_AUTH_CERT : IKE_AUTH_PSK,
		.remote_keys = CERT_KEY_ANY,
		.local_id = {.kind = certs ? IKE_ID_KIND_FROMCERT : IKE_ID_KIND_DEFAULT},
		.retransmit_interval_ms = 2000,
		.retransmit_timeout_ms = 60000,
		.childless = true};
	secret_set(&swarm.psk.secret, "an old friend of both", 21);
	swarm.config = (struct ike_config){
		.conns = &swarm.conn, .conn_count = 1, .psks = &swarm.psk, .psk_count = 1};
	if (certs)
		use_identity(argv[6], argv[7]);
	if (certs || null)
		use_trust(argv[argc - 1]);
	swarm.initiator.event = take_event;
	initiator_configure(&swarm.initiator, &swarm.config);
	began_us = initiator_clock_us();
	began_cpu_us = cpu_us();
	run((unsigned)strtoul(argv[4], NULL, 10));
	printf("{\"up\": %u, \"failed\": %u, \"seconds\": %.6f, \"cpu\": %.6f}\n", swarm.up,
		swarm.count - swarm.up, (double)(initiator_clock_us() - began_us) / 1e6,
		(double)(cpu_us() - began_cpu_us) / 1e6);
	initiator_close(&swarm.initiator);
	return 0;
}
