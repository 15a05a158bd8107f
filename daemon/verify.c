/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Names that must be in certificates (verify.h). */
#include "daemon/verify.h"

#include "daemon/bonds_file.h"
#include "daemon/tunnels.h"
#include "ike/crypto/cert.h"
#include "lib/loop.h"
#include "lib/mem.h"
#include "lib/strbuf.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define SECOND_US UINT64_C(1000000)
/* Names that come together are written together. */
#define GATHER_US (2 * SECOND_US)

/* Owned by the trigger. */
struct verify {
	const struct policy *policy;
	const struct tunnels *tunnels;
	const struct ike *ike;
	struct bonds *bonds;
	bool *enforced; /* by index of ike_config.conns */
	size_t conn_count;
	bool on; /* some conn verifies */
	struct loop *loop;
	char *state_dir; /* NULL before the first configuration */
	struct loop_timer keep_timer;
	bool changed; /* since it was kept */
};

static void note_tunnel(void *arg, const struct policy_flow *flow)
{
	bool *found = arg;

	*found = *found || flow->state == POLICY_TUNNELLED || flow->parts > 0;
}

static bool is_in_use(void *arg, const struct addr *addr)
{
	const struct verify *verify = arg;
	bool found = false;

	policy_each_flow_of(verify->policy, addr, note_tunnel, &found);
	return found;
}

/* Again before what is written is over: tunnels stand for longer. */
static void keep(struct loop_timer *timer)
{
	struct verify *verify = timer->arg;

	bonds_file_write(verify->bonds, verify->state_dir, loop_now_us(verify->loop), time(NULL));
	verify->changed = false;
	if (verify->on)
		loop_timer_start(verify->loop, timer, BONDS_FILE_S * SECOND_US);
}

static void keep_soon(struct verify *verify)
{
	if (!verify->changed)
		loop_timer_start(verify->loop, &verify->keep_timer, GATHER_US);
	verify->changed = true;
}

struct verify *verify_new(struct loop *loop, const struct policy *policy, const struct tunnels *tunnels,
	const struct ike *ike)
{
	struct verify *verify = mem_new(struct verify);

	*verify = (struct verify){.loop = loop, .policy = policy, .tunnels = tunnels, .ike = ike};
	verify->keep_timer = (struct loop_timer){.fired = keep, .arg = verify};
	verify->bonds = bonds_new(is_in_use, verify);
	return verify;
}

void verify_free(struct verify *verify)
{
	if (!verify)
		return;
	if (verify->on)
		keep(&verify->keep_timer);
	loop_timer_stop(verify->loop, &verify->keep_timer);
	bonds_free(verify->bonds);
	free(verify->enforced);
	free(verify->state_dir);
	free(verify);
}

static bool is_enforced(const struct policy_conn *conn)
{
	return conn->verify_name && !conn->failure_pass;
}

static void set_state_dir(struct verify *verify, const char *state_dir)
{
	bool first = !verify->state_dir;

	free(verify->state_dir);
	verify->state_dir = mem_strdup(state_dir);
	if (first && verify->on)
		bonds_file_read(verify->bonds, state_dir, loop_now_us(verify->loop), time(NULL));
}

void verify_configure(struct verify *verify, const struct policy_config *config, const char *state_dir)
{
	free(verify->enforced);
	/* Not every conn has one for the engine. */
	verify->conn_count = config->conn_count;
	verify->enforced = mem_zalloc(config->conn_count * sizeof(*verify->enforced));
	verify->on = false;
	for (size_t i = 0; i < config->conn_count; i++) {
		const struct policy_conn *conn = &config->conns[i];

		verify->on = verify->on || conn->verify_name;
		if (conn->ike_conn < verify->conn_count)
			verify->enforced[conn->ike_conn] = is_enforced(conn);
	}
	set_state_dir(verify, state_dir);
}

/* --- tunnels ------------------------------------------------------------------------------------ */

bool verify_ask(struct verify *verify, const struct addr *addr, uint64_t now_us)
{
	return verify->on && bonds_ask(verify->bonds, addr, now_us);
}

bool verify_admit(struct verify *verify, const struct ike_claim *claim, uint64_t now_us, char *why, size_t room)
{
	if (claim->conn >= verify->conn_count || !verify->enforced[claim->conn])
		return true;
	return bonds_admit(verify->bonds, &claim->path.remote.addr, claim->role == IKE_INITIATOR, claim->hosts,
		now_us, why, room);
}

