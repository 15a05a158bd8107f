/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Lines for one port each: several flows between the two hosts (world.h). */
#include "t/sim/world.h"

#define FIRST_USER 1000u
#define FIRST_PORT 440u

static struct selector flow_selector(const struct world *world, size_t host, size_t flow)
{
	struct selector selector = world_selector(world, host);
	uint16_t port = (uint16_t)(FIRST_PORT + flow);

	selector.proto = 6;
	*(host == 0 ? &selector.remote_port : &selector.local_port) = port;
	return selector;
}

struct world_flow *world_flow_of(struct world_host *host, uint64_t user)
{
	return user >= FIRST_USER && user < FIRST_USER + WORLD_FLOWS ? &host->flows[user - FIRST_USER] : NULL;
}

bool world_line_for(const struct world_host *host, const struct ike_offer *offer,
	struct selector *selector, uint64_t *user)
{
	for (size_t i = 0; i < host->lines; i++) {
		*selector = flow_selector(host->world, (size_t)(host - host->world->hosts), i);
		*user = FIRST_USER + i;
		if (ike_offer_fit(offer, selector) == IKE_FIT_ALL)
			return true;
	}
	return false;
}

uint64_t world_want(struct world *world, size_t from, size_t conn, size_t flow)
{
	struct path path = world_path(world, from);
	struct selector selector = flow_selector(world, from, flow);

	world->hosts[from].flows[flow].wanted++;
	return ike_initiate(world->hosts[from].ike, conn, &path, &selector, FIRST_USER + flow, world->now_us);
}

size_t world_pairs_of(const struct world *world, size_t host, size_t flow)
{
	const struct world_host *h = &world->hosts[host];
	size_t count = 0;

	for (size_t i = 0; i < h->child_count; i++)
		count += h->children[i].up && h->children[i].child.user == FIRST_USER + flow;
	return count;
}
