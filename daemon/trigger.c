/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Where the wings meet (trigger.h). The order of a tunnel's life here:
 *
 *   want (lookup, acquire) -> policy -> hold -> dp_hold, initiate -> ike_initiate
 *   ike: install -> dp_establish -> ike_installed -> UP -> policy_child_up -> waiters
 *   ike: remove -> dp_remove_pair, CHILD_DOWN -> policy_child_down -> idle -> dp_idle
 *
 * A tunnel that was granted for less than its flow is a part of it: policy is
 * told by another word, and the data plane keeps it beside the whole.
 *
 * Flow ids of policy are the `user` words of the engine. What is asked of it from
 * above (reload, flush, other addresses) is in commands.c.
 */
#include "daemon/trigger.h"

#include "daemon/grant.h"
#include "daemon/idle.h"
#include "daemon/jobs.h"
#include "daemon/joins.h"
#include "daemon/keylog.h"
#include "daemon/random.h"
#include "daemon/refusals.h"
#include "daemon/starts.h"
#include "daemon/tell.h"
#include "daemon/trace.h"
#include "daemon/trigger_state.h"
#include "daemon/udp.h"
#include "daemon/verify.h"
#include "lib/log.h"
#include "lib/loop.h"
#include "lib/mem.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define IKE_PORT 500

/* --- policy's wishes ------------------------------------------------------------ */

static void take_hold(void *arg, const struct policy_flow *flow)
{
	struct trigger *trigger = arg;
	struct dp_flow dp_flow = to_dp_flow(flow);

	dp_hold(trigger->parts.dp, &dp_flow, trigger_warn_if_failed, "cannot hold a flow");
}

static void take_initiate(void *arg, const struct policy_flow *flow)
{
	struct trigger *trigger = arg;
	const struct policy_conn *conn = policy_conn_get(trigger->policy, flow->conn);
	struct path path = {.local = {.addr = flow->local, .port = IKE_PORT},
		.remote = {.addr = flow->remote, .port = IKE_PORT}};
	char line[64];

	snprintf(line, sizeof(line), "%s", policy_traits(flow->group)->name);
	trace_peer(trigger->parts.trace, &flow->remote, now(trigger), "line", line);
	ike_initiate(trigger->ike, conn->ike_conn, &path, &flow->selector, flow->id, now(trigger));
}

/* A shunt on its way to the kernel. */
struct shunt_request {
	struct trigger *trigger;
	uint64_t flow;
};

static void shunt_done(void *arg, int error)
{
	struct shunt_request *request = arg;
	struct trigger *trigger = request->trigger;

	trigger_warn_if_failed("cannot install a shunt", error);
	policy_shunt_done(trigger->policy, request->flow, error == 0, now(trigger));
	free(request);
}

static void take_shunt(void *arg, const struct policy_flow *flow, bool pass, uint32_t lifetime_s)
{
	struct trigger *trigger = arg;
	struct dp_flow dp_flow = to_dp_flow(flow);
	struct shunt_request *request = mem_new(struct shunt_request);

	request->trigger = trigger;
	request->flow = flow->id;
	dp_shunt(trigger->parts.dp, &dp_flow, pass ? DP_ALLOW : DP_BLOCK, lifetime_s, shunt_done,
		request);
}

static void take_idle(void *arg, const struct policy_flow *flow)
{
	struct trigger *trigger = arg;
	struct dp_flow dp_flow = to_dp_flow(flow);

	dp_idle(trigger->parts.dp, &dp_flow, trigger_warn_if_failed, "cannot return a flow to its line");
}

static void take_observe(
	void *arg, const struct policy_flow *flow, enum policy_state old, const char *reason)
{
	struct trigger *trigger = arg;

	tell_flow(trigger->parts.trace, flow, old, reason, now(trigger));
}

static void take_policy_timer(void *arg, uint64_t at_us)
{
	struct trigger *trigger = arg;

	loop_timer_start_at(trigger->parts.loop, &trigger->policy_timer, at_us);
}

static void policy_timer_fired(struct loop_timer *timer)
{
	struct trigger *trigger = timer->arg;

	policy_tick(trigger->policy, now(trigger));
}

/* --- the engine's wishes --------------------------------------------------------- */

static void take_send(void *arg, const struct path *path, const uint8_t *data, size_t len)
{
	struct trigger *trigger = arg;

	udp_send(trigger->parts.udp, path, data, len);
}

