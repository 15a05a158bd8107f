/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Where queries come in: UDP and TCP on one address. A client is known by a
 * small value that says how to answer it; a TCP connection may be gone by then.
 */
#ifndef RESOLVER_LISTENER_H
#define RESOLVER_LISTENER_H

#include "lib/addr.h"

struct listener;
struct loop;

/* Who asked, and how. */
struct client {
	struct listener *listener; /* outlives its queries */
	struct endpoint remote;
	struct addr local;
	uint64_t connection; /* of TCP; 0 for UDP */
};

/* True when listener_answer() is called for it, once, then or later. */
typedef bool (*listener_query)(
	void *arg, const struct client *client, const uint8_t *data, size_t len);

/* NULL with *error -errno. */
struct listener *listener_open(struct loop *loop, const struct endpoint *endpoint,
	listener_query query, void *arg, int *error);
/* Closes; its clients are not answered any more. */
void listener_close(struct listener *listener);
const struct endpoint *listener_endpoint(const struct listener *listener);
/* Sends an answer, none when `len` is 0; a client that is gone is no error. */
void listener_answer(const struct client *client, const uint8_t *data, size_t len);

#endif
