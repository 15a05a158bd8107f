/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The engine under a hostile peer that holds the keys. The input is a program:
 * each byte is an order to a world of two engines (t/sim/world.h), among them
 * to change what a datagram holds *inside* its encryption, and to send any
 * chain of payloads under the keys of a live SA: in opportunistic encryption
 * everybody gets that far.
 *
 * Whatever happens, no engine crashes, each negotiation ends once, and after
 * the stop nothing is left.
 */
#include "t/sim/world.h"

#include "ike/sa.h"
#include "ike/sk.h"

#include <stdlib.h>
#include <string.h>

#define MAX_ORDERS 48
#define MAX_INITIATIONS 6
#define FLOWS 4u

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static struct world world;
static unsigned wants; /* flows that hosts have begun */

/* What the next datagram suffers, or a later one. */
struct spoiler {
	bool armed, inside;
	uint8_t skip; /* so many pass before */
	uint16_t offset;
	uint8_t value;
	bool changes_first; /* the type of the first inner payload instead */
};

static struct ike_sa *find_sa(struct ike *ike, const struct ike_header *header, bool from_initiator)
{
	uint64_t spi = from_initiator ? header->spi_i : header->spi_r;
	struct ike_sa *sa;

	HASH_FIND(by_spi, ike->by_spi, &spi, sizeof(spi), sa);
	return sa;
}

/* Opens a datagram with its sender's keys, changes it and seals it again. */
static void spoil_inside(struct world *w, struct packet *packet, const struct spoiler *spoiler)
{
	static uint8_t plain[IKE_MESSAGE_MAX], out[IKE_MESSAGE_MAX];
	struct ike_message outer, inner;
	struct ike_sa *sa;
	uint8_t first;
	size_t plain_len, len;

	if (!ike_message_parse(packet->data, packet->len, &outer))
		return;
	sa = find_sa(w->hosts[packet->from].ike, &outer.header,
		outer.header.flags & IKE_FLAG_INITIATOR);
	if (!sa || !sa->keys ||
		ike_sk_open(sa->keys, packet->data, packet->len, &outer, plain, &inner) !=
			IKE_SK_OPENED)
		return;
	plain_len = packet->len - IKE_HEADER_LEN - IKE_GENERIC_LEN - AEAD_IV_LEN - AEAD_TAG_LEN - 1;
	first = spoiler->changes_first ? spoiler->value : outer.sk_first;
	if (!spoiler->changes_first && plain_len)
		plain[spoiler->offset % plain_len] ^= spoiler->value;
	len = ike_sk_seal(sa->keys, &outer.header, ++sa->iv, first, NULL, plain, plain_len, out,
		sizeof(out));
	if (len == packet->len)
		memcpy(packet->data, out, len);
}

/* Host 0 may be behind a translator, which gives it other ports now and then. */
static uint16_t port_shift;

static void translate(struct packet *packet)
{
	struct path *path = &packet->path;

	if (!port_shift)
		return;
	if (packet->from == 0)
		path->local.port = (uint16_t)(path->local.port + port_shift);
	else
		path->remote.port = path->remote.port % 10000 == 500 ? 500 : 4500;
}

static bool translate_only(struct world *w, struct packet *packet)
{
	(void)w;
	translate(packet);
	return true;
}

static bool spoil(struct world *w, struct packet *packet)
{
	struct spoiler *spoiler = w->filter_arg;

	translate(packet);
	if (!spoiler->armed)
		return true;
	if (spoiler->skip) {
		spoiler->skip--;
		return true;
	}
	spoiler->armed = false;
	if (spoiler->inside)
		spoil_inside(w, packet, spoiler);
	else if (packet->len)
		packet->data[spoiler->offset % packet->len] ^= spoiler->value;
	return true;
}

/* --- orders ------------------------------------------------------------------------------- */

static struct ike_sa *any_sa(struct world_host *host, uint8_t which)
{
	struct ike_sa *sa, *next;

	HASH_ITER (by_id, host->ike->by_id, sa, next) {
		if (which-- == 0)
			return sa;
	}
	return host->ike->by_id;
}

/* Any exchange, any payloads, under the keys of an SA of host `from`. */
static void send_forged(struct reader *r, size_t from)
{
	struct ike_sa *sa = any_sa(&world.hosts[from], reader_u8(r) & 3);
	uint8_t exchange = reader_u8(r), flags = reader_u8(r), ahead = reader_u8(r);
	uint8_t first = reader_u8(r);
	size_t room = reader_u8(r), inner_len = room < reader_left(r) ? room : reader_left(r);
	const uint8_t *inner = reader_bytes(r, inner_len);
	uint8_t out[1024];
	struct ike_header header = {.exchange = exchange};
	size_t len;

	if (!sa || !sa->keys)
		return;
	header.spi_i = sa->spi_i;
	header.spi_r = sa->spi_r;
	header.flags = flags & IKE_FLAG_RESPONSE;
	if (sa->role == IKE_INITIATOR)
		header.flags |= IKE_FLAG_INITIATOR;
	header.id = (header.flags & IKE_FLAG_RESPONSE ? sa->expected : sa->next_request) + ahead % 3 - 1;
	len = ike_sk_seal(sa->keys, &header, ++sa->iv, first, NULL, inner, inner_len, out, sizeof(out));
	if (len)
		world_inject(&world, from, out, len, 0);
}

