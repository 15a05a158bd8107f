/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Our engine as a swarm of initiators over a real socket: childless IKE SAs
 * (RFC 6023) with one responder, WINDOW at a time, which then stand until the
 * responder is gone. Signs and verifies in line, so that its CPU time is all.
 *
 *   bench/initiate LOCAL REMOTE COUNT WINDOW psk
 *   bench/initiate LOCAL REMOTE COUNT WINDOW cert CERT KEY CA
 *
 * Prints one line of JSON: up, failed, wall and CPU seconds.
 */
#include "ike/crypto/cert.h"
#include "ike/ike.h"
#include "lib/mem.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <time.h>

#define JOBS 1024
#define STALL_US UINT64_C(10000000)

struct swarm {
	struct ike *ike;
	int fd;
	struct path path;
	struct ike_conn conn;
	struct ike_psk psk;
	struct ike_config config;
	struct ike_job jobs[JOBS]; /* a ring */
	size_t job_at, job_end;
	uint64_t timer_us;
	unsigned count, started, up, failed;
};

static uint64_t clock_us(clockid_t clock)
{
	struct timespec now;

	clock_gettime(clock, &now);
	return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
}

static uint64_t now_us(void)
{
	return clock_us(CLOCK_MONOTONIC);
}

/* --- the engine's owner ----------------------------------------------------------------------- */

static void take_send(void *arg, const struct path *path, const uint8_t *data, size_t len)
{
	struct swarm *swarm = arg;
	struct sockaddr_storage to;
	unsigned to_len;

	endpoint_to_sockaddr(&path->remote, &to, &to_len);
	/* A datagram that is lost is sent again. */
	if (sendto(swarm->fd, data, len, 0, (struct sockaddr *)&to, to_len) < 0)
		return;
}

static void take_timer(void *arg, uint64_t at_us)
{
	((struct swarm *)arg)->timer_us = at_us;
}

static void take_event(void *arg, const struct ike_event *event)
{
	struct swarm *swarm = arg;

	if (event->kind == IKE_EVENT_CHILDLESS_UP)
		swarm->up++;
	if (event->kind != IKE_EVENT_FAILED)
		return;
	if (swarm->failed++ == 0)
		fprintf(stderr, "failed: %s %s\n", ike_reason_name(event->reason),
			event->detail ? event->detail : "");
}

static int take_conn_for(void *arg, const struct path *path)
{
	(void)arg;
	(void)path;
	return -1;
}

static void take_job(void *arg, const struct ike_job *job)
{
	struct swarm *swarm = arg;

	if (swarm->job_end - swarm->job_at == JOBS)
		abort();
	swarm->jobs[swarm->job_end++ % JOBS] = *job;
}

static void take_random(void *arg, void *out, size_t len)
{
	(void)arg;
	if (getrandom(out, len, 0) != (ssize_t)len)
		abort();
}

/* Without CHILD SAs the other ops are never called. */
static const struct ike_ops ops = {.send = take_send,
	.timer = take_timer,
	.event = take_event,
	.conn_for = take_conn_for,
	.job = take_job,
	.random = take_random};

/* --- the swarm ------------------------------------------------------------------------------------ */

static void run_jobs(struct swarm *swarm)
{
	while (swarm->job_at < swarm->job_end) {
		struct ike_job job = swarm->jobs[swarm->job_at++ % JOBS];

		job.run(job.data);
		ike_job_done(swarm->ike, job.id, now_us());
	}
}

static void start_some(struct swarm *swarm, unsigned window)
{
	struct selector selector = {.local = prefix_of_host(&swarm->path.local.addr),
		.remote = prefix_of_host(&swarm->path.remote.addr)};

	while (swarm->started < swarm->count && swarm->started - swarm->up - swarm->failed < window)
		ike_initiate(swarm->ike, 0, &swarm->path, &selector, ++swarm->started, 0, now_us());
}

static void receive(struct swarm *swarm)
{
	uint8_t buffer[65536];
	ssize_t len;

	while ((len = recv(swarm->fd, buffer, sizeof(buffer), MSG_DONTWAIT)) > 0)
		ike_datagram(swarm->ike, &swarm->path, buffer, (size_t)len, now_us());
}

