/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Peers that we have refused lately, for the log and `oectl peers`: one line
 * an address, the latest reason. Strangers can cause these, so the memory is
 * of fixed size, the oldest goes first, and the log gets one line a second.
 */
#ifndef DAEMON_REFUSALS_H
#define DAEMON_REFUSALS_H

#include "ike/ike.h"

#include <jansson.h>

struct refusals;

struct refusals *refusals_new(void);
void refusals_free(struct refusals *refusals);
/* An IKE_EVENT_REFUSED of the engine (N2: it changes nothing else). */
void refusals_note(struct refusals *refusals, const struct ike_event *event, uint64_t now_us);
/* The peer has a tunnel now: what was before does not matter. */
void refusals_forget(struct refusals *refusals, const struct addr *remote);
/* Appends those of the last hour to an array, in the form of `oectl peers`. */
void refusals_report(const struct refusals *refusals, uint64_t now_us, json_t *array);

#endif