static void take_keepalive(void *arg, const struct path *path, const uint8_t *data, size_t len)
{
	struct trigger *trigger = arg;

	udp_send_bare(trigger->parts.udp, path, data, len);
}

static void take_ike_timer(void *arg, uint64_t at_us)
{
	struct trigger *trigger = arg;

	loop_timer_start_at(trigger->parts.loop, &trigger->ike_timer, at_us);
}

static void ike_timer_fired(struct loop_timer *timer)
{
	struct trigger *trigger = timer->arg;

	ike_tick(trigger->ike, now(trigger));
}

/* A stranger is answered when a line that accepts covers it, and it is no address of ours. */
static int take_conn_for(void *arg, const struct path *path)
{
	struct trigger *trigger = arg;
	int conn = policy_conn_for(trigger->policy, &path->local.addr, &path->remote.addr);

	if (conn < 0)
		return -1;
	return (int)policy_conn_get(trigger->policy, (size_t)conn)->ike_conn;
}

static bool take_admit(void *arg, const struct ike_claim *claim, char *why, size_t room)
{
	struct trigger *trigger = arg;

	return verify_admit(trigger->verify, claim, now(trigger), why, room);
}

static bool take_narrow(
	void *arg, const struct ike_offer *offer, struct selector *selector, uint64_t *user)
{
	struct trigger *trigger = arg;

	return grant_choose(
		trigger->policy, &trigger->tunnels, offer, now(trigger), selector, user);
}

/* An SA pair on its way to the kernel. */
struct install_request {
	struct trigger *trigger;
	uint64_t child;
};

static void install_done(void *arg, int error)
{
	struct install_request *request = arg;
	struct trigger *trigger = request->trigger;

	if (error)
		log_error("data plane: cannot install an SA pair: %s", strerror(-error));
	ike_installed(trigger->ike, request->child, error == 0, now(trigger));
	free(request);
}

static void take_keyed(void *arg, const struct ike_key_material *keys)
{
	struct trigger *trigger = arg;

	keylog_ike(trigger->parts.keylog, keys);
}

static void take_install(void *arg, const struct ike_child *child)
{
	struct trigger *trigger = arg;
	struct install_request *request = mem_new(struct install_request);
	struct policy_flow flow;
	struct dp_flow dp_flow = {0};
	uint32_t part;

	request->trigger = trigger;
	request->child = child->id;
	/* A flow that a reload has taken away is line 0, which the data plane refuses. */
	if (policy_flow_get(trigger->policy, child->user, &flow)) {
		part = tunnels_part(&trigger->tunnels, child, &flow.selector);
		dp_flow = to_dp_flow(&flow);
		dp_flow.part = part;
		if (!part)
			policy_child_coming(trigger->policy, flow.id, now(trigger));
	}
	tunnels_add(&trigger->tunnels, child, &dp_flow);
	keylog_child(trigger->parts.keylog, &child->pair);
	dp_establish(trigger->parts.dp, &dp_flow, &child->pair, install_done, request);
}

/* The rest goes back to its line first: what the part has carried must not meet what was for the rest. */
static void remove_part(
	struct trigger *trigger, const struct ike_child *child, const struct dp_flow *part, bool up)
{
	if (up)
		policy_part_down(trigger->policy, child->user, now(trigger));
	if (!tunnels_same(&trigger->tunnels, child))
		dp_idle(trigger->parts.dp, part, trigger_warn_if_failed, "cannot take down a part of a flow");
}

static void take_remove(void *arg, const struct ike_child *child)
{
	struct trigger *trigger = arg;
	struct tunnel *tunnel = tunnels_find(&trigger->tunnels, child->id);
	struct dp_flow dp_flow;
	bool up;

	if (!tunnel)
		return;
	dp_flow = tunnel->flow;
	up = tunnel->up;
	dp_remove_pair(trigger->parts.dp, &dp_flow, &child->pair, NULL, NULL);
	idle_forget(trigger->idle, tunnel);
	tunnels_remove(&trigger->tunnels, tunnel);
	if (dp_flow.part)
		remove_part(trigger, child, &dp_flow, up);
	else if (!up)
		policy_child_lost(trigger->policy, child->user, now(trigger));
}