static void run(struct swarm *swarm, unsigned window)
{
	unsigned ended = 0;
	uint64_t progress_us = now_us();

	while (swarm->up + swarm->failed < swarm->count && now_us() - progress_us < STALL_US) {
		struct pollfd pollfd = {.fd = swarm->fd, .events = POLLIN};

		start_some(swarm, window);
		poll(&pollfd, 1, 20);
		receive(swarm);
		run_jobs(swarm);
		if (swarm->timer_us <= now_us())
			ike_tick(swarm->ike, now_us());
		run_jobs(swarm);
		if (swarm->up + swarm->failed != ended)
			progress_us = now_us();
		ended = swarm->up + swarm->failed;
	}
}

/* --- set-up ----------------------------------------------------------------------------------------- */

static void *read_file(const char *name, size_t *len)
{
	FILE *file = fopen(name, "rb");
	char *data = mem_zalloc(65536);

	if (!file) {
		perror(name);
		exit(2);
	}
	*len = fread(data, 1, 65536, file);
	fclose(file);
	return data;
}

static void use_certs(struct swarm *swarm, char **files)
{
	static struct cert_identity *identity;
	static struct cert_trust *trust;
	size_t cert_len, key_len, ca_len;
	void *cert = read_file(files[0], &cert_len), *key = read_file(files[1], &key_len);
	void *ca = read_file(files[2], &ca_len);
	char *why = NULL;

	identity = cert_identity_new(cert, cert_len, key, key_len, time(NULL), &why);
	trust = cert_trust_new();
	if (!identity || !cert_trust_add(trust, ca, ca_len, &why)) {
		fprintf(stderr, "%s\n", why);
		exit(2);
	}
	swarm->config.identities = &identity;
	swarm->config.trusts = &trust;
	swarm->config.identity_count = swarm->config.trust_count = 1;
	free(cert);
	free(key);
	free(ca);
}

static void open_socket(struct swarm *swarm)
{
	struct sockaddr_storage from;
	unsigned len;

	endpoint_to_sockaddr(&swarm->path.local, &from, &len);
	swarm->fd = socket(from.ss_family, SOCK_DGRAM, 0);
	if (swarm->fd < 0 || bind(swarm->fd, (struct sockaddr *)&from, len) != 0) {
		perror("socket");
		exit(2);
	}
}

int main(int argc, char **argv)
{
	static char name[] = "bench";
	static struct swarm swarm;
	bool certs = argc == 9 && strcmp(argv[5], "cert") == 0;
	uint64_t began_us, cpu_us;

	if (!certs && !(argc == 6 && strcmp(argv[5], "psk") == 0)) {
		fprintf(stderr, "usage: initiate LOCAL REMOTE COUNT WINDOW psk | cert CERT KEY CA\n");
		return 2;
	}
	if (!addr_parse(argv[1], &swarm.path.local.addr) || !addr_parse(argv[2], &swarm.path.remote.addr))
		return 2;
	swarm.path.local.port = swarm.path.remote.port = 500;
	swarm.count = (unsigned)strtoul(argv[3], NULL, 10);
	swarm.conn = (struct ike_conn){.name = name,
		.local_auth = certs ? IKE_AUTH_CERT : IKE_AUTH_PSK,
		.remote_auth = certs ? IKE_AUTH_CERT : IKE_AUTH_PSK,
		.remote_keys = CERT_KEY_ANY,
		.local_id = {.kind = certs ? IKE_ID_KIND_FROMCERT : IKE_ID_KIND_DEFAULT},
		.retransmit_interval_ms = 2000,
		.retransmit_timeout_ms = 60000,
		.childless = true};
	secret_set(&swarm.psk.secret, "an old friend of both", 21);
	swarm.config = (struct ike_config){
		.conns = &swarm.conn, .conn_count = 1, .psks = &swarm.psk, .psk_count = 1};
	if (certs)
		use_certs(&swarm, argv + 6);
	open_socket(&swarm);
	swarm.ike = ike_new(&ops, &swarm, &swarm.config);
	began_us = now_us();
	cpu_us = clock_us(CLOCK_PROCESS_CPUTIME_ID);
	run(&swarm, (unsigned)strtoul(argv[4], NULL, 10));
	printf("{\"up\": %u, \"failed\": %u, \"seconds\": %.6f, \"cpu\": %.6f}\n", swarm.up,
		swarm.count - swarm.up, (double)(now_us() - began_us) / 1e6,
		(double)(clock_us(CLOCK_PROCESS_CPUTIME_ID) - cpu_us) / 1e6);
	ike_free(swarm.ike);
	return 0;
}
