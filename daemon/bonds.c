/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Names that addresses are in use under (bonds.h): a table by address, swept when it has doubled. */
#include "daemon/bonds.h"

#include "ike/crypto/cert.h"
#include "lib/hash.h"
#include "lib/mem.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define SECOND_US UINT64_C(1000000)
#define LIFE_US (BONDS_S * SECOND_US)
#define FIRST_SWEEP 1024

struct tie {
	char *name;
	uint64_t until_us;
};

/* What is known of one address. Owned by the table. */
struct bond {
	struct addr addr;
	struct tie *ties;
	size_t count;
	uint64_t asked_until_us;
	uint64_t unnamed_until_us; /* a tunnel was refused, for nobody had asked for a name */
	char *withheld; /* the last one; NULL: none */
	uint64_t withheld_until_us;
	UT_hash_handle hh;
};

struct bonds {
	bool (*in_use)(void *arg, const struct addr *addr);
	void *arg;
	struct bond *by_addr;
	size_t next_sweep; /* at so many addresses */
	uint64_t swept_us;
};

struct bonds *bonds_new(bool (*in_use)(void *arg, const struct addr *addr), void *arg)
{
	struct bonds *bonds = mem_new(struct bonds);

	*bonds = (struct bonds){.in_use = in_use, .arg = arg, .next_sweep = FIRST_SWEEP};
	return bonds;
}

static void free_bond(struct bonds *bonds, struct bond *bond)
{
	HASH_DEL(bonds->by_addr, bond);
	for (size_t i = 0; i < bond->count; i++)
		free(bond->ties[i].name);
	free(bond->ties);
	free(bond->withheld);
	free(bond);
}

void bonds_free(struct bonds *bonds)
{
	struct bond *bond, *next;

	if (!bonds)
		return;
	HASH_ITER (hh, bonds->by_addr, bond, next)
		free_bond(bonds, bond);
	free(bonds);
}

static struct bond *find(const struct bonds *bonds, const struct addr *addr)
{
	struct bond *bond;

	HASH_FIND(hh, bonds->by_addr, addr, sizeof(*addr), bond);
	return bond;
}

/* --- time ------------------------------------------------------------------------------------- */

/* What is over goes, unless a tunnel stands that may be in use under it. */
static void expire(const struct bonds *bonds, struct bond *bond, uint64_t now_us)
{
	size_t kept = 0;

	if (bonds->in_use(bonds->arg, &bond->addr))
		return;
	for (size_t i = 0; i < bond->count; i++) {
		if (bond->ties[i].until_us > now_us)
			bond->ties[kept++] = bond->ties[i];
		else
			free(bond->ties[i].name);
	}
	bond->count = kept;
}

static bool is_over(const struct bond *bond, uint64_t now_us)
{
	return bond->count == 0 && bond->asked_until_us <= now_us && bond->unnamed_until_us <= now_us &&
	       bond->withheld_until_us <= now_us;
}

static void sweep(struct bonds *bonds, uint64_t now_us)
{
	struct bond *bond, *next;

	HASH_ITER (hh, bonds->by_addr, bond, next) {
		expire(bonds, bond, now_us);
		if (is_over(bond, now_us))
			free_bond(bonds, bond);
	}
	bonds->swept_us = now_us;
	bonds->next_sweep = 2u * HASH_COUNT(bonds->by_addr);
	if (bonds->next_sweep < FIRST_SWEEP)
		bonds->next_sweep = FIRST_SWEEP;
}

/* A full table is swept once a second: whoever has it filled costs us no more. */
static bool wants_sweep(const struct bonds *bonds, uint64_t now_us)
{
	size_t count = HASH_COUNT(bonds->by_addr);

	return count >= BONDS_MAX ? now_us - bonds->swept_us >= SECOND_US : count >= bonds->next_sweep;
}

/* NULL when there are too many. */
static struct bond *want(struct bonds *bonds, const struct addr *addr, uint64_t now_us)
{
	struct bond *bond = find(bonds, addr);

	if (bond)
		return bond;
	if (wants_sweep(bonds, now_us))
		sweep(bonds, now_us);
	if (HASH_COUNT(bonds->by_addr) >= BONDS_MAX)
		return NULL;
	bond = mem_new(struct bond);
	bond->addr = *addr;
	HASH_ADD(hh, bonds->by_addr, addr, sizeof(bond->addr), bond);
	return bond;
}

/* --- tunnels ------------------------------------------------------------------------------------ */

bool bonds_ask(struct bonds *bonds, const struct addr *addr, uint64_t now_us)
{
	struct bond *bond = want(bonds, addr, now_us);
	bool unnamed = bond && bond->unnamed_until_us > now_us;

	if (!bond)
		return false;
	bond->unnamed_until_us = 0;
	bond->asked_until_us = now_us + BONDS_ASKED_S * SECOND_US;
	return unnamed;
}