static void take_move(void *arg, const struct ike_child *child)
{
	struct trigger *trigger = arg;
	struct tunnel *tunnel = tunnels_find(&trigger->tunnels, child->id);

	if (!tunnel)
		return;
	tunnel->child.path = child->path;
	dp_move_pair(trigger->parts.dp, &tunnel->flow, &child->pair, trigger_warn_if_failed,
		"cannot follow a NAT's new port");
}

/* What cannot be read is none: the SA is not, or not yet, in the kernel. */
static void take_traffic(void *arg, const struct ike_child *child, struct ike_traffic *out)
{
	struct trigger *trigger = arg;
	struct dp_counters counters = {0};

	dp_read_counters(trigger->parts.dp, &child->pair, &counters);
	out->in_packets = counters.in_packets;
	out->out_packets = counters.out_packets;
}

static uint64_t take_outbound(void *arg, const struct addr *to, uint32_t spi)
{
	const struct trigger *trigger = arg;
	const struct tunnel *tunnel = tunnels_outbound(&trigger->tunnels, to, spi);

	return tunnel ? tunnel->child.id : 0;
}

static void take_job(void *arg, const struct ike_job *job)
{
	struct trigger *trigger = arg;

	_Static_assert(IKE_JOB_LONG == JOBS_RANKS - 1, "a rank for each");
	jobs_submit(trigger->jobs, job->rank, job->id, job->run, job->data);
}

static void job_done(void *arg, uint64_t id)
{
	struct trigger *trigger = arg;

	ike_job_done(trigger->ike, id, now(trigger));
}

/* --- the engine's events ------------------------------------------------------------ */

/* K8: how long it may stay without use is its group's matter. */
static void watch_use(struct trigger *trigger, const struct ike_child *child)
{
	struct tunnel *tunnel = tunnels_find(&trigger->tunnels, child->id);
	struct policy_flow flow;

	if (tunnel && policy_flow_get(trigger->policy, child->user, &flow))
		idle_watch(trigger->idle, tunnel,
			policy_conn_get(trigger->policy, flow.conn)->idle_timeout_s);
}

static void close_idle(void *arg, struct tunnel *tunnel)
{
	struct trigger *trigger = arg;

	ike_close_idle(trigger->ike, tunnel->child.id, now(trigger));
}

static void event_up(struct trigger *trigger, const struct ike_event *event)
{
	const struct ike_child *child = event->child;
	struct tunnel *tunnel = tunnels_find(&trigger->tunnels, child->id);
	char what[POLICY_REASON];

	tell_up(child);
	refusals_forget(trigger->refusals, &child->path.remote.addr);
	watch_use(trigger, child);
	if (tunnel)
		tunnel->up = true;
	if (tunnel && tunnel->flow.part)
		policy_part_up(trigger->policy, child->user, event->ends,
			tell_traffic(&child->pair, what, sizeof(what)), now(trigger));
	else
		policy_child_up(trigger->policy, child->user, event->ends, now(trigger));
	/* N6: a host that comes to us is there, for its other lines, too. */
	if (child->role == IKE_RESPONDER)
		policy_forget_failures(trigger->policy, &child->path.remote.addr, now(trigger));
}

static void event_failed(struct trigger *trigger, const struct ike_event *event)
{
	char remote[ADDR_TEXT];
	char *reason = tell_reason(event);

	log_info("peer %s: negotiation failed: %s", addr_format(&event->path.remote.addr, remote),
		reason);
	policy_failed(trigger->policy, event->user, reason, now(trigger));
	free(reason);
}

static void event_moved(struct trigger *trigger, const struct ike_child *child)
{
	struct tunnel *tunnel = tunnels_find(&trigger->tunnels, child->id);

	if (tunnel)
		tunnel->child.sa = child->sa;
}

static void event_child_down(struct trigger *trigger, const struct ike_event *event)
{
	struct policy_flow flow;
	char remote[ADDR_TEXT];

	log_info("peer %s: tunnel down: %s", addr_format(&event->path.remote.addr, remote),
		ike_reason_name(event->reason));
	verify_tunnel_ended(trigger->verify, &event->path.remote.addr, now(trigger));
	/* Of a part policy was told when it was removed. */
	if (policy_flow_get(trigger->policy, event->child->user, &flow) &&
		!tunnel_is_part(event->child, &flow.selector))
		policy_child_down(trigger->policy, flow.id, ike_reason_name(event->reason),
			now(trigger));
}

