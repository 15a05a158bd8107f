/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The life of an SA after its negotiation: refused installs, late workers,
 * deletion from either side or both, liveness, restarts, reconfiguration.
 */
#include "t/sim/world.h"
#include "t/tap.h"

#include "ike/message.h"
#include "ike/sa.h"

static struct world world;

#define A (&world.hosts[0])
#define B (&world.hosts[1])

/* Both up by an initiation of host 0; gives its SA. */
static uint64_t establish(uint64_t seed, enum ike_auth auth)
{
	uint64_t sa;

	world_init(&world, seed, auth);
	sa = world_initiate(&world, 0);
	world_run_for(&world, 100 * WORLD_MS);
	return sa;
}

static bool all_gone(void)
{
	return A->child_count == 0 && B->child_count == 0 && ike_counters(A->ike).sas == 0 &&
	       ike_counters(B->ike).sas == 0 && ike_counters(B->ike).half_open == 0 &&
	       A->timer_us == IKE_NEVER && B->timer_us == IKE_NEVER;
}

/* --- the data plane and the workers ---------------------------------------------------------- */

static void test_install_refused(void)
{
	world_init(&world, 1, IKE_AUTH_NULL);
	A->refuses_install = true;
	world_initiate(&world, 0);
	world_run_for(&world, 1000 * WORLD_MS);
	ok(A->faileds == 1 && A->failed_reason == IKE_REASON_INSTALL && A->ups == 0,
		"the initiator's data plane refuses");
	ok(all_gone() && B->downs == 1, "the responder is told");
	world_clear(&world);

	world_init(&world, 2, IKE_AUTH_NULL);
	B->refuses_install = true;
	world_initiate(&world, 0);
	world_run_for(&world, 1000 * WORLD_MS);
	ok(A->faileds == 1 && A->failed_reason == IKE_REASON_PEER_ERROR && B->ups == 0,
		"the responder's data plane refuses");
	ok(all_gone() && B->downs == 0, "nothing stays");
	world_clear(&world);
}

static void test_order(void)
{
	world_init(&world, 3, IKE_AUTH_NULL);
	A->install_us = 40 * WORLD_MS;
	B->install_us = 60 * WORLD_MS;
	world_initiate(&world, 0);
	world_run_for(&world, 50 * WORLD_MS);
	is_int((intmax_t)world_sent(&world, 1, IKE_EXCHANGE_IKE_AUTH, true), 0,
		"no IKE_AUTH response before the data plane's word (K1)");
	world_run_for(&world, 30 * WORLD_MS);
	ok(B->ups == 1 && A->ups == 0, "no UP before the data plane's word (K1)");
	world_run_for(&world, 100 * WORLD_MS);
	is_int(A->ups, 1, "then UP");
	world_clear(&world);
}

static void test_late_job(void)
{
	world_init(&world, 4, IKE_AUTH_PSK);
	A->job_us = B->job_us = 350 * WORLD_MS;
	world_initiate(&world, 0);
	world_run_for(&world, 3500 * WORLD_MS);
	ok(A->ups == 1 && world_agrees(&world), "slow workers: it comes up");
	is_int(A->jobs + B->jobs, 7, "and no job is given twice");
	world_clear(&world);

	world_init(&world, 5, IKE_AUTH_PSK);
	A->job_us = 6000 * WORLD_MS;
	B->silent = false;
	world_initiate(&world, 0);
	world_run_for(&world, 100 * WORLD_MS);
	ike_shutdown(A->ike, world.now_us);
	is_int(A->faileds, 1, "stopped while a job is under way: failed");
	world_run_for(&world, 20000 * WORLD_MS);
	ok(all_gone(), "the job's end finds nobody");
	world_clear(&world);
}

/* --- deletion --------------------------------------------------------------------------------------- */

static void test_delete(void)
{
	uint64_t sa = establish(10, IKE_AUTH_NULL);

	ike_delete(A->ike, sa, world.now_us);
	ok(A->downs == 1 && A->down_reason == IKE_REASON_DELETED && A->child_count == 0,
		"deleted here at once");
	world_run_for(&world, 10 * WORLD_MS);
	ok(B->downs == 1 && B->down_reason == IKE_REASON_PEER_DELETED, "and by the peer");
	ok(all_gone() && A->faileds == 0, "nothing stays");
	is_int((intmax_t)world_sent(&world, 0, IKE_EXCHANGE_INFORMATIONAL, false), 1, "one request");
	world_clear(&world);
}

