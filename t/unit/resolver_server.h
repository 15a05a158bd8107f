/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A DNS server for the resolver's tests: a thread, a port of UDP and TCP on
 * 127.0.0.1, a table of names. It answers with the addresses of the family that
 * was asked for, else with NODATA or NXDOMAIN, and counts. Over TCP, a connection
 * is a query and its answer.
 */
#ifndef T_UNIT_RESOLVER_SERVER_H
#define T_UNIT_RESOLVER_SERVER_H

#include "t/unit/resolver_packet.h"

#include <ctype.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

struct served {
	const char *name;      /* "*.x": all below x */
	const char *addrs;     /* "192.0.2.1 2001:db8::1" */
	unsigned delay_ms;     /* before the answer; others wait meanwhile */
	bool silent;	       /* never answered */
	uint16_t silent_type;  /* only this type is not */
	bool broken;	       /* answered with SERVFAIL */
	bool truncated;	       /* over UDP answered with TC and no records */
	const uint8_t *https;  /* rdata of an HTTPS record */
	size_t https_len;
	const uint8_t *raw;    /* data of a record of another type, */
	size_t raw_len;
	uint16_t raw_type;
	const uint8_t *rrsig;  /* and the signature over all that is answered */
	size_t rrsig_len;
	unsigned many;	       /* A records 198.18.0.N, N below this, besides */
};

struct server {
	int fd, tcp;
	struct endpoint endpoint;
	_Atomic(const struct served *) names; /* ended by a NULL name */
	pthread_t thread;
	atomic_bool stopping;
	atomic_uint asked;
};

static void read_question(const uint8_t *data, size_t len, char name[256], uint16_t *type)
{
	struct reader r = reader_init(data, len);
	size_t at = 0;

	reader_skip(&r, 12);
	for (uint8_t label = reader_u8(&r); label && at + label < 254; label = reader_u8(&r)) {
		if (at)
			name[at++] = '.';
		for (uint8_t i = 0; i < label; i++)
			name[at++] = (char)tolower(reader_u8(&r));
	}
	name[at] = '\0';
	*type = reader_u16(&r);
}

static void put_addrs(struct packet *reply, const struct served *served, uint16_t type)
{
	char list[512], *rest = list, *text;

	snprintf(list, sizeof(list), "%s", served->addrs ? served->addrs : "");
	while ((text = strsep(&rest, " ")) != NULL) {
		if (type == 255 || type == (strchr(text, ':') ? 28 : 1))
			packet_addr(reply, ANSWER, NULL, text, 300);
	}
	for (unsigned i = 0; i < served->many && type == 1; i++) {
		char addr[32];

		snprintf(addr, sizeof(addr), "198.18.0.%u", i);
		packet_addr(reply, ANSWER, NULL, addr, 300);
	}
	if (served->https && type == 65)
		packet_rr(reply, ANSWER, NULL, 65, 300, served->https, served->https_len);
	if (served->raw && type == served->raw_type)
		packet_rr(reply, ANSWER, NULL, type, 300, served->raw, served->raw_len);
	if (served->rrsig && reply->counts[ANSWER])
		packet_rr(reply, ANSWER, NULL, 46, 300, served->rrsig, served->rrsig_len);
}

static bool is_served(const struct served *served, const char *name)
{
	size_t len = strlen(name), tail = strlen(served->name + 1);

	if (served->name[0] == '*')
		return len > tail && strcmp(name + len - tail, served->name + 1) == 0;
	return strcmp(served->name, name) == 0;
}

