/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The responder's choice (grant.h). */
#include "daemon/grant.h"

#include "lib/mem.h"

/* The hosts of the path themselves, with the line's ports: whatever else is offered is not believed (N9). */
static struct selector allowed_by(const struct policy_line *line, const struct path *path)
{
	return (struct selector){.local = prefix_of_host(&path->local.addr),
		.remote = prefix_of_host(&path->remote.addr),
		.proto = line->proto,
		.local_port = line->local_port,
		.remote_port = line->remote_port};
}

/* Rule N8: anonymous never replaces authenticated. */
static bool would_weaken(const struct policy *policy, const struct tunnels *tunnels,
	const struct policy_line *line, const struct ike_offer *offer)
{
	const struct tunnel *standing;
	struct policy_flow flow;

	if (offer->remote_auth != IKE_AUTH_NULL ||
		!policy_flow_find(policy, line->id, &offer->path.local.addr,
			&offer->path.remote.addr, &flow))
		return false;
	standing = tunnels_of_flow(tunnels, flow.id);
	return standing && standing->child.remote_auth != IKE_AUTH_NULL;
}

static const struct policy_line *choose(
	const struct policy *policy, const struct tunnels *tunnels, const struct ike_offer *offer)
{
	const struct policy_line *lines[16], *best = NULL;
	size_t count = policy_accepting_lines(
		policy, &offer->path.remote.addr, lines, ARRAY_LEN(lines));
	enum ike_fit best_fit = IKE_FIT_NONE;

	for (size_t i = 0; i < count; i++) {
		struct selector allowed = allowed_by(lines[i], &offer->path);
		enum ike_fit fit = ike_offer_fit(offer, &allowed);

		if (policy_conn_get(policy, lines[i]->conn)->ike_conn != offer->conn ||
			fit <= best_fit || would_weaken(policy, tunnels, lines[i], offer))
			continue;
		best = lines[i];
		best_fit = fit;
	}
	return best;
}

bool grant_choose(struct policy *policy, const struct tunnels *tunnels, const struct ike_offer *offer,
	uint64_t now_us, struct selector *selector, uint64_t *user)
{
	const struct policy_line *line = choose(policy, tunnels, offer);
	struct policy_flow flow;

	if (!line)
		return false;
	*user = policy_flow_want(
		policy, line->id, &offer->path.local.addr, &offer->path.remote.addr, now_us);
	if (!policy_flow_get(policy, *user, &flow))
		return false;
	*selector = flow.selector;
	return true;
}