void verify_tunnel_ended(struct verify *verify, const struct addr *addr, uint64_t now_us)
{
	bonds_renew(verify->bonds, addr, now_us);
}

void verify_forget(struct verify *verify, const struct addr *addr)
{
	bonds_forget(verify->bonds, addr);
}

/* --- answers ------------------------------------------------------------------------------------ */

/* What the tunnels with an address show for a name. */
struct look {
	const struct verify *verify;
	const char *name;
	bool applies, enforced;
	const struct cert_hosts *wrong; /* of the first that is not for the name */
	bool is_wrong;
};

/* Every tunnel: which of them carries the next packet is the kernel's matter. */
static void look_at_flow(void *arg, const struct policy_flow *flow)
{
	struct look *look = arg;
	const struct policy_conn *conn = policy_conn_get(look->verify->policy, flow->conn);
	const struct tunnel *tunnel = tunnels_of_flow(look->verify->tunnels, flow->id);

	if (!conn->verify_name)
		return;
	for (; tunnel; tunnel = tunnel->next) {
		const struct cert_hosts *hosts = ike_sa_hosts(look->verify->ike, tunnel->child.sa);

		look->applies = true;
		look->enforced = look->enforced || is_enforced(conn);
		if (look->is_wrong || cert_hosts_have_name(hosts, look->name))
			continue;
		look->is_wrong = true;
		look->wrong = hosts;
	}
}

static void withhold(struct resolver_decision *decision, const char *cause)
{
	decision->verdict = RESOLVER_WITHHELD;
	decision->max_ttl_s = UINT32_MAX;
	snprintf(decision->cause, sizeof(decision->cause), "%s", cause);
}

static void take_wrong(struct verify *verify, const struct look *look, const struct addr *addr,
	bool only_look, uint64_t now_us, struct resolver_decision *decision)
{
	char *hosts = cert_hosts_format(look->wrong);
	char cause[sizeof(decision->cause)];

	snprintf(cause, sizeof(cause), "%sthe peer's certificate is for %.48s",
		look->enforced ? "" : "not verified: ", hosts);
	free(hosts);
	if (!look->enforced) {
		snprintf(decision->cause, sizeof(decision->cause), "%s", cause);
		return;
	}
	withhold(decision, cause);
	if (!only_look)
		bonds_note_withheld(verify->bonds, addr, look->name, cause, now_us);
}

void verify_answer(struct verify *verify, const char *qname, const struct addr *addr, bool only_look,
	uint64_t now_us, struct resolver_decision *decision)
{
	struct look look = {.verify = verify, .name = qname};

	if (!verify->on || decision->verdict != RESOLVER_TUNNELLED)
		return;
	policy_each_flow_of(verify->policy, addr, look_at_flow, &look);
	if (look.is_wrong) {
		take_wrong(verify, &look, addr, only_look, now_us, decision);
		return;
	}
	if (!look.enforced || only_look)
		return;
	/* No cache keeps it for longer than the tie lasts. */
	if (decision->max_ttl_s > BONDS_S)
		decision->max_ttl_s = BONDS_S;
	if (bonds_tie(verify->bonds, addr, qname, now_us))
		keep_soon(verify);
	else
		withhold(decision, "it is in use under too many names");
}

/* --- reports ------------------------------------------------------------------------------------ */

static void add_name(void *arg, const struct addr *addr, const char *name)
{
	struct strbuf *text = arg;

	(void)addr;
	strbuf_printf(text, "%s%s", text->len ? ", " : "", name);
}

void verify_describe(struct verify *verify, const struct policy_flow *flow, uint64_t now_us,
	struct verify_texts *out)
{
	const struct tunnel *tunnel = tunnels_of_flow(verify->tunnels, flow->id);
	const struct cert_hosts *hosts = tunnel ? ike_sa_hosts(verify->ike, tunnel->child.sa) : NULL;
	const char *withheld = bonds_withheld(verify->bonds, &flow->remote);
	struct strbuf verified = {0};

	*out = (struct verify_texts){.hosts = hosts ? cert_hosts_format(hosts) : NULL,
		.withheld = withheld ? mem_strdup(withheld) : NULL};
	bonds_each_of(verify->bonds, &flow->remote, now_us, add_name, &verified);
	if (verified.len)
		out->verified = strbuf_take(&verified);
}

void verify_texts_clear(struct verify_texts *texts)
{
	free(texts->hosts);
	free(texts->verified);
	free(texts->withheld);
	*texts = (struct verify_texts){0};
}
