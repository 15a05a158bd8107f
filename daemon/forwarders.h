/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The forwarders over time. Where no dns-forward= is given they are chosen
 * again (A11) when a file that may name one has changed, when our addresses or
 * routes have, and every few seconds while there is none: a boot before DHCP,
 * another network. One in a group gets its tunnel, without a lookup (A13).
 */
#ifndef DAEMON_FORWARDERS_H
#define DAEMON_FORWARDERS_H

struct forwarders;
struct loop;
struct resolver;
struct resolver_config;
struct trigger;

/* Keeps the resolver and the trigger, which must outlive it. Does nothing before it is configured. */
struct forwarders *forwarders_new(
	struct loop *loop, struct resolver *resolver, struct trigger *trigger);
void forwarders_free(struct forwarders *forwarders);
/* After resolver_configure(): begins to look, or ends it where dns-forward= is given; logs who is asked. */
void forwarders_configure(struct forwarders *forwarders, const struct resolver_config *config);
/* Our addresses or routes have changed: chooses again, and wants the tunnels. NULL does nothing. */
void forwarders_look(struct forwarders *forwarders);
/* A13: their tunnels, where there is a route to them. NULL does nothing. */
void forwarders_want_tunnels(struct forwarders *forwarders);

#endif
