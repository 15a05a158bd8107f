/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The control socket, from the asking side. */
#ifndef OECTL_CLIENT_H
#define OECTL_CLIENT_H

#include <jansson.h>

/*
 * Sends one request (takes the reference) and gives the answer, which the
 * caller owns. NULL when the daemon cannot be reached, is silent for
 * `timeout_s` or answers nonsense; a message that says why, and what to do,
 * has then been printed.
 */
json_t *client_ask(const char *socket_path, unsigned timeout_s, json_t *request);

#endif
