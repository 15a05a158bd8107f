/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * verify-name=: an address goes out in an answer only when the peer that it
 * leads to has proved a certificate for the name that was asked. Here meet what
 * policy demands, the certificates that the engine has seen, and the names that
 * addresses are in use under (bonds.h).
 *
 * Enforced where a failure closes. Where failureshunt= lets pass in the clear,
 * a tunnel with the wrong host is no worse: it stays, and only the word is told.
 */
#ifndef DAEMON_VERIFY_H
#define DAEMON_VERIFY_H

#include "ike/ike.h"
#include "policy/policy.h"
#include "resolver/resolver.h"

struct loop;
struct tunnels;
struct verify;

/* None is owned, and all outlive it. */
struct verify *verify_new(struct loop *loop, const struct policy *policy, const struct tunnels *tunnels,
	const struct ike *ike);
/* Keeps what a later run must know. */
void verify_free(struct verify *verify);
/* Which conns there are, and where state is kept; before anything else, and after each change of it. */
void verify_configure(struct verify *verify, const struct policy_config *config, const char *state_dir);

/* A lookup wants a tunnel with the address. True: what it failed for is to be forgotten first (bonds_ask). */
bool verify_ask(struct verify *verify, const struct addr *addr, uint64_t now_us);
/* ops->admit of the engine. */
bool verify_admit(struct verify *verify, const struct ike_claim *claim, uint64_t now_us, char *why, size_t room);
/* Judges a verdict on an address for a name. What is good is tied, unless we `only_look`. */
void verify_answer(struct verify *verify, const char *qname, const struct addr *addr, bool only_look,
	uint64_t now_us, struct resolver_decision *decision);
/* A tunnel with the address has ended. */
void verify_tunnel_ended(struct verify *verify, const struct addr *addr, uint64_t now_us);
/* Somebody wants to begin anew with an address: what it is tied to is forgotten. */
void verify_forget(struct verify *verify, const struct addr *addr);

/* For reports; each text is NULL if there is none. */
struct verify_texts {
	char *hosts;	/* of the tunnel's certificate */
	char *verified; /* names that the address has gone out under */
	char *withheld; /* the last name that it was withheld from, and why */
};
void verify_describe(struct verify *verify, const struct policy_flow *flow, uint64_t now_us,
	struct verify_texts *out);
void verify_texts_clear(struct verify_texts *texts);

#endif