/* False when no answer is due. */
static bool make_reply(struct server *server, const uint8_t *data, size_t len, bool over_tcp, struct packet *reply)
{
	static const uint8_t soa[] = {1, 'n', 0, 1, 'h', 0, 0, 0, 0, 1, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0,
		1, 0, 0, 0, 0, 60};
	const struct served *served = atomic_load(&server->names);
	bool truncated;
	char name[256];
	uint16_t type;

	read_question(data, len, name, &type);
	while (served->name && !is_served(served, name))
		served++;
	atomic_fetch_add(&server->asked, 1);
	if (served->silent || (served->silent_type && served->silent_type == type))
		return false;
	if (served->delay_ms)
		usleep(served->delay_ms * 1000);
	truncated = served->truncated && !over_tcp;
	packet_begin(reply, (uint16_t)(data[0] << 8 | data[1]),
		served->broken ? 0x8582 : truncated ? 0x8780 : served->name ? 0x8580 : 0x8583, name, type);
	/* libunbound compares letters: it may have mixed them. */
	memcpy(reply->data + 12, data + 12, reply->w.len - 16);
	if (served->name && !truncated)
		put_addrs(reply, served, type);
	if (reply->counts[ANSWER] == 0 && !served->broken && !truncated)
		packet_rr(reply, AUTHORITY, "example", 6, 60, soa, sizeof(soa));
	packet_opt(reply, 1232, false);
	return true;
}

static void serve_datagram(struct server *server)
{
	struct sockaddr_storage from;
	socklen_t from_len = sizeof(from);
	struct packet reply;
	uint8_t data[2048];
	ssize_t got = recvfrom(server->fd, data, sizeof(data), 0, (struct sockaddr *)&from, &from_len);

	if (got > 16 && make_reply(server, data, (size_t)got, false, &reply))
		sendto(server->fd, reply.data, reply.w.len, 0, (struct sockaddr *)&from, from_len);
}

static void serve_connection(struct server *server)
{
	int fd = accept(server->tcp, NULL, NULL);
	struct packet reply;
	uint8_t data[2048], length[2];

	if (recv(fd, length, 2, MSG_WAITALL) == 2) {
		ssize_t len = length[0] << 8 | length[1];

		if (len > 16 && len <= (ssize_t)sizeof(data) && recv(fd, data, (size_t)len, MSG_WAITALL) == len &&
			make_reply(server, data, (size_t)len, true, &reply)) {
			length[0] = (uint8_t)(reply.w.len >> 8);
			length[1] = (uint8_t)reply.w.len;
			send(fd, length, 2, MSG_NOSIGNAL | MSG_MORE);
			send(fd, reply.data, reply.w.len, MSG_NOSIGNAL);
		}
	}
	close(fd);
}

static void *server_main(void *arg)
{
	struct server *server = arg;
	struct pollfd ready[2] = {{.fd = server->fd, .events = POLLIN}, {.fd = server->tcp, .events = POLLIN}};

	while (!atomic_load(&server->stopping)) {
		if (poll(ready, 2, 20) <= 0)
			continue;
		if (ready[0].revents)
			serve_datagram(server);
		if (ready[1].revents)
			serve_connection(server);
	}
	return NULL;
}

static bool open_port(struct server *server)
{
	struct sockaddr_storage storage = {0};
	socklen_t len = sizeof(storage);
	struct sockaddr_in any = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};

	server->tcp = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	server->fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	return bind(server->tcp, (struct sockaddr *)&any, sizeof(any)) == 0 && listen(server->tcp, 8) == 0 &&
	       getsockname(server->tcp, (struct sockaddr *)&storage, &len) == 0 &&
	       bind(server->fd, (struct sockaddr *)&storage, len) == 0 &&
	       endpoint_from_sockaddr((struct sockaddr *)&storage, &server->endpoint);
}

__attribute__((unused)) static bool server_start(struct server *server, const struct served *names)
{
	*server = (struct server){.names = names};
	/* The port that TCP has found free may be taken for UDP. */
	for (unsigned tries = 0; tries < 20 && !open_port(server); tries++) {
		close(server->fd);
		close(server->tcp);
	}
	if (server->endpoint.port == 0)
		return false;
	return pthread_create(&server->thread, NULL, server_main, server) == 0;
}

__attribute__((unused)) static void server_stop(struct server *server)
{
	atomic_store(&server->stopping, true);
	pthread_join(server->thread, NULL);
	close(server->fd);
	close(server->tcp);
}

#endif
