/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Messages under the keys of the other engine (forge.h). */
#include "t/sim/forge.h"

#include "ike/sa.h"
#include "ike/sk.h"

struct forge_seen forge_seen;

bool forge_look(struct world *w, struct packet *packet)
{
	struct ike_sa *sa = w->hosts[0].ike->by_id;
	struct ike_message outer;

	if (packet->from == 0 && packet->answer && sa && sa->keys &&
		ike_message_parse(packet->data, packet->len, &outer) &&
		ike_sk_open(sa->keys, packet->data, packet->len, &outer, forge_seen.plain, &forge_seen.inner) ==
			IKE_SK_OPENED)
		forge_seen.count++;
	return true;
}

static void send_forged(
	struct world *w, struct ike_sa *sa, const struct ike_header *header, struct ike_builder *chain)
{
	uint8_t out[1024];
	size_t inner_len = ike_build_finish(chain);
	size_t len = ike_sk_seal(sa->keys, header, ++sa->iv, chain->first, NULL, chain->w.data, inner_len, out,
		sizeof(out));

	world_inject(w, 1, out, len, 0);
	world_run_for(w, 10 * WORLD_MS);
}

void forge_request(struct world *w, struct ike_sa *sa, uint8_t exchange, struct ike_builder *chain, uint32_t ahead)
{
	struct ike_header header = {.spi_i = sa->spi_i,
		.spi_r = sa->spi_r,
		.exchange = exchange,
		.id = sa->next_request + ahead};

	send_forged(w, sa, &header, chain);
}

void forge_answer(struct world *w, struct ike_sa *sa, uint8_t exchange, struct ike_builder *chain, uint32_t id)
{
	struct ike_header header = {.spi_i = sa->spi_i,
		.spi_r = sa->spi_r,
		.exchange = exchange,
		.flags = IKE_FLAG_RESPONSE,
		.id = id};

	send_forged(w, sa, &header, chain);
}

bool forge_answered_with(uint16_t type)
{
	struct ike_notify notify;

	return forge_seen.count == 1 && ike_notify_find(&forge_seen.inner, type, &notify);
}
