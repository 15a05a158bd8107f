/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Names in group files (rules P3, P4). An address in an answer joins the group
 * of the pattern that matches the question's name; from then on there is a line
 * of its own for that host, beside the lines of the configuration:
 *
 *   configuration + what answers have shown ──names_config()──▶ the lines that count
 *
 * The host's line counts only where it is stricter than what the prefixes say,
 * so no answer can take an address out of a stricter group (DNS rebinding). A
 * blocked name is taken out of answers and joins nothing: whoever owns it could
 * cut us off from any address.
 *
 * Pure. Times are microseconds of the caller's monotonic clock. What is learned
 * is bounded (NAMES_MAX).
 */
#ifndef POLICY_NAMES_H
#define POLICY_NAMES_H

#include "policy/line.h"

struct names;

/* Pairs of address and pattern that are remembered at once. */
#define NAMES_MAX 16384u
/* P4: how long `private` stays closed after the last answer, and others after theirs. */
#define NAMES_PRIVATE_S (24u * 3600u)
#define NAMES_OTHER_S 3600u
/* Room for the sentence that names both lines of a conflict. */
#define NAMES_TEXT 224

enum names_word {
	NAMES_NOTHING,	/* no pattern, or one that changes nothing: the prefixes decide */
	NAMES_JOINED,	/* the address is in the group already */
	NAMES_NEW,	/* it has joined: names_config() is another than before */
	NAMES_BLOCKED,	/* the name is in `block`: the address is to be taken out */
	NAMES_CONFLICT, /* a private name with an address that a prefix makes clear: taken out */
	NAMES_FULL,	/* no more can be remembered, and the group is private: taken out */
};

struct names *names_new(void);
void names_free(struct names *names);

/*
 * A new configuration; it must live until the next one. What was learned stays
 * where its pattern still stands in any group (the group that it has now
 * counts), the rest is forgotten.
 */
void names_configure(struct names *names, const struct policy_config *config);

/* The lines that count now. Valid until the next call that changes something. */
const struct policy_config *names_config(struct names *names);

/*
 * Between two configurations only the lines of hosts change. The hosts whose
 * lines may be others than at the last call, or than in the configuration; one
 * may be there twice. The caller frees the list.
 */
struct addr *names_take_changes(struct names *names, size_t *count);
/* All lines that count now and whose prefix is this host; the caller frees the list. */
struct policy_line *names_host_lines(const struct names *names, const struct addr *addr, size_t *count);

/*
 * An answer to `qname` (presentation form, no final dot) carried `addr`. `text`
 * says for BLOCKED, CONFLICT and FULL which line is at work.
 */
enum names_word names_learn(struct names *names, const char *qname, const struct addr *addr,
	uint64_t now_us, char text[NAMES_TEXT]);

/*
 * What names_learn() would say, without learning. *name is the pattern's, set
 * whenever one matches: NULL it before.
 */
enum names_word names_judge(const struct names *names, const char *qname, const struct addr *addr,
	const struct policy_name **name, char text[NAMES_TEXT]);

/* The conn of the pattern that matches a name; false when none does. */
bool names_match(const struct names *names, const char *qname, size_t *conn);

/*
 * Forgets what is over at `now_us`, unless `in_use` says that a tunnel stands;
 * true when names_config() is another than before. `in_use` may be NULL.
 */
bool names_expire(struct names *names, uint64_t now_us,
	bool (*in_use)(void *arg, const struct addr *addr), void *arg);

/* For keeping `private` over a restart: every pair of a group that stays closed. */
typedef void (*names_each_fn)(
	void *arg, const struct addr *addr, const char *pattern, uint64_t until_us);
void names_each_private(const struct names *names, names_each_fn each, void *arg);
/* And back; false when the pattern is in no group now. */
bool names_restore(
	struct names *names, const struct addr *addr, const char *pattern, uint64_t until_us);

#endif
