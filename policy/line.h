/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Groups, their connections and their lines, as the configuration states
 * them. conf/ fills these; policy/ copies what it keeps.
 */
#ifndef POLICY_LINE_H
#define POLICY_LINE_H

#include "lib/ipsec.h"

/* Stricter first: the order of rule P1's last criterion. */
enum policy_group {
	POLICY_BLOCK,
	POLICY_PRIVATE,
	POLICY_PRIVATE_OR_CLEAR,
	POLICY_CLEAR_OR_PRIVATE,
	POLICY_CLEAR,
};
#define POLICY_GROUPS 5

/* What a group demands; the table of RULES.md G, one row each (group.c). */
struct policy_traits {
	const char *name; /* "private-or-clear" */
	const char *word; /* "SHOULD" */
	bool initiates;
	bool accepts;
	bool traps;	 /* outbound is trapped while idle; else it passes (or is dropped: block) */
	bool may_pass;	 /* the shunts may be pass; else they are closed whatever is configured */
	bool drops;	 /* outbound is dropped: block */
	bool guards_inbound; /* inbound cleartext is dropped: private, block */
};
const struct policy_traits *policy_traits(enum policy_group group);
/* By the name of rule G2; false for another name. */
bool policy_group_by_name(const char *name, enum policy_group *out);

/* The conn of a group. */
struct policy_conn {
	char *name;
	enum policy_group group;
	bool negotiation_pass; /* negotiationshunt=passthrough; else hold */
	bool failure_pass;     /* failureshunt=passthrough; else drop */
	bool verify_name;      /* verify-name=: an answer needs the peer's certificate for its name */
	uint32_t shunt_lifetime_s; /* shuntlifetime=: 900 by default */
	uint32_t idle_timeout_s;   /* idle-timeout= (K8); 0: never */
	size_t ike_conn; /* index into ike_config.conns; SIZE_MAX: this group never negotiates */
};

/* A line of a group file (rule G5). */
struct policy_line {
	uint32_t id; /* 1 .., unique, stable over a reload for an unchanged line if possible */
	struct prefix remote;
	uint8_t proto; /* 0 any */
	uint16_t local_port, remote_port;
	size_t conn; /* index into policy_config.conns */
	char *file;
	unsigned line;
};

/* A name of a group file: "host.corp.example", or "*.corp.example" for all below it. */
struct policy_name {
	char *pattern; /* lower case */
	size_t conn;
	char *file;
	unsigned line;
};

struct policy_config {
	struct policy_conn *conns;
	size_t conn_count;
	struct policy_line *lines;
	size_t line_count;
	struct policy_name *names;
	size_t name_count;
	struct prefix *masqueraded; /* sources behind this host's masquerading (K7); for the data plane */
	size_t masqueraded_count;
};

/* Ids of lines fit into 20 bits. */
#define POLICY_LINE_MAX 0xfffffu

/*
 * Rule P1, in one place: the lower the stronger. Longer remote prefix first;
 * then both ports, remote port, local port, protocol, none. Below DP_SLOTS of
 * the data plane; the kernel's priority and our own lookup both use it.
 */
uint32_t policy_line_slot(const struct policy_line *line);
#define POLICY_SLOTS (129u * 5u)

/* Whether both cover the same packets. */
bool policy_line_same(const struct policy_line *a, const struct policy_line *b);

/*
 * Rule P2: lines that say the same. Calls `found` for each pair, with
 * `same_group` telling a warning from an error; true when there is no error.
 */
typedef void (*policy_duplicate)(
	void *arg, const struct policy_line *first, const struct policy_line *second, bool same_group);
bool policy_check_duplicates(const struct policy_config *config, policy_duplicate found, void *arg);

#endif