static void test_delete_from_responder(void)
{
	establish(11, IKE_AUTH_NULL);
	ike_delete(B->ike, B->children[0].child.sa, world.now_us);
	world_run_for(&world, 10 * WORLD_MS);
	ok(all_gone() && A->downs == 1 && A->down_reason == IKE_REASON_PEER_DELETED,
		"deleted by the responder");
	world_clear(&world);
}

static void test_delete_both(void)
{
	uint64_t sa = establish(12, IKE_AUTH_PSK);

	ike_delete(A->ike, sa, world.now_us);
	ike_delete(B->ike, B->children[0].child.sa, world.now_us);
	world_run_for(&world, 10 * WORLD_MS);
	ok(A->downs == 1 && B->downs == 1 && all_gone(), "both delete at the same instant");
	world_clear(&world);
}

static void test_delete_lossy(void)
{
	uint64_t sa = establish(13, IKE_AUTH_NULL);

	B->silent = true;
	ike_delete(A->ike, sa, world.now_us);
	world_run_for(&world, 20000 * WORLD_MS);
	ok(ike_counters(A->ike).sas == 0 && A->timer_us == IKE_NEVER && A->downs == 1,
		"a DELETE that nobody answers ends too");
	world_clear(&world);
}

/* Deleted while a probe is under way: a window of one, and still the peer is told. */
static void test_delete_behind_probe(void)
{
	uint64_t sa = establish(14, IKE_AUTH_NULL);

	B->silent = true;
	world_run_for(&world, 30100 * WORLD_MS);
	is_int((intmax_t)world_sent(&world, 0, IKE_EXCHANGE_INFORMATIONAL, false), 1, "a probe is out");
	ike_delete(A->ike, sa, world.now_us);
	ok(A->downs == 1, "deleted here at once");
	B->silent = false;
	world_run_for(&world, 1000 * WORLD_MS);
	ok(B->downs == 1 && B->down_reason == IKE_REASON_PEER_DELETED && all_gone(),
		"and by the peer, after the probe's answer");
	world_clear(&world);
}

static void test_shutdown(void)
{
	establish(15, IKE_AUTH_NULL);
	ike_shutdown(A->ike, world.now_us);
	ok(A->downs == 1 && A->down_reason == IKE_REASON_DELETED, "stopping");
	is_int((intmax_t)world_sent(&world, 0, IKE_EXCHANGE_INFORMATIONAL, false), 1,
		"says one DELETE");
	world_run_for(&world, 10 * WORLD_MS);
	ok(B->downs == 1, "which the peer obeys");
	world_clear(&world);
}

static bool lose_create(struct world *w, struct packet *packet)
{
	(void)w;
	return packet->exchange != IKE_EXCHANGE_CREATE_CHILD_SA;
}

/* Its DELETE is one ahead of what the peer has answered. */
static void test_shutdown_in_rekey(bool lost, const char *name)
{
	establish(17, IKE_AUTH_NULL);
	B->install_us = 80 * WORLD_MS;
	world.filter = lost ? lose_create : NULL;
	ike_rekey(A->ike, A->children[0].child.id, world.now_us);
	world_run_for(&world, 10 * WORLD_MS);
	ok(A->ike->by_id->ours && (lost || B->ike->by_id->theirs), "in the middle of a rekey, %s", name);
	ike_shutdown(A->ike, world.now_us);
	world_run_for(&world, 10 * WORLD_MS);
	ok(ike_counters(B->ike).sas == 0 && B->downs >= 1 && B->down_reason == IKE_REASON_PEER_DELETED,
		"the peer obeys at once");
	world_run_for(&world, 1000 * WORLD_MS);
	ok(all_gone(), "and nothing comes back");
	world_clear(&world);
}

