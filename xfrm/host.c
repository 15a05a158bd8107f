/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The policies of a tunnel with one host: in, fwd and out in the slot of its line, or for a part
 * of the line's traffic before those of the whole (entry.h). Two parts of one flow may have a kind
 * of traffic in common; the kernel has one policy for it, which is the later part's until that goes.
 */
#include "xfrm/plane.h"

#include "lib/mem.h"

#include <string.h>
#include <utlist.h>

struct entry_key host_key(
	const struct dp_line *line, const struct flow *flow, enum entry_dir dir)
{
	struct prefix local = prefix_of_host(&flow->flow.local);
	struct entry_key key = desired_key(line, dir, &local);

	if (dir == ENTRY_OUT)
		key.dst = prefix_of_host(&flow->flow.remote);
	else
		key.src = prefix_of_host(&flow->flow.remote);
	return key;
}

/*
 * Out names the one SA that is sent on: of several with one reqid the kernel takes the
 * youngest by whole seconds, and in one second any.
 */
static void protect(struct entry *entry, const struct flow *flow, enum entry_dir dir)
{
	bool out = dir == ENTRY_OUT;

	entry->action = ENTRY_PROTECT;
	entry->optional = dir == ENTRY_IN && flow->lenient;
	entry->mode = flow->mode;
	entry->reqid = flow->reqid;
	entry->spi = out && flow->sending ? flow->sending->out_spi : 0;
	entry->tmpl_src = out ? flow->flow.local : flow->flow.remote;
	entry->tmpl_dst = out ? flow->flow.remote : flow->flow.local;
}

/* Of parts that overlap the more exact comes first, as among lines (P1). */
static enum entry_sub part_sub(const struct traffic *part)
{
	bool local = port_mask(part->local_port, part->local_mask) != 0;
	bool remote = port_mask(part->remote_port, part->remote_mask) != 0;

	return (enum entry_sub)(ENTRY_PART + !local + !remote);
}

/* The policy of a host in a direction: of a part, for one kind of its traffic. */
static struct entry host_entry(const struct dp_line *line, const struct flow *flow, enum entry_dir dir,
	const struct traffic *part)
{
	struct entry entry = {.priority = entry_priority(line->slot, ENTRY_ESTABLISHED)};

	protect(&entry, flow, dir);
	entry.key = host_key(line, flow, dir);
	if (part) {
		entry_key_set_traffic(&entry.key, part);
		entry.priority = entry_priority(line->slot, part_sub(part));
	}
	return entry;
}

/*
 * Two parts may have a kind of traffic in common: its policies are those of the later one, and
 * stay so when the earlier goes on with another pair.
 */
static bool is_anothers(const struct dataplane *dp, const struct flow *flow, const struct entry_key *key)
{
	const struct mirrored *mirrored = mirror_find(dp, key);

	return mirrored && mirrored->part != flow->flow.part;
}

static int put_parts(
	struct dataplane *dp, const struct dp_line *line, const struct flow *flow, enum entry_dir dir)
{
	int error = 0;

	for (size_t i = 0; i < flow->part_count && !error; i++) {
		struct entry entry = host_entry(line, flow, dir, &flow->parts[i]);

		if (flow->stance != FLOW_ESTABLISHED || !is_anothers(dp, flow, &entry.key))
			error = mirror_put(dp, &entry, &flow->flow);
	}
	return error;
}

int host_put(struct dataplane *dp, const struct dp_line *line, const struct flow *flow,
	enum entry_dir dir)
{
	struct entry entry;

	/* A forwarding host is no end of a transport-mode SA. */
	if (dir == ENTRY_FWD && flow->mode == IPSEC_TRANSPORT)
		return 0;
	if (flow->part_count)
		return put_parts(dp, line, flow, dir);
	entry = host_entry(line, flow, dir, NULL);
	return mirror_put(dp, &entry, &flow->flow);
}

static bool carries(const struct flow *flow, const struct traffic *traffic)
{
	for (size_t i = 0; i < flow->part_count; i++) {
		if (traffic_equal(&flow->parts[i], traffic))
			return true;
	}
	return false;
}

/* Another part of the same flow that carries it, too: the youngest. */
static const struct flow *find_heir(const struct dataplane *dp, const struct flow *flow, enum entry_dir dir,
	const struct traffic *traffic)
{
	const struct flow *other;

	DL_FOREACH (dp->parts, other) {
		struct dp_flow same = other->flow;

		same.part = flow->flow.part;
		if (other != flow && memcmp(&same, &flow->flow, FLOW_KEY_LEN) == 0 &&
			(dir == ENTRY_OUT ? other->sending != NULL : flow_has_tunnel(other)) &&
			carries(other, traffic))
			return other;
	}
	return NULL;
}

/* What another part carries as well is its own now, by update: never a gap (K4). */
static void remove_part(struct dataplane *dp, const struct dp_line *line, const struct flow *flow,
	enum entry_dir dir, const struct traffic *traffic)
{
	const struct flow *heir = find_heir(dp, flow, dir, traffic);
	struct entry entry = host_entry(line, heir ? heir : flow, dir, traffic);
	const struct mirrored *mirrored = mirror_find(dp, &entry.key);

	if (!mirrored || is_anothers(dp, flow, &entry.key))
		return;
	if (!heir || mirror_put(dp, &entry, &heir->flow) != 0)
		mirror_del(dp, &entry.key, NULL);
}

void host_remove_parts(struct dataplane *dp, const struct dp_line *line, const struct flow *flow)
{
	static const enum entry_dir dirs[] = {ENTRY_OUT, ENTRY_IN, ENTRY_FWD};

	for (size_t i = 0; i < flow->part_count * ARRAY_LEN(dirs); i++)
		remove_part(dp, line, flow, dirs[i % ARRAY_LEN(dirs)], &flow->parts[i / ARRAY_LEN(dirs)]);
}

int host_put_inbound(struct dataplane *dp, const struct dp_line *line, const struct flow *flow)
{
	int error = host_put(dp, line, flow, ENTRY_IN);

	return error ? error : host_put(dp, line, flow, ENTRY_FWD);
}

/* In and fwd of a host go: those of its line, which say what comes in, lie beneath. */
void host_return_inbound(struct dataplane *dp, const struct dp_line *line, const struct flow *flow)
{
	struct entry_key in = host_key(line, flow, ENTRY_IN), fwd = host_key(line, flow, ENTRY_FWD);

	mirror_del(dp, &in, NULL);
	mirror_del(dp, &fwd, NULL);
}
