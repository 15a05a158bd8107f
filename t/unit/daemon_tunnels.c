/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The table of CHILD SAs: by flow, by SPI, parts, and which of several has a successor. */
#include "daemon/tunnels.h"
#include "t/tap.h"

#define FLOW 7u

static struct tunnels tunnels;
static const struct dp_flow dp_flow = {.line = 1};

static struct ike_child make_child(uint64_t id, uint16_t port)
{
	struct ike_child child = {.id = id, .user = FLOW, .sa = 100 + id};

	addr_parse("192.0.2.1", &child.pair.out.src);
	addr_parse("192.0.2.2", &child.pair.out.dst);
	child.pair.in = (struct ipsec_sa){
		.spi = (uint32_t)(0x1000 + id), .src = child.pair.out.dst, .dst = child.pair.out.src};
	child.pair.out.spi = (uint32_t)(0x2000 + id);
	child.pair.selector = (struct selector){.local = prefix_of_host(&child.pair.out.src),
		.remote = prefix_of_host(&child.pair.out.dst),
		.proto = port ? 6 : 0,
		.remote_port = port};
	return child;
}

static struct tunnel *add(uint64_t id, uint16_t port, bool up)
{
	struct ike_child child = make_child(id, port);
	struct tunnel *tunnel = tunnels_add(&tunnels, &child, &dp_flow);

	tunnel->up = up;
	return tunnel;
}

static void test_finding(void)
{
	struct tunnel *first = add(1, 0, true), *second = add(2, 0, true);
	struct addr here = first->child.pair.out.src, there = first->child.pair.out.dst;

	ok(tunnels_of_flow(&tunnels, FLOW) == second, "the youngest of a flow");
	ok(tunnels_inbound(&tunnels, 0x1001) == first && !tunnels_inbound(&tunnels, 0x1003), "by the inbound SPI");
	ok(tunnels_outbound(&tunnels, &there, 0x2002) == second, "by the outbound SPI");
	ok(!tunnels_outbound(&tunnels, &here, 0x2002), "which counts at its destination only");
	tunnels_remove(&tunnels, second);
	ok(tunnels_of_flow(&tunnels, FLOW) == first && !tunnels_find(&tunnels, 2), "one goes");
	tunnels_clear(&tunnels);
	ok(!tunnels_of_flow(&tunnels, FLOW), "and all");
}

/* An SA that ends in the kernel while it is replaced must not take its successor along. */
static void test_successor(void)
{
	struct tunnel *old = add(1, 0, true), *other, *young;

	ok(!tunnels_has_successor(old), "one alone has no successor");
	other = add(2, 443, true);
	ok(!tunnels_has_successor(old), "one for something else is none");
	young = add(3, 0, false);
	ok(!tunnels_has_successor(old), "nor is one that does not stand yet");
	young->up = true;
	ok(tunnels_has_successor(old), "when it stands it is");
	ok(!tunnels_has_successor(young) && !tunnels_has_successor(other), "the older is not that of the younger");
	tunnels_clear(&tunnels);
}

static void test_parts(void)
{
	struct ike_child whole = make_child(1, 0), part = make_child(2, 443), same = make_child(3, 443),
			 another = make_child(4, 80);
	struct selector flow = whole.pair.selector;
	struct dp_flow placed = dp_flow;

	is_int(tunnels_part(&tunnels, &whole, &flow), 0, "what carries all of a flow is no part");
	placed.part = tunnels_part(&tunnels, &part, &flow);
	ok(placed.part != 0, "what carries less is");
	tunnels_add(&tunnels, &part, &placed);
	is_int(tunnels_part(&tunnels, &same, &flow), placed.part, "another for the same is of the same part");
	ok(tunnels_part(&tunnels, &another, &flow) != placed.part, "one for something else of another");
	ok(tunnels_same(&tunnels, &same) && !tunnels_same(&tunnels, &part), "which is no other than itself");
	tunnels_clear(&tunnels);
}

int main(void)
{
	test_finding();
	test_successor();
	test_parts();
	return tap_done();
}