static void test_reconfigure(void)
{
	static char other[] = "other", name[] = "private";
	struct ike_conn conns[2];
	struct ike_config config;

	establish(16, IKE_AUTH_NULL);
	conns[1] = A->conns[0];
	conns[0] = A->conns[0];
	conns[0].name = other;
	conns[1].name = name;
	config = (struct ike_config){.conns = conns, .conn_count = 2};
	ike_reconfigure(A->ike, &config, world.now_us);
	world_run_for(&world, 10 * WORLD_MS);
	ok(A->downs == 0 && world_up_count(&world, 0) == 1, "a connection that moved keeps its SAs");
	config.conn_count = 1;
	ike_reconfigure(A->ike, &config, world.now_us);
	world_run_for(&world, 10 * WORLD_MS);
	ok(A->downs == 1 && A->down_reason == IKE_REASON_DELETED, "one that is gone loses them");
	is_int(B->downs, 1, "and the peer is told");
	world_clear(&world);

	world_init(&world, 17, IKE_AUTH_NULL);
	world_initiate(&world, 0);
	config.conn_count = 0;
	ike_reconfigure(A->ike, &config, world.now_us);
	world_run_for(&world, 20000 * WORLD_MS);
	ok(A->faileds == 1 && all_gone(), "a negotiation whose connection is gone fails");
	world_clear(&world);
}

/* What a host's configuration is from now on; true when its tunnel went, and the peer was told. */
static bool loses_tunnel(void)
{
	unsigned downs_here = A->downs, downs_there = B->downs;

	ike_reconfigure(A->ike, &A->config, world.now_us);
	world_run_for(&world, 10 * WORLD_MS);
	return A->downs == downs_here + 1 && A->down_reason == IKE_REASON_DELETED &&
	       B->downs == downs_there + 1 && all_gone();
}

static bool keeps_tunnel(void)
{
	unsigned downs = A->downs;
	size_t sent = world.wire_count;

	ike_reconfigure(A->ike, &A->config, world.now_us);
	world_run_for(&world, 10 * WORLD_MS);
	return A->downs == downs && world.wire_count == sent && world_up_count(&world, 0) == 1 &&
	       world_agrees(&world);
}

/* C4: who would get no SA by the new configuration does not keep that of the old one. */
static void test_reconfigure_auth(void)
{
	struct ike_conn *conn = &A->conns[0];

	establish(18, IKE_AUTH_NULL);
	conn->dpd_delay_ms = 20000;
	conn->ike_lifetime_s = 1800;
	ok(keeps_tunnel(), "reload: other times are no reason");
	conn->local_auth = conn->remote_auth = IKE_AUTH_PSK;
	ok(loses_tunnel(), "reload: who proved to be nobody goes where a PSK is demanded");
	world_clear(&world);

	establish(19, IKE_AUTH_PSK);
	ok(keeps_tunnel(), "reload: a PSK that is the same keeps its tunnel");
	conn->local_auth = IKE_AUTH_NULL;
	ok(loses_tunnel(), "reload: our own side of it counts as well");
	world_clear(&world);

	establish(24, IKE_AUTH_NULL);
	conn->remote_id.kind = IKE_ID_KIND_EXACT;
	conn->remote_id.id = (struct ike_id){.type = 2, .len = 4, .data = "else"};
	ok(loses_tunnel(), "reload: another identity is demanded");
	world_clear(&world);

	establish(25, IKE_AUTH_NULL);
	conn->esp = (struct ike_suite){.encr = {{28, 0}}, .encr_count = 1};
	ok(loses_tunnel(), "reload: other algorithms are demanded");
	world_clear(&world);
}

static void test_reconfigure_secrets(void)
{
	struct ike_id other = {.type = 2, .len = 5, .data = "other"};
	struct ike_psk psks[2] = {0};

	establish(26, IKE_AUTH_PSK);
	psks[0].ids = &other;
	psks[0].id_count = 1;
	secret_set(&psks[0].secret, "of others", 9);
	psks[1] = A->psk;
	A->config.psks = psks;
	A->config.psk_count = 2;
	ok(keeps_tunnel(), "reload: the PSK of others has come");
	A->config.psk_count = 1;
	ok(loses_tunnel(), "reload: a PSK has gone, and its tunnel with it");
	world_clear(&world);

	establish(27, IKE_AUTH_PSK);
	secret_set(&A->psk.secret, "close sesame", 12);
	ok(loses_tunnel(), "reload: or it is another one");
	world_clear(&world);
}

