/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The engine's owner for initiators over a socket (initiator.h). */
#include "t/initiator.h"

#include "lib/mem.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define FILE_MAX 65536

uint64_t initiator_clock_us(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
}

/* --- ops -------------------------------------------------------------------------------------- */

void initiator_send(struct initiator *initiator, const uint8_t *data, size_t len)
{
	struct sockaddr_storage to;
	unsigned to_len;

	endpoint_to_sockaddr(&initiator->path.remote, &to, &to_len);
	/* A datagram that is lost is sent again. */
	if (sendto(initiator->fd, data, len, 0, (struct sockaddr *)&to, to_len) < 0)
		return;
}

static void take_send(void *arg, const struct path *path, const uint8_t *data, size_t len)
{
	struct initiator *initiator = arg;

	(void)path;
	if (!initiator->steal || !initiator->steal(initiator, data, len))
		initiator_send(initiator, data, len);
}

static void take_timer(void *arg, uint64_t at_us)
{
	((struct initiator *)arg)->timer_us = at_us;
}

static void take_event(void *arg, const struct ike_event *event)
{
	struct initiator *initiator = arg;

	initiator->event(initiator, event);
}

static int take_conn_for(void *arg, const struct path *path)
{
	(void)arg;
	(void)path;
	return -1;
}

static void take_job(void *arg, const struct ike_job *job)
{
	struct initiator *initiator = arg;

	if (initiator->job_end - initiator->job_at == INITIATOR_JOBS)
		abort();
	initiator->jobs[initiator->job_end++ % INITIATOR_JOBS] = *job;
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

/* --- life ------------------------------------------------------------------------------------- */

bool initiator_open(struct initiator *initiator, const char *local, const char *remote)
{
	struct sockaddr_storage from;
	unsigned len;

	if (!addr_parse(local, &initiator->path.local.addr) ||
		!addr_parse(remote, &initiator->path.remote.addr)) {
		fprintf(stderr, "%s, %s: not two addresses\n", local, remote);
		return false;
	}
	initiator->path.local.port = initiator->path.remote.port = 500;
	endpoint_to_sockaddr(&initiator->path.local, &from, &len);
	initiator->fd = socket(from.ss_family, SOCK_DGRAM, 0);
	if (initiator->fd >= 0 && bind(initiator->fd, (struct sockaddr *)&from, len) == 0)
		return true;
	perror("socket");
	return false;
}

void initiator_configure(struct initiator *initiator, const struct ike_config *config)
{
	initiator->timer_us = IKE_NEVER;
	initiator->ike = ike_new(&ops, initiator, config);
}

static void run_jobs(struct initiator *initiator)
{
	while (initiator->job_at < initiator->job_end) {
		struct ike_job job = initiator->jobs[initiator->job_at++ % INITIATOR_JOBS];

		job.run(job.data);
		ike_job_done(initiator->ike, job.id, initiator_clock_us());
	}
}

void initiator_begin(struct initiator *initiator, uint64_t user)
{
	struct selector selector = {.local = prefix_of_host(&initiator->path.local.addr),
		.remote = prefix_of_host(&initiator->path.remote.addr)};

	ike_initiate(initiator->ike, 0, &initiator->path, &selector, user, initiator_clock_us());
	run_jobs(initiator);
}

static void receive(struct initiator *initiator)
{
	uint8_t buffer[65536];
	ssize_t len;

	while ((len = recv(initiator->fd, buffer, sizeof(buffer), MSG_DONTWAIT)) > 0)
		ike_datagram(initiator->ike, &initiator->path, buffer, (size_t)len,
			initiator_clock_us());
}

void initiator_step(struct initiator *initiator, int wait_ms)
{
	struct pollfd pollfd = {.fd = initiator->fd, .events = POLLIN};

	poll(&pollfd, 1, wait_ms);
	receive(initiator);
	run_jobs(initiator);
	if (initiator->timer_us <= initiator_clock_us())
		ike_tick(initiator->ike, initiator_clock_us());
	run_jobs(initiator);
}

void initiator_close(struct initiator *initiator)
{
	ike_free(initiator->ike);
	close(initiator->fd);
}

void *initiator_read_file(const char *name, size_t *len)
{
	FILE *file = fopen(name, "rb");
	char *data = mem_zalloc(FILE_MAX);

	if (!file) {
		perror(name);
		exit(2);
	}
	*len = fread(data, 1, FILE_MAX, file);
	fclose(file);
	return data;
}