static void send_raw(struct reader *r, size_t from)
{
	size_t room = reader_u16(r), len = room < reader_left(r) ? room : reader_left(r);
	const uint8_t *bytes = reader_bytes(r, len);

	world_inject(&world, from, bytes, len, 0);
}

static void quote(struct reader *r, size_t host)
{
	struct ike_sa *sa = any_sa(&world.hosts[host], 0);
	struct path path = world_path(&world, host);
	uint8_t len = reader_u8(r);

	if (sa && sa->request.message.data)
		ike_unreachable(world.hosts[host].ike, &path, sa->request.message.data,
			len < sa->request.message.len ? len : sa->request.message.len, world.now_us);
}

static void delete_some(struct reader *r, size_t host)
{
	struct ike_sa *sa = any_sa(&world.hosts[host], reader_u8(r) & 3);

	if (sa)
		ike_delete(world.hosts[host].ike, sa->id, world.now_us);
}

static void set_behaviour(struct reader *r, struct world_host *host)
{
	uint8_t bits = reader_u8(r);

	host->refuses_install = bits & 1;
	host->refuses_narrow = bits & 2;
	host->silent = bits & 4;
	host->install_us = bits & 8 ? 300 * WORLD_MS : 0;
	host->job_us = bits & 16 ? 300 * WORLD_MS : 0;
	host->allows = (struct traffic){.proto = bits & 32 ? 6 : 0,
		.local_port = 1024,
		.local_mask = bits & 64 ? 0xfc00 : 0};
}

static void arm(struct reader *r, struct spoiler *spoiler)
{
	uint8_t bits = reader_u8(r);

	spoiler->armed = true;
	spoiler->inside = bits & 1;
	spoiler->changes_first = bits & 2;
	spoiler->skip = bits >> 4;
	spoiler->offset = reader_u16(r);
	spoiler->value = reader_u8(r);
}

/* A CHILD SA or an IKE SA is to be replaced. */
static void rekey_some(struct reader *r, size_t host)
{
	struct world_host *owner = &world.hosts[host];
	uint8_t which = reader_u8(r);
	struct ike_sa *sa = any_sa(owner, which & 3);

	if (which & 0x80 && sa && sa->state == IKE_SA_ESTABLISHED) {
		sa->rekey_us = world.now_us;
		ike_sa_schedule(sa);
		ike_tick(owner->ike, world.now_us);
	} else if (owner->child_count) {
		ike_rekey(owner->ike, owner->children[which % owner->child_count].child.id, world.now_us);
	}
}

/* One piece of a message under the keys of an SA (RFC 7383). */
static void send_piece(struct reader *r, size_t from)
{
	struct ike_sa *sa = any_sa(&world.hosts[from], 0);
	struct ike_place place = {.number = reader_u8(r), .total = reader_u8(r)};
	uint8_t exchange = reader_u8(r), first = reader_u8(r), out[1024];
	size_t room = reader_u8(r), inner_len = room < reader_left(r) ? room : reader_left(r);
	const uint8_t *inner = reader_bytes(r, inner_len);
	struct ike_header header = {.exchange = exchange};
	size_t len;

	if (!sa || !sa->keys)
		return;
	header.spi_i = sa->spi_i;
	header.spi_r = sa->spi_r;
	header.flags = sa->role == IKE_INITIATOR ? IKE_FLAG_INITIATOR : 0;
	header.id = sa->next_request;
	len = ike_sk_seal(sa->keys, &header, ++sa->iv, first, &place, inner, inner_len, out, sizeof(out));
	if (len)
		world_inject(&world, from, out, len, 0);
}

/* What the data plane and the translator may do. */
static void disturb(struct reader *r, size_t host)
{
	struct world_host *owner = &world.hosts[host];
	uint8_t what = reader_u8(r);
	const struct ike_child *child =
		owner->child_count ? &owner->children[what % owner->child_count].child : NULL;

	if (what & 0x80 && port_shift)
		port_shift = (uint16_t)(10000 * (1 + (what & 1)));
	else if (child && what & 0x40)
		ike_close_idle(owner->ike, child->id, world.now_us);
	else if (child && what & 0x20)
		ike_end_child(owner->ike, child->id, world.now_us);
	else if (child)
		ike_remap(owner->ike, child->pair.in.spi, reader_u16(r), world.now_us);
}

