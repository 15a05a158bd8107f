/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Names that addresses are in use under (verify-name=). When an address goes
 * out in an answer, whoever asked will send there what is meant for that name.
 * So the name and the address are tied: until the tie ends there is no tunnel
 * with the address but to a peer whose certificate is for the name.
 *
 * A tie ends BONDS_S after the last answer, and after the last tunnel: no
 * answer may live longer in a cache, and TCP gives up sooner. One address may
 * be tied to several names. Nothing is tied that has not been proved, so a name
 * that leads to somebody else's address ties nothing.
 *
 * Pure: times are microseconds of the caller's clock. Bounded.
 */
#ifndef DAEMON_BONDS_H
#define DAEMON_BONDS_H

#include "lib/addr.h"

struct bonds;
struct cert_hosts;

#define BONDS_S 900u
/* So long a tunnel may be begun for a lookup. */
#define BONDS_ASKED_S 60u
/* Names of one address, and addresses. */
#define BONDS_NAMES_MAX 256u
#define BONDS_MAX 16384u

/* `in_use` says whether a tunnel stands with an address. */
struct bonds *bonds_new(bool (*in_use)(void *arg, const struct addr *addr), void *arg);
void bonds_free(struct bonds *bonds);

/*
 * A lookup asks for the address. True when a tunnel was refused for want of one
 * since the last call: that failure need not be remembered any more.
 */
bool bonds_ask(struct bonds *bonds, const struct addr *addr, uint64_t now_us);
/*
 * Whether a tunnel may stand with whoever has shown a certificate for `hosts`
 * (`ours`: we began it); false with the reason.
 *
 * It must be for every name that the address is tied to. Where there is none, a
 * peer that comes to us is let in, as a TLS server lets clients in; one that we
 * went to because of a lookup is judged by its answer; and one that we went to
 * for its mere address must have it in its certificate.
 */
bool bonds_admit(struct bonds *bonds, const struct addr *addr, bool ours, const struct cert_hosts *hosts,
	uint64_t now_us, char *why, size_t room);
/* The peer's certificate is for the name, and the answer goes out; false when no more can be tied. */
bool bonds_tie(struct bonds *bonds, const struct addr *addr, const char *name, uint64_t now_us);
/* A tunnel with the address has ended: what it is tied to lasts BONDS_S from now. */
void bonds_renew(struct bonds *bonds, const struct addr *addr, uint64_t now_us);
/* The address was withheld from who asked for a name; the last such is remembered, for people. */
void bonds_note_withheld(struct bonds *bonds, const struct addr *addr, const char *name, const char *why,
	uint64_t now_us);
/* Unties an address. */
void bonds_forget(struct bonds *bonds, const struct addr *addr);

/* Calls `each` for every tie that holds, of all addresses or of one. */
typedef void (*bonds_each_fn)(void *arg, const struct addr *addr, const char *name);
void bonds_each(struct bonds *bonds, uint64_t now_us, bonds_each_fn each, void *arg);
void bonds_each_of(struct bonds *bonds, const struct addr *addr, uint64_t now_us, bonds_each_fn each, void *arg);
/* Of bonds_note_withheld(), "www.example: …"; NULL when there is none. */
const char *bonds_withheld(const struct bonds *bonds, const struct addr *addr);

#endif