/* Query names are for the debug log alone: the reason tells what the certificate has. */
static bool refuse(const struct cert_hosts *hosts, const char *rest, char *why, size_t room)
{
	char *text = cert_hosts_format(hosts);

	snprintf(why, room, "the peer's certificate is for %.60s, %s", text, rest);
	free(text);
	return false;
}

bool bonds_admit(struct bonds *bonds, const struct addr *addr, bool ours, const struct cert_hosts *hosts,
	uint64_t now_us, char *why, size_t room)
{
	struct bond *bond = find(bonds, addr);

	if (bond)
		expire(bonds, bond, now_us);
	for (size_t i = 0; bond && i < bond->count; i++) {
		if (!cert_hosts_have_name(hosts, bond->ties[i].name))
			return refuse(hosts, "not for a name that the address is in use under", why, room);
	}
	if (!ours || (bond && (bond->count || bond->asked_until_us > now_us)) ||
		cert_hosts_have_addr(hosts, addr))
		return true;
	bond = want(bonds, addr, now_us);
	if (bond)
		bond->unnamed_until_us = now_us + BONDS_ASKED_S * SECOND_US;
	return refuse(hosts, "not for its address, and nobody has looked up a name", why, room);
}

void bonds_renew(struct bonds *bonds, const struct addr *addr, uint64_t now_us)
{
	struct bond *bond = find(bonds, addr);

	for (size_t i = 0; bond && i < bond->count; i++)
		bond->ties[i].until_us = now_us + LIFE_US;
}

/* --- answers -------------------------------------------------------------------------------------- */

/* The one that may go first is the one that was answered the longest time ago; NULL while none may. */
static struct tie *oldest(struct bond *bond, uint64_t now_us)
{
	struct tie *found = &bond->ties[0];

	for (size_t i = 1; i < bond->count; i++) {
		if (bond->ties[i].until_us < found->until_us)
			found = &bond->ties[i];
	}
	return found->until_us <= now_us ? found : NULL;
}

static struct tie *place_for(struct bond *bond, const char *name, uint64_t now_us)
{
	struct tie *tie;

	for (size_t i = 0; i < bond->count; i++) {
		if (strcasecmp(bond->ties[i].name, name) == 0)
			return &bond->ties[i];
	}
	if (bond->count < BONDS_NAMES_MAX) {
		bond->ties = mem_resize(bond->ties, bond->count + 1, sizeof(*bond->ties));
		tie = &bond->ties[bond->count++];
		tie->name = NULL;
	} else {
		tie = oldest(bond, now_us);
	}
	if (tie) {
		free(tie->name);
		tie->name = mem_strdup(name);
	}
	return tie;
}

bool bonds_tie(struct bonds *bonds, const struct addr *addr, const char *name, uint64_t now_us)
{
	struct bond *bond = want(bonds, addr, now_us);
	struct tie *tie;

	if (!bond)
		return false;
	expire(bonds, bond, now_us);
	tie = place_for(bond, name, now_us);
	if (tie)
		tie->until_us = now_us + LIFE_US;
	return tie;
}

void bonds_note_withheld(struct bonds *bonds, const struct addr *addr, const char *name, const char *why,
	uint64_t now_us)
{
	struct bond *bond = want(bonds, addr, now_us);

	if (!bond)
		return;
	free(bond->withheld);
	bond->withheld = mem_printf("%s: %s", name, why);
	bond->withheld_until_us = now_us + LIFE_US;
}

void bonds_forget(struct bonds *bonds, const struct addr *addr)
{
	struct bond *bond = find(bonds, addr);

	if (bond)
		free_bond(bonds, bond);
}

/* --- looking ---------------------------------------------------------------------------------------- */

static void each_tie(struct bonds *bonds, struct bond *bond, uint64_t now_us, bonds_each_fn each, void *arg)
{
	expire(bonds, bond, now_us);
	for (size_t i = 0; i < bond->count; i++)
		each(arg, &bond->addr, bond->ties[i].name);
}

void bonds_each(struct bonds *bonds, uint64_t now_us, bonds_each_fn each, void *arg)
{
	struct bond *bond, *next;

	HASH_ITER (hh, bonds->by_addr, bond, next)
		each_tie(bonds, bond, now_us, each, arg);
}

void bonds_each_of(struct bonds *bonds, const struct addr *addr, uint64_t now_us, bonds_each_fn each, void *arg)
{
	struct bond *bond = find(bonds, addr);

	if (bond)
		each_tie(bonds, bond, now_us, each, arg);
}

const char *bonds_withheld(const struct bonds *bonds, const struct addr *addr)
{
	const struct bond *bond = find(bonds, addr);

	return bond ? bond->withheld : NULL;
}