static void take_event(void *arg, const struct ike_event *event)
{
	struct trigger *trigger = arg;

	switch (event->kind) {
	case IKE_EVENT_STAGE:
		tell_stage(trigger->parts.trace, event, now(trigger));
		break;
	case IKE_EVENT_UP:
		event_up(trigger, event);
		break;
	case IKE_EVENT_CHILDLESS_UP: /* not asked for here */
		break;
	case IKE_EVENT_FAILED:
		event_failed(trigger, event);
		break;
	case IKE_EVENT_CHILD_DOWN:
		event_child_down(trigger, event);
		break;
	case IKE_EVENT_CHILD_MOVED:
		event_moved(trigger, event->child);
		break;
	case IKE_EVENT_REFUSED:
		refusals_note(trigger->refusals, event, now(trigger));
		break;
	case IKE_EVENT_SOFT_FAILURE:
		policy_failing(trigger->policy, event->user, ike_reason_name(event->reason), now(trigger));
		break;
	}
}

/* --- events of sockets and data plane ------------------------------------------------------ */

void trigger_datagram(void *arg, const struct path *path, const uint8_t *data, size_t len)
{
	struct trigger *trigger = arg;

	ike_datagram(trigger->ike, path, data, len, now(trigger));
}

void trigger_unreachable(void *arg, const struct path *path, const uint8_t *quoted, size_t len)
{
	struct trigger *trigger = arg;

	ike_unreachable(trigger->ike, path, quoted, len, now(trigger));
}

static bool has_gone(struct trigger *trigger, const struct tunnel *tunnel)
{
	struct dp_counters counters;

	return tunnel->up && dp_read_counters(trigger->parts.dp, &tunnel->child.pair, &counters) == -ESRCH;
}

/*
 * A flow whose tunnel stands raises no acquire, but late ones of before, or where somebody else has
 * taken its SAs out of the kernel: then it is negotiated anew, and does not wait for ever.
 */
static void end_hollow(struct trigger *trigger, const struct policy_flow *flow)
{
	const struct tunnel *tunnel = tunnels_of_flow(&trigger->tunnels, flow->id);
	char remote[ADDR_TEXT];

	while (tunnel && !has_gone(trigger, tunnel))
		tunnel = tunnel->next;
	if (!tunnel)
		return;
	log_warning("peer %s: somebody has removed the tunnel's SAs: it is negotiated anew",
		addr_format(&flow->remote, remote));
	ike_end_child(trigger->ike, tunnel->child.id, now(trigger));
}

/* N3: who sends us packets with forged senders has us reply to whom he likes. */
static const char *refuse_acquire(struct trigger *trigger, const struct dp_acquire *acquire)
{
	const struct selector *selector = &acquire->selector;
	struct policy_counters counters;
	struct policy_flow flow;

	if (policy_flow_find(trigger->policy, acquire->line, &selector->local.addr,
		    &selector->remote.addr, &flow) &&
		flow.state != POLICY_IDLE) {
		end_hollow(trigger, &flow);
		return NULL;
	}
	counters = policy_counters(trigger->policy);
	return starts_refuse_acquire(
		trigger->parts.starts, &counters, &selector->remote.addr, now(trigger));
}

void trigger_acquire(void *arg, const struct dp_acquire *acquire)
{
	struct trigger *trigger = arg;
	struct policy_answer answer;
	const char *why;
	char selector[SELECTOR_TEXT];

	log_debug("acquire: line %u, %s", acquire->line, selector_format(&acquire->selector, selector));
	if (acquire->line == 0)
		return;
	why = refuse_acquire(trigger, acquire);
	if (why) {
		log_debug("acquire: %s: %s", selector, why);
		return;
	}
	policy_want(trigger->policy, &acquire->selector.local.addr, &acquire->selector.remote.addr,
		POLICY_TRIGGER_ACQUIRE, acquire->line, NULL, NULL, &answer, now(trigger));
}

/* Half a pair that the kernel has ended is of no use: it is negotiated anew, unless it was replaced already. */
void trigger_expire(void *arg, const struct dp_expire *expire)
{
	struct trigger *trigger = arg;
	const struct tunnel *tunnel = tunnels_outbound(&trigger->tunnels, &expire->dst, expire->spi);

	if (!tunnel && expire->hard)
		tunnel = tunnels_inbound(&trigger->tunnels, expire->spi);
	if (tunnel && expire->hard && tunnels_has_successor(tunnel))
		log_debug("an SA has ended that was replaced already");
	else if (tunnel && expire->hard)
		ike_end_child(trigger->ike, tunnel->child.id, now(trigger));
	else if (tunnel)
		ike_rekey(trigger->ike, tunnel->child.id, now(trigger));
}