/* Both ends are reloaded while a negotiation is under way: it is had once more, by the new rule. */
static void test_reconfigure_negotiation(void)
{
	world_init(&world, 28, IKE_AUTH_NULL);
	world_initiate(&world, 0);
	world_run_for(&world, 1 * WORLD_MS);
	for (size_t i = 0; i < 2; i++) {
		struct world_host *host = &world.hosts[i];

		host->conns[0].local_auth = host->conns[0].remote_auth = IKE_AUTH_PSK;
		ike_reconfigure(host->ike, &host->config, world.now_us);
	}
	world_run_for(&world, 12000 * WORLD_MS);
	ok(A->ups == 1 && A->faileds == 0 && B->ups == 1 && A->child_count == 1 &&
			world_agrees(&world),
		"reload: a negotiation under way begins again");
	is_int(A->children[0].child.remote_auth, IKE_AUTH_PSK, "reload: by the new rule");
	world_clear(&world);
}

/* --- liveness --------------------------------------------------------------------------------------------- */

/* dpddelay + retransmit-timeout of a host. */
#define FOUND_US (34000 * WORLD_MS)

static bool still_together(void)
{
	return A->downs == 0 && B->downs == 0 && world_up_count(&world, 0) == 1 && world_agrees(&world);
}

/* N7: only who sends and hears nothing asks. */
static void test_no_probes(void)
{
	establish(20, IKE_AUTH_NULL);
	world_run_for(&world, 300000 * WORLD_MS);
	ok(still_together() && world.wire_count == 4, "two that talk are not asked whether they live");
	A->quiet = B->quiet = true;
	world_run_for(&world, 300000 * WORLD_MS);
	ok(still_together() && world.wire_count == 4, "nor are two that keep quiet");
	B->quiet = false;
	world_run_for(&world, 300000 * WORLD_MS);
	ok(still_together() && world_sent(&world, 0, IKE_EXCHANGE_INFORMATIONAL, false) == 0,
		"nor is who sends by whom that only listens");
	is_int((int)world_sent(&world, 1, IKE_EXCHANGE_INFORMATIONAL, false), 10,
		"but who hears nothing asks, each dpddelay");
	world_clear(&world);
}

static void test_dead_peer(void)
{
	uint64_t since_us;

	establish(20, IKE_AUTH_NULL);
	world_run_for(&world, 310000 * WORLD_MS);
	B->silent = true;
	since_us = world.now_us;
	world_run_for(&world, 60000 * WORLD_MS);
	ok(A->downs == 1 && A->down_reason == IKE_REASON_DEAD_PEER && A->down_us - since_us <= FOUND_US,
		"a vanished peer is found within dpddelay + retransmit-timeout (N7)");
	ok(ike_counters(A->ike).sas == 0 && A->timer_us == IKE_NEVER, "nothing stays");
	world_clear(&world);

	establish(20, IKE_AUTH_NULL);
	A->quiet = B->quiet = true;
	B->silent = true;
	world_run_for(&world, 310000 * WORLD_MS);
	is_int(A->downs, 0, "one that nobody talks to is not");
	A->quiet = false;
	since_us = world.now_us;
	world_run_for(&world, 60000 * WORLD_MS);
	ok(A->downs == 1 && A->down_us - since_us <= FOUND_US, "but as soon as somebody does");
	world_clear(&world);
}

static bool drop_all(struct world *w, struct packet *packet)
{
	(void)w;
	(void)packet;
	return false;
}

/* K6: what the kernels carry stays, whatever IKE does. */
static void test_dead_daemon(void)
{
	establish(20, IKE_AUTH_NULL);
	B->no_daemon = true;
	world_run_for(&world, 300000 * WORLD_MS);
	ok(still_together() && world.wire_count == 4, "a dead daemon is not noticed while its kernel carries on");
	A->conns[0].child_lifetime_s = 20;
	ike_reconfigure(A->ike, &A->config, world.now_us);
	ike_rekey(A->ike, A->children[0].child.id, world.now_us);
	world_run_for(&world, 300000 * WORLD_MS);
	ok(still_together() && world.wire_count > 50 && world.wire_count < 120,
		"nor is it by who would like to rekey, and asks now and then (%zu datagrams)",
		world.wire_count);
	B->no_daemon = false;
	world_run_for(&world, 10000 * WORLD_MS);
	ok(A->ups >= 2 && world_agrees(&world), "until the daemon is back");
	world_clear(&world);

	establish(20, IKE_AUTH_NULL);
	world.filter = drop_all;
	A->quiet = true;
	world_run_for(&world, 120000 * WORLD_MS);
	ok(A->downs == 0 && B->downs == 1, "without IKE who hears stays, and who only sends has no sign");
	world_clear(&world);
}

