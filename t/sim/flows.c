/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Two hosts with several flows (flows.h). */
#include "t/sim/flows.h"

#include "ike/const.h"
#include "t/tap.h"

#define SECOND (1000 * WORLD_MS)

struct world world;

void begin_by(uint64_t seed, enum ike_auth auth)
{
	world_init(&world, seed, auth);
	A->lines = B->lines = WORLD_FLOWS;
	A->install_us = B->install_us = 2 * WORLD_MS;
	A->quiet = B->quiet = true;
}

void begin(uint64_t seed)
{
	begin_by(seed, IKE_AUTH_PSK);
}

void end(void)
{
	ike_shutdown(A->ike, world.now_us);
	world_run_for(&world, 20 * SECOND);
	if (A->child_count || B->child_count || A->timer_us != IKE_NEVER || B->timer_us != IKE_NEVER)
		ok(false, "something is left after the stop");
	world_clear(&world);
}

void want(size_t from, size_t flow)
{
	world_want(&world, from, 0, flow);
}

size_t creates(size_t from)
{
	return world_sent(&world, from, IKE_EXCHANGE_CREATE_CHILD_SA, false);
}

size_t inits(size_t from)
{
	return world_sent(&world, from, IKE_EXCHANGE_IKE_SA_INIT, false);
}

bool have_sas(size_t count)
{
	return ike_counters(A->ike).sas == count && ike_counters(B->ike).sas == count;
}

bool ended_once(void)
{
	for (size_t i = 0; i < 2; i++) {
		for (size_t flow = 0; flow < WORLD_FLOWS; flow++) {
			if (world.hosts[i].flows[flow].ended != world.hosts[i].flows[flow].wanted)
				return false;
		}
	}
	return true;
}

bool stand(size_t flows)
{
	for (size_t flow = 0; flow < flows; flow++) {
		if (world_pairs_of(&world, 0, flow) != 1 || world_pairs_of(&world, 1, flow) != 1)
			return false;
	}
	return A->child_count == flows && world_agrees(&world) && ended_once();
}

const struct ike_child *child_of(const struct world_host *host, size_t flow)
{
	for (size_t i = 0; i < host->child_count; i++) {
		if (host->children[i].child.user == 1000 + flow)
			return &host->children[i].child;
	}
	return NULL;
}

void want_if_idle(size_t from, size_t flow)
{
	const struct world_flow *known = &world.hosts[from].flows[flow];

	if (world_pairs_of(&world, from, flow) == 0 && known->wanted == known->ended)
		want(from, flow);
}

bool drop_all(struct world *w, struct packet *packet)
{
	(void)w;
	(void)packet;
	return false;
}

bool drop_answers(struct world *w, struct packet *packet)
{
	(void)w;
	return packet->from != 1 || !packet->answer || packet->exchange != IKE_EXCHANGE_CREATE_CHILD_SA;
}
