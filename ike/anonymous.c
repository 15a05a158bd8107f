/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * How many SAs hosts may have that are nobody (RFC 7619). Anybody who receives
 * at an address can make one, and forget it, so they are bounded:
 *
 *   of one host, for the same flow    the last three
 *   of one host                       sixteen: rule N3 lets eight begin at once, and each may cross
 *   of all                            max-anonymous-ike=
 *
 * Over a bound an older one of these ends, never one of a peer that has shown who
 * it is (N8): those are not counted here. Of all, the site with the most of them
 * pays, and there the host that has been silent for longest; a site is an IPv4
 * address or an IPv6 /48, for who has one has 2^80 addresses. Who is not known to
 * be silent keeps what is in use (K8).
 *
 * A host is owned by its SAs, a site by its hosts: the first makes it, the last frees it.
 */
#include "ike/anonymous.h"
#include "lib/mem.h"

#include <stdlib.h>
#include <utlist.h>

#define HOST_MAX 16
/* One that comes may end so many: after a reload with a lower bound they become fewer. */
#define VICTIMS_MAX 2

struct ike_site {
	uint8_t key[IKE_SOURCE_KEY];
	struct ike_host *hosts; /* that was silent for longest is the first */
	unsigned sas;
	struct heap_node weight; /* the heaviest is due first; of equals the most silent */
	UT_hash_handle hh;
};

struct ike_host {
	struct addr addr;
	struct ike_site *site;
	struct ike_sa *sas; /* that came first is the first */
	unsigned count;
	uint64_t heard_us;
	struct ike_host *prev, *next; /* in ike_site.hosts */
	UT_hash_handle hh;
};

/* --- tables --------------------------------------------------------------------------------- */

#define WEIGHT_BITS 16
#define WEIGHT_MAX ((1u << WEIGHT_BITS) - 1)

static void weigh(struct ike *ike, struct ike_site *site)
{
	uint64_t weight = site->sas < WEIGHT_MAX ? site->sas : WEIGHT_MAX - 1;

	/* The lower bits order by time, in 65 ms. */
	heap_set(&ike->sites_by_weight, &site->weight,
		(WEIGHT_MAX - weight) << (64 - WEIGHT_BITS) | site->hosts->heard_us >> WEIGHT_BITS);
}

/* NULL: it is not established yet, or the peer is somebody. */
static struct ike_host *host_of(const struct ike_sa *sa)
{
	return sa->established_us && sa->remote_auth == IKE_AUTH_NULL ? sa->host : NULL;
}

static struct ike_site *want_site(struct ike *ike, const struct addr *addr)
{
	uint8_t key[IKE_SOURCE_KEY];
	struct ike_site *site;

	ike_source_key(addr, IKE_SITE_OCTETS, key);
	HASH_FIND(hh, ike->sites, key, sizeof(key), site);
	if (!site) {
		site = mem_new(struct ike_site);
		ike_source_key(addr, IKE_SITE_OCTETS, site->key);
		HASH_ADD(hh, ike->sites, key, sizeof(site->key), site);
	}
	return site;
}

static struct ike_host *want_host(struct ike *ike, const struct addr *addr)
{
	struct ike_host *host;

	HASH_FIND(hh, ike->hosts, addr, sizeof(*addr), host);
	if (!host) {
		host = mem_new(struct ike_host);
		host->addr = *addr;
		host->site = want_site(ike, addr);
		DL_APPEND(host->site->hosts, host);
		HASH_ADD(hh, ike->hosts, addr, sizeof(host->addr), host);
	}
	return host;
}

void ike_anonymous_heard(struct ike_sa *sa)
{
	struct ike_host *host = host_of(sa);

	if (!host)
		return;
	host->heard_us = sa->ike->now_us;
	DL_DELETE(host->site->hosts, host);
	DL_APPEND(host->site->hosts, host);
	weigh(sa->ike, host->site);
}