/* The hosts' whole traffic, or a flow of its own, which may go on an IKE SA that there is. */
static void initiate(size_t host, size_t flow)
{
	const struct world_flow *known = &world.hosts[host].flows[flow % FLOWS];

	if (world.hosts[0].initiated + world.hosts[1].initiated + wants >= MAX_INITIATIONS)
		return;
	if (flow == 0 || world.hosts[host].conns[0].childless) {
		world_initiate(&world, host);
	} else if (known->wanted == known->ended) { /* N1 */
		wants++;
		world_want(&world, host, 0, flow % FLOWS);
	}
}

static void obey(struct reader *r, struct spoiler *spoiler)
{
	uint8_t order = reader_u8(r);
	size_t host = order >> 7;

	if ((order & 0x78) == 0x78) {
		if (order & 2)
			disturb(r, host);
		else if (order & 1)
			rekey_some(r, host);
		else
			send_piece(r, host);
		return;
	}
	switch (order & 7) {
	case 0:
		world_run_for(&world, reader_u8(r) * 10 * WORLD_MS + 1);
		break;
	case 1:
		initiate(host, order >> 3 & 15);
		break;
	case 2:
		arm(r, spoiler);
		break;
	case 3:
		send_raw(r, host);
		break;
	case 4:
		send_forged(r, host);
		break;
	case 5:
		quote(r, host);
		break;
	case 6:
		delete_some(r, host);
		break;
	case 7:
		set_behaviour(r, &world.hosts[host]);
		break;
	}
}

/* --- what must hold ------------------------------------------------------------------------- */

static void demand(bool good)
{
	if (!good)
		abort();
}

static void settle(void)
{
	for (size_t i = 0; i < 2; i++) {
		world.hosts[i].silent = false;
		world.hosts[i].job_us = world.hosts[i].install_us = 0;
	}
	world.filter = translate_only;
	world_run_for(&world, 15000 * WORLD_MS);
	for (size_t i = 0; i < 2; i++) {
		demand(world.hosts[i].faileds <= world.hosts[i].initiated + wants);
		demand(ike_counters(world.hosts[i].ike).half_open == 0);
		ike_shutdown(world.hosts[i].ike, world.now_us);
		demand(world.hosts[i].child_count == 0);
		for (size_t flow = 0; flow < FLOWS; flow++)
			demand(world.hosts[i].flows[flow].ended == world.hosts[i].flows[flow].wanted);
	}
	world_run_for(&world, 15000 * WORLD_MS);
	for (size_t i = 0; i < 2; i++) {
		demand(ike_counters(world.hosts[i].ike).sas == 0);
		demand(world.hosts[i].timer_us == IKE_NEVER);
		demand(world.hosts[i].ike->by_id == NULL && world.hosts[i].ike->dead == NULL);
		demand(world.hosts[i].ike->users == NULL);
	}
}

/* The ends do one additional key exchange or two, that one of them may leave out or has not. */
static void have_addkes(uint8_t kind)
{
	for (size_t i = 0; i < 2; i++) {
		struct ike_suite *suite = &world.hosts[i].conns[0].ike;

		suite->addke[0][0] = IKE_GROUP_ECP_256;
		suite->addke_count[0] = 1;
		suite->addke[3][0] = kind & 64 ? IKE_GROUP_ECP_384 : IKE_KE_NONE;
		suite->addke[3][1] = kind & 64 ? IKE_KE_NONE : IKE_GROUP_ECP_384;
		suite->addke_count[3] = i && kind & 128 ? 0 : 2;
	}
}

/* The ends have a PPK, or different ones, and insist on it or do not. */
static void have_ppks(uint8_t kind)
{
	for (size_t i = 0; i < 2; i++) {
		world.hosts[i].config.ppks = &world.hosts[i].ppk;
		world.hosts[i].config.ppk_count = 1;
		world.hosts[i].conns[0].ppk = kind & 32 ? IKE_PPK_INSIST : IKE_PPK_PROPOSE;
	}
	if (kind & 64)
		world.hosts[1].ppk.secret.data[0] ^= 1;
	if (kind & 128)
		world.hosts[1].ppk.name_len--;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct reader r = reader_init(data, len);
	struct spoiler spoiler = {0};
	uint8_t kind = reader_u8(&r);

	world_init(&world, 1, kind & 1 ? IKE_AUTH_PSK : IKE_AUTH_NULL);
	world.filter = spoil;
	world.filter_arg = &spoiler;
	world.hosts[0].lines = world.hosts[1].lines = FLOWS;
	wants = 0;
	port_shift = kind & 4 ? 10000 : 0;
	world.hosts[0].conns[0].childless = kind & 8;
	if (kind & 2)
		world.hosts[1].conns[0].mode = world.hosts[0].conns[0].mode = IPSEC_TRANSPORT;
	if (kind & 16)
		have_ppks(kind);
	else if (kind & 32)
		have_addkes(kind);
	if (kind & 58) {
		world_reload(&world, 0);
		world_reload(&world, 1);
	}
	for (unsigned i = 0; i < MAX_ORDERS && reader_left(&r) > 0; i++)
		obey(&r, &spoiler);
	settle();
	world_clear(&world);
	return 0;
}