static void test_no_liveness(void)
{
	world_init(&world, 21, IKE_AUTH_NULL);
	A->conns[0].dpd_delay_ms = B->conns[0].dpd_delay_ms = 0;
	world_reload(&world, 0);
	world_reload(&world, 1);
	world_initiate(&world, 0);
	world_run_for(&world, 300000 * WORLD_MS);
	is_int((intmax_t)world.wire_count, 4, "dpddelay=0: no probe");
	world_clear(&world);
}

/* The peer lost its state and comes again: the new SA stands, the old one is probed and goes (N7). */
static void test_restart(enum ike_auth auth)
{
	establish(22, auth);
	world_run_for(&world, 12000 * WORLD_MS);
	world_restart(&world, 1);
	world_initiate(&world, 1);
	world_run_for(&world, 50 * WORLD_MS);
	ok(A->ups == 2 && B->ups == 2, "a restarted peer comes again");
	world_run_for(&world, 6000 * WORLD_MS);
	ok(world_agrees(&world) && A->child_count == 1, "the SA that it forgot is gone");
	ok(A->downs == 1, "once");
	world_clear(&world);
}

/* Unprotected INVALID_IKE_SPI that host 1 has sent. */
static size_t unknown_told(void)
{
	size_t count = 0;

	for (size_t i = 0; i < world.wire_count; i++) {
		const struct wire_entry *entry = &world.wire[i];

		count += entry->from == 1 && entry->answer && entry->len == IKE_HEADER_LEN + 8;
	}
	return count;
}

/* Who lost its state is addressed by its peer and says so (2.21.4); the peer's own question decides. */
static void test_unknown_spi(void)
{
	uint64_t sa = establish(23, IKE_AUTH_NULL);

	world_restart(&world, 1);
	world_run_for(&world, 36000 * WORLD_MS);
	ok(A->downs == 1 && A->down_reason == IKE_REASON_DEAD_PEER && ike_counters(B->ike).unknown_spi > 0,
		"unknown SPIs end a dead SA");
	is_int((int)unknown_told(), (int)ike_counters(B->ike).unknown_spi, "and each time the sender is told");
	world_clear(&world);

	sa = establish(24, IKE_AUTH_NULL);
	world_restart(&world, 1);
	B->ignores_strangers = true;
	ike_delete(A->ike, sa, world.now_us);
	world_run_for(&world, 5000 * WORLD_MS);
	ok(ike_counters(B->ike).unknown_spi > 0 && unknown_told() == 0, "whom no line covers is not");
	world_clear(&world);
}

static void build_header(uint8_t out[64], size_t *len, struct ike_header header, bool doubt)
{
	struct ike_builder b = ike_build_message(out, 64, &header);

	if (doubt)
		ike_notify_build(&b, IKE_NOTIFY_INVALID_IKE_SPI, NULL, 0);
	else /* as long as the answer */
		ike_build_payload(&b, IKE_PAYLOAD_SK, "xxxxxxxxxxxxxxxxxxxx", 20);
	*len = ike_build_finish(&b);
}

/* A flood of requests with invented SPIs is answered at a rate, and responses never. */
static void test_unknown_spi_flood(void)
{
	struct ike_header header = {.spi_i = 1, .spi_r = 2, .exchange = IKE_EXCHANGE_INFORMATIONAL};
	uint8_t data[64];
	size_t len;

	establish(31, IKE_AUTH_NULL);
	for (unsigned i = 0; i < 1000; i++) {
		header.id = i;
		header.flags = IKE_FLAG_RESPONSE | (i & 1 ? IKE_FLAG_INITIATOR : 0);
		build_header(data, &len, header, i & 2);
		world_inject(&world, 0, data, len, 0);
	}
	world_run_for(&world, 10 * WORLD_MS);
	is_int((int)unknown_told(), 0, "a response is never answered");
	header.flags = IKE_FLAG_INITIATOR;
	for (unsigned i = 0; i < 1000; i++) {
		header.spi_r = i + 3;
		build_header(data, &len, header, false);
		world_inject(&world, 0, data, len, 0);
	}
	world_run_for(&world, 10 * WORLD_MS);
	is_int((int)unknown_told(), 100, "1,000 requests in a moment are answered 100 times");
	world_clear(&world);
}