void ike_anonymous_add(struct ike_sa *sa)
{
	struct ike_host *host;

	if (sa->remote_auth != IKE_AUTH_NULL)
		return;
	host = sa->host = want_host(sa->ike, &sa->path.remote.addr);
	DL_APPEND2(host->sas, sa, peer_prev, peer_next);
	host->count++;
	host->site->sas++;
	sa->ike->anonymous++;
	ike_anonymous_heard(sa);
}

static void host_free(struct ike *ike, struct ike_host *host)
{
	DL_DELETE(host->site->hosts, host);
	HASH_DEL(ike->hosts, host);
	free(host);
}

static void site_free(struct ike *ike, struct ike_site *site)
{
	heap_remove(&ike->sites_by_weight, &site->weight);
	HASH_DEL(ike->sites, site);
	free(site);
}

void ike_anonymous_remove(struct ike_sa *sa)
{
	struct ike_host *host = host_of(sa);
	struct ike *ike = sa->ike;
	struct ike_site *site;

	if (!host)
		return;
	sa->host = NULL;
	DL_DELETE2(host->sas, sa, peer_prev, peer_next);
	ike->anonymous--;
	site = host->site;
	site->sas--;
	if (--host->count == 0)
		host_free(ike, host);
	if (site->hosts)
		weigh(ike, site);
	else
		site_free(ike, site);
}

size_t ike_anonymous_children(const struct ike_sa *sa)
{
	const struct ike_child_sa *child;
	const struct ike_host *host = host_of(sa);
	const struct ike_sa *other;
	size_t count = 0;

	for (other = host ? host->sas : NULL; other; other = other->peer_next) {
		for (child = other->children; child; child = child->next)
			count++;
	}
	return count;
}

/* --- the bounds ----------------------------------------------------------------------------- */

/* One DELETE, and nobody waits for its answer: who does not answer holds nothing. */
static void end(struct ike_sa *sa)
{
	if (sa->state == IKE_SA_ESTABLISHED)
		ike_sa_delete_now(sa, IKE_REASON_LIMIT);
	ike_sa_end(sa, IKE_REASON_LIMIT);
}

bool ike_sa_is_covered(const struct ike_sa *sa, const struct ike_sa *by)
{
	const struct ike_child_sa *child, *other;

	for (child = sa->children; child; child = child->next) {
		other = by->children;
		while (other && !ike_child_same(child, other))
			other = other->next;
		if (!other)
			return false;
	}
	return true;
}

/* Which SA of a host is to go for a newer one; NULL if all may stay. */
static struct ike_sa *choose(const struct ike_host *host, struct ike_sa *fresh)
{
	struct ike_sa *sa, *covered = NULL, *oldest = NULL;
	unsigned covered_count = 0;

	for (sa = host->sas; sa; sa = sa->peer_next) {
		if (sa == fresh)
			continue;
		if (!oldest)
			oldest = sa;
		if (!ike_sa_is_covered(sa, fresh))
			continue;
		if (!covered)
			covered = sa;
		covered_count++;
	}
	if (covered_count >= IKE_FLOW_SAS_MAX)
		return covered;
	if (host->count <= HOST_MAX)
		return NULL;
	if (covered)
		return covered;
	/* What carries nothing displaces nothing that does. */
	return fresh->children ? oldest : fresh;
}

/* The heaviest site's most silent host gives its oldest one. */
static struct ike_sa *choose_of_all(struct ike *ike, const struct ike_sa *fresh)
{
	struct heap_node *first = heap_first(&ike->sites_by_weight);
	struct ike_sa *sa = container_of(first, struct ike_site, weight)->hosts->sas;

	return sa == fresh ? sa->peer_next : sa;
}

void ike_anonymous_admit(struct ike_sa *fresh)
{
	struct ike *ike = fresh->ike;
	struct ike_sa *victim;

	for (unsigned i = 0; i < VICTIMS_MAX && host_of(fresh); i++) {
		victim = choose(fresh->host, fresh);
		if (!victim && ike->anonymous > ike->config.max_anonymous)
			victim = choose_of_all(ike, fresh);
		if (!victim)
			return;
		end(victim);
	}
}
