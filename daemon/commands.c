/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What is asked of the trigger from above (trigger.h): by a reload, by oectl, by a change of our addresses or routes. */
#include "daemon/trigger_state.h"

#include "daemon/addrs.h"
#include "daemon/joins.h"
#include "daemon/lines.h"
#include "daemon/verify.h"
#include "lib/log.h"
#include "lib/mem.h"

#include <stdlib.h>
#include <string.h>

void trigger_warn_if_failed(void *arg, int error)
{
	if (error)
		log_warning("data plane: %s: %s", (const char *)arg, strerror(-error));
}

void trigger_set_locals(struct trigger *trigger)
{
	size_t own_count, broadcast_count;
	const struct addr *own = addrs_own(trigger->parts.addrs, &own_count);
	const struct addr *broadcasts = addrs_broadcasts(trigger->parts.addrs, &broadcast_count);
	struct addr *all = mem_zalloc((own_count + broadcast_count) * sizeof(*all));

	for (size_t i = 0; i < own_count; i++)
		all[i] = own[i];
	for (size_t i = 0; i < broadcast_count; i++)
		all[own_count + i] = broadcasts[i];
	policy_set_locals(trigger->policy, all, own_count + broadcast_count);
	free(all);
}

void trigger_set_lines(struct trigger *trigger, dp_done done, void *arg)
{
	lines_install(trigger->parts.dp, joins_config(trigger->parts.joins), trigger->parts.addrs,
		LINES_ALL, done, arg);
}

/* Frees the list. */
static void end_sas(struct trigger *trigger, uint64_t *sas, size_t count)
{
	for (size_t i = 0; i < count; i++)
		ike_delete(trigger->ike, sas[i], now(trigger));
	free(sas);
}

/* Ends the IKE SAs of all tunnels that `matches` picks. */
static size_t end_tunnels(struct trigger *trigger,
	bool (*matches)(const struct ike_child *child, const void *key), const void *key)
{
	size_t count;
	uint64_t *sas = tunnels_sas(&trigger->tunnels, matches, key, &count);

	end_sas(trigger, sas, count);
	return count;
}

static bool has_remote(const struct ike_child *child, const void *key)
{
	return addr_equal(&child->path.remote.addr, key);
}

static bool is_any(const struct ike_child *child, const void *key)
{
	(void)key;
	return child->id != 0;
}

size_t trigger_down(struct trigger *trigger, const struct addr *remote)
{
	size_t count = end_tunnels(trigger, has_remote, remote);

	policy_forget_failures(trigger->policy, remote, now(trigger));
	verify_forget(trigger->verify, remote);
	return count;
}

size_t trigger_rekey(struct trigger *trigger, const struct addr *remote)
{
	size_t count;
	uint64_t *sas = tunnels_sas(&trigger->tunnels, has_remote, remote, &count);

	for (size_t i = 0; i < count; i++)
		ike_renew(trigger->ike, sas[i], now(trigger));
	free(sas);
	return count;
}

/* A reload has taken a flow away; noted first, for ending its tunnels changes policy's tables. */
static void note_gone(void *arg, const struct policy_flow *flow)
{
	struct trigger *trigger = arg;

	trigger->gone = mem_resize(trigger->gone, trigger->gone_count + 1, sizeof(*trigger->gone));
	trigger->gone[trigger->gone_count++] =
		(struct gone){.id = flow->id, .flow = to_dp_flow(flow)};
}

static void end_gone(struct trigger *trigger)
{
	for (size_t i = 0; i < trigger->gone_count; i++) {
		size_t count;
		uint64_t *sas = tunnels_sas_of_flow(&trigger->tunnels, trigger->gone[i].id, &count);

		end_sas(trigger, sas, count);
		/* Its line may stay while a narrower one takes the host over. */
		dp_idle(trigger->parts.dp, &trigger->gone[i].flow, NULL, NULL);
	}
	free(trigger->gone);
	trigger->gone = NULL;
	trigger->gone_count = 0;
}

void trigger_reconfigure(struct trigger *trigger, const struct conf *conf, dp_done done, void *arg)
{
	trigger->flushed = false;
	verify_configure(trigger->verify, &conf->policy, conf->setup.state_dir);
	policy_reconfigure(
		trigger->policy, joins_config(trigger->parts.joins), note_gone, now(trigger));
	end_gone(trigger);
	ike_reconfigure(trigger->ike, &conf->ike, now(trigger));
	trigger_set_locals(trigger);
	trigger_set_lines(trigger, done, arg);
}

static void change_host(struct trigger *trigger, const struct addr *host, struct lines_change *change)
{
	size_t count;
	struct policy_line *lines = joins_host_lines(trigger->parts.joins, host, &count);

	lines_note_old(change, trigger->policy, host);
	policy_change_host(trigger->policy, host, lines, count, note_gone, now(trigger));
	lines_note_new(change, trigger->policy, host);
	free(lines);
}

void trigger_lines_changed(struct trigger *trigger, dp_done done, void *arg)
{
	struct lines_change change = {0};
	size_t count;
	struct addr *hosts = joins_take_changes(trigger->parts.joins, &count);

	/* What was opened on purpose stays so, whatever ends meanwhile (K5). */
	for (size_t i = 0; i < count && !trigger->flushed; i++)
		change_host(trigger, &hosts[i], &change);
	free(hosts);
	end_gone(trigger);
	lines_apply(trigger->parts.dp, &change, done, arg);
}

/* Flows whose local address is ours no more: their tunnels can carry nothing (N10). */
static bool is_orphan(const struct ike_child *child, const void *key)
{
	const struct addrs *addrs = key;
	size_t count;
	const struct addr *own = addrs_own(addrs, &count);

	for (size_t i = 0; i < count; i++) {
		if (addr_equal(&own[i], &child->path.local.addr))
			return false;
	}
	return true;
}

void trigger_addresses_changed(struct trigger *trigger)
{
	trigger_set_locals(trigger);
	end_tunnels(trigger, is_orphan, trigger->parts.addrs);
	policy_forget_failures(trigger->policy, NULL, now(trigger));
	if (!trigger->flushed)
		trigger_set_lines(trigger, trigger_warn_if_failed, "cannot follow a change of addresses");
}

void trigger_routes_changed(struct trigger *trigger)
{
	policy_forget_failures(trigger->policy, NULL, now(trigger));
}

void trigger_want(struct trigger *trigger, const struct addr *remote)
{
	struct policy_answer answer;
	struct addr local;

	if (addrs_source(trigger->parts.addrs, remote, &local))
		policy_want(trigger->policy, &local, remote, POLICY_TRIGGER_DNS, 0, NULL, NULL,
			&answer, now(trigger));
}

void trigger_flush(struct trigger *trigger, dp_done done, void *arg)
{
	struct policy_config empty = {0};

	trigger->flushed = true;
	end_tunnels(trigger, is_any, NULL);
	policy_reconfigure(trigger->policy, &empty, note_gone, now(trigger));
	end_gone(trigger);
	dp_flush(trigger->parts.dp, done, arg);
}

void trigger_shutdown(struct trigger *trigger)
{
	ike_shutdown(trigger->ike, now(trigger));
}