/* INVALID_IKE_SPI from anyone who has seen the SPIs: a question, and nothing else (N7). */
static void test_forged_doubt(void)
{
	struct ike_header header = {.exchange = IKE_EXCHANGE_INFORMATIONAL, .flags = IKE_FLAG_RESPONSE};
	struct ike_sa *sa;
	uint64_t id = establish(32, IKE_AUTH_NULL);
	uint8_t data[64];
	size_t len;

	HASH_FIND(by_id, A->ike->by_id, &id, sizeof(id), sa);
	header.spi_i = sa->spi_i;
	header.spi_r = sa->spi_r;
	world_run_for(&world, 5000 * WORLD_MS);
	for (unsigned i = 0; i < 1000; i++) {
		header.id = i;
		build_header(data, &len, header, true);
		world_inject(&world, 1, data, len, i * 3 * WORLD_MS);
	}
	world_run_for(&world, 10000 * WORLD_MS);
	ok(A->downs == 0 && world_agrees(&world), "a thousand forgeries in three seconds end nothing");
	is_int((int)world_sent(&world, 0, IKE_EXCHANGE_INFORMATIONAL, false), 4, "the peer is asked once in a second");
	world_clear(&world);
}

/* 1.5: who does not know our SPI says so to whoever sends on it. */
static void test_notice(void)
{
	uint64_t id = establish(33, IKE_AUTH_NULL);
	uint32_t spi = A->children[0].child.pair.out.spi;
	uint8_t data[64];
	size_t len = ike_notice_build(data, sizeof(data), spi), wrong_len, asked;

	is_int((int)ike_notice_build(data, len - 1, spi), 0, "a notice needs its room");
	world_run_for(&world, 5000 * WORLD_MS);
	asked = world_sent(&world, 0, IKE_EXCHANGE_INFORMATIONAL, false);
	for (unsigned i = 0; i < 100; i++) {
		wrong_len = ike_notice_build(data, sizeof(data), spi + 1 + i);
		world_inject(&world, 1, data, wrong_len, 0);
	}
	world_run_for(&world, 100 * WORLD_MS);
	ok(world_sent(&world, 0, IKE_EXCHANGE_INFORMATIONAL, false) == asked && unknown_told() == 0,
		"of an SPI that we do not send on it asks nothing, and it is not answered");
	len = ike_notice_build(data, sizeof(data), spi);
	for (unsigned i = 0; i < 1000; i++)
		world_inject(&world, 1, data, len, i * WORLD_MS);
	world_run_for(&world, 5000 * WORLD_MS);
	is_int((int)(world_sent(&world, 0, IKE_EXCHANGE_INFORMATIONAL, false) - asked), 2,
		"a thousand forgeries in a second make it ask at once, and a second later");
	ok(A->downs == 0 && world_agrees(&world), "and end nothing");
	asked = world_sent(&world, 0, IKE_EXCHANGE_INFORMATIONAL, false);
	B->silent = true;
	world_inject(&world, 1, data, len, 0);
	world_run_for(&world, 6000 * WORLD_MS);
	ok(id && A->downs == 1 && A->down_reason == IKE_REASON_DEAD_PEER, "one who does not answer is dead");
	world_clear(&world);
}

/* Its kernel was emptied in the very second in which it was heard; nothing but the notice says so. */
static void test_early_notice(void)
{
	uint64_t id = establish(34, IKE_AUTH_NULL);
	uint8_t data[64];
	size_t len = ike_notice_build(data, sizeof(data), A->children[0].child.pair.out.spi);

	B->silent = true;
	world_inject(&world, 1, data, len, 0);
	world_run_for(&world, 1000 * WORLD_MS + A->conns[0].retransmit_timeout_ms * WORLD_MS);
	ok(id && A->downs == 1 && A->down_reason == IKE_REASON_DEAD_PEER, "who was just heard is asked a second later");
	world_clear(&world);
}