void trigger_shunt_ended(void *arg, const struct dp_flow *flow)
{
	struct trigger *trigger = arg;
	struct policy_flow found;

	if (policy_flow_find(trigger->policy, flow->line, &flow->local, &flow->remote, &found))
		policy_shunt_ended(trigger->policy, found.id, now(trigger));
}

void trigger_mapping(void *arg, const struct dp_mapping *mapping)
{
	struct trigger *trigger = arg;

	ike_remap(trigger->ike, mapping->spi, mapping->port, now(trigger));
}

/* --- life -------------------------------------------------------------------------------- */

struct trigger *trigger_new(const struct trigger_parts *parts, const struct conf *conf)
{
	static const struct policy_ops policy_ops = {.hold = take_hold,
		.initiate = take_initiate,
		.shunt = take_shunt,
		.idle = take_idle,
		.observe = take_observe,
		.timer = take_policy_timer};
	static const struct ike_ops ike_ops = {.send = take_send,
		.timer = take_ike_timer,
		.event = take_event,
		.conn_for = take_conn_for,
		.admit = take_admit,
		.narrow = take_narrow,
		.install = take_install,
		.remove = take_remove,
		.move = take_move,
		.keepalive = take_keepalive,
		.traffic = take_traffic,
		.outbound = take_outbound,
		.job = take_job,
		.keyed = take_keyed,
		.random = random_fill};
	struct trigger *trigger = mem_new(struct trigger);

	trigger->parts = *parts;
	trigger->ike_timer = (struct loop_timer){.fired = ike_timer_fired, .arg = trigger};
	trigger->policy_timer = (struct loop_timer){.fired = policy_timer_fired, .arg = trigger};
	trigger->jobs = jobs_new(parts->loop, job_done, trigger);
	trigger->idle = idle_new(parts->loop, parts->dp, close_idle, trigger);
	trigger->policy = policy_new(&policy_ops, trigger, joins_config(parts->joins));
	trigger->refusals = refusals_new();
	trigger->ike = ike_new(&ike_ops, trigger, &conf->ike);
	trigger->verify = verify_new(parts->loop, trigger->policy, &trigger->tunnels, trigger->ike);
	verify_configure(trigger->verify, &conf->policy, conf->setup.state_dir);
	trigger_set_locals(trigger);
	return trigger;
}

void trigger_start_workers(struct trigger *trigger)
{
	jobs_start(trigger->jobs, JOBS_ALL);
}

void trigger_free(struct trigger *trigger)
{
	if (!trigger)
		return;
	jobs_free(trigger->jobs);
	verify_free(trigger->verify);
	ike_free(trigger->ike);
	policy_free(trigger->policy);
	refusals_free(trigger->refusals);
	loop_timer_stop(trigger->parts.loop, &trigger->ike_timer);
	loop_timer_stop(trigger->parts.loop, &trigger->policy_timer);
	idle_free(trigger->idle);
	tunnels_clear(&trigger->tunnels);
	free(trigger);
}

struct policy *trigger_policy(const struct trigger *trigger)
{
	return trigger->policy;
}

const struct refusals *trigger_refusals(const struct trigger *trigger)
{
	return trigger->refusals;
}

const struct ike *trigger_ike(const struct trigger *trigger)
{
	return trigger->ike;
}

struct verify *trigger_verify(const struct trigger *trigger)
{
	return trigger->verify;
}

bool trigger_flushed(const struct trigger *trigger)
{
	return trigger->flushed;
}

bool trigger_child(const struct trigger *trigger, uint64_t flow, struct ike_child *out)
{
	const struct tunnel *tunnel = tunnels_of_flow(&trigger->tunnels, flow);

	if (tunnel)
		*out = tunnel->child;
	return tunnel != NULL;
}

void trigger_each_child(const struct trigger *trigger, uint64_t flow,
	void (*each)(void *arg, const struct ike_child *child), void *arg)
{
	const struct tunnel *tunnel = tunnels_of_flow(&trigger->tunnels, flow);

	for (; tunnel; tunnel = tunnel->next)
		each(arg, &tunnel->child);
}