static void test_junk(void)
{
	struct path path;
	struct ike_counters before;

	establish(30, IKE_AUTH_NULL);
	before = ike_counters(B->ike);
	path = world_path(&world, 1);
	for (size_t len = 0; len < 40; len++) {
		uint8_t junk[40] = {0};

		ike_datagram(B->ike, &path, junk, len, world.now_us);
	}
	ok(ike_counters(B->ike).datagrams == before.datagrams + 40 &&
			ike_counters(B->ike).malformed > before.malformed,
		"junk is counted and dropped");
	world_clear(&world);
}

/* K8 */
static void test_idle(void)
{
	establish(50, IKE_AUTH_NULL);
	ike_close_idle(A->ike, A->children[0].child.id, world.now_us);
	world_run_for(&world, 1000 * WORLD_MS);
	ok(A->downs == 1 && A->down_reason == IKE_REASON_IDLE && B->downs == 1 &&
			B->down_reason == IKE_REASON_PEER_DELETED && ike_counters(A->ike).sas == 0 &&
			ike_counters(B->ike).sas == 0,
		"what nobody uses is closed on both ends");
	ike_close_idle(A->ike, 4711, world.now_us);
	world_clear(&world);
}

/* RFC 6023: an IKE SA alone. */
static void test_childless(enum ike_auth auth, const char *name)
{
	world_init(&world, 40, auth);
	A->conns[0].childless = true;
	world_reload(&world, 0);
	world_initiate(&world, 0);
	world_run_for(&world, 1000 * WORLD_MS);
	ok(A->childless_ups == 1 && A->faileds == 0 && A->child_count == 0 && B->child_count == 0 &&
			ike_counters(A->ike).sas == 1 && ike_counters(B->ike).sas == 1,
		"%s: an IKE SA without a CHILD SA", name);
	world_run_for(&world, UINT64_C(120000) * WORLD_MS);
	is_int((int)ike_counters(B->ike).sas, auth == IKE_AUTH_NULL ? 0 : 1,
		auth == IKE_AUTH_NULL ? "of nobody it soon goes" : "of somebody it stays");
	world_clear(&world);
}

static bool without_childless(struct world *w, struct packet *packet)
{
	static const uint8_t supported[] = {0, 0, 16418 >> 8, 16418 & 255};

	(void)w;
	for (size_t i = 0; i + sizeof(supported) <= packet->len; i++) {
		if (memcmp(packet->data + i, supported, sizeof(supported)) == 0)
			packet->data[i + 3]++;
	}
	return true;
}

static void test_childless_unsupported(void)
{
	world_init(&world, 41, IKE_AUTH_PSK);
	A->conns[0].childless = true;
	world_reload(&world, 0);
	world.filter = without_childless;
	world_initiate(&world, 0);
	world_run_for(&world, 1000 * WORLD_MS);
	ok(A->faileds == 1 && A->failed_reason == IKE_REASON_UNAVAILABLE &&
			world_sent(&world, 0, IKE_EXCHANGE_IKE_AUTH, false) == 0,
		"a peer that does not know it is not asked");
	world_clear(&world);
}

int main(void)
{
	test_install_refused();
	test_order();
	test_late_job();
	test_delete();
	test_delete_from_responder();
	test_delete_both();
	test_delete_lossy();
	test_delete_behind_probe();
	test_shutdown();
	test_shutdown_in_rekey(false, "which the peer installs");
	test_shutdown_in_rekey(true, "whose request was lost");
	test_reconfigure();
	test_reconfigure_auth();
	test_reconfigure_secrets();
	test_reconfigure_negotiation();
	test_no_probes();
	test_dead_peer();
	test_dead_daemon();
	test_no_liveness();
	test_restart(IKE_AUTH_NULL);
	test_restart(IKE_AUTH_PSK);
	test_unknown_spi();
	test_unknown_spi_flood();
	test_forged_doubt();
	test_notice();
	test_early_notice();
	test_junk();
	test_childless(IKE_AUTH_NULL, "NULL");
	test_childless(IKE_AUTH_PSK, "PSK");
	test_childless_unsupported();
	test_idle();
	return tap_done();
}
