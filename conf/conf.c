/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The whole of a configuration (conf.h): files, sections, groups, lines, secrets. */
#include "conf/internal.h"

#include "ike/crypto/cert.h"
#include "lib/mem.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* Ids of lines have 20 bits (xfrm/dataplane.h), and hashing them wants some air. */
#define LINES_MAX 1000000u

/* --- groups ------------------------------------------------------------------------------------- */

static bool has_conn(const struct conf *conf, const char *name)
{
	for (size_t i = 0; i < conf->policy.conn_count; i++) {
		if (strcmp(conf->policy.conns[i].name, name) == 0)
			return true;
	}
	return false;
}

/* G3: a closed group's file without its conn is closed all the same; another's has no effect. */
static void add_missing_conn(struct source *source, struct conf *conf, const char *name)
{
	struct place place = {.file = conf->setup.policies_dir};
	enum policy_group group;
	struct policy_conn *conn;

	if (has_conn(conf, name))
		return;
	if (!policy_group_by_name(name, &group) || !policy_traits(group)->guards_inbound) {
		report_warning(source->report, place, "file %s has no conn; it has no effect", name);
		return;
	}
	report_defect(source->report, place,
		"file %s has no conn %s: its lines are closed, nothing is negotiated", name, name);
	conf->policy.conns = mem_resize(
		conf->policy.conns, conf->policy.conn_count + 1, sizeof(*conf->policy.conns));
	conn = &conf->policy.conns[conf->policy.conn_count++];
	*conn = (struct policy_conn){.name = mem_strdup(name), .group = group, .ike_conn = SIZE_MAX};
}

static int is_group_file(const struct dirent *entry)
{
	return entry->d_name[0] != '.' && !strpbrk(entry->d_name, "~#");
}

static void find_group_files(struct source *source, struct conf *conf)
{
	struct dirent **entries;
	int count = scandir(conf->setup.policies_dir, &entries, is_group_file, alphasort);

	if (count < 0 && errno != ENOENT)
		report_error(source->report, (struct place){0}, "cannot read %s: %s",
			conf->setup.policies_dir, strerror(errno));
	for (int i = 0; i < count; i++) {
		add_missing_conn(source, conf, entries[i]->d_name);
		free(entries[i]);
	}
	if (count >= 0)
		free(entries);
}

static void read_group(
	struct source *source, struct conf *conf, size_t index, struct line_list *lines)
{
	const struct policy_conn *conn = &conf->policy.conns[index];
	char *path = mem_printf("%s/%s", conf->setup.policies_dir, conn->name);
	size_t len;
	char *text = file_read(path, &len);

	if (text) {
		group_text(source->report, file_note(source, path), text, len, index, lines);
		free(text);
	} else if (errno != ENOENT) {
		report_error(source->report, (struct place){0}, "cannot read %s: %s", path,
			strerror(errno));
	}
	free(path);
}

static void report_duplicate(void *arg, const struct policy_line *first,
	const struct policy_line *second, bool same_group)
{
	struct conf_report *report = arg;
	struct place place = {.file = second->file, .line = second->line};
	char prefix[ADDR_TEXT];

	if (same_group)
		report_warning(report, place, "%s is in line %u already",
			prefix_format(&second->remote, prefix), first->line);
	else
		report_error(report, place, "%s is in %s:%u too", prefix_format(&second->remote, prefix),
			first->file, first->line);
}

static bool same_line(const struct policy_line *a, const struct policy_line *b)
{
	return a->conn == b->conn && prefix_equal(&a->remote, &b->remote) && a->proto == b->proto &&
	       a->local_port == b->local_port && a->remote_port == b->remote_port;
}

/* A line that is twice in one group counts once: ids are made from what lines say, and sorting finds equals. */
static int compare_ids(const void *a, const void *b)
{
	const struct policy_line *left = a, *right = b;
	int order = addr_compare(&left->remote.addr, &right->remote.addr);

	if (!order)
		order = (left->remote.len > right->remote.len) - (left->remote.len < right->remote.len);
	if (!order)
		order = (left->proto > right->proto) - (left->proto < right->proto);
	if (!order)
		order = (left->local_port > right->local_port) - (left->local_port < right->local_port);
	if (!order)
		order = (left->remote_port > right->remote_port) -
			(left->remote_port < right->remote_port);
	if (!order)
		order = (left->conn > right->conn) - (left->conn < right->conn);
	return order ? order : (left->line > right->line) - (left->line < right->line);
}

static void drop_repeats(struct policy_config *policy)
{
	size_t kept = 0;

	if (policy->line_count)
		qsort(policy->lines, policy->line_count, sizeof(*policy->lines), compare_ids);
	for (size_t i = 0; i < policy->line_count; i++) {
		if (kept && same_line(&policy->lines[kept - 1], &policy->lines[i]))
			continue;
		policy->lines[kept++] = policy->lines[i];
	}
	policy->line_count = kept;
}

static int compare_names(const void *left, const void *right)
{
	const struct policy_name *a = left, *b = right;
	int order = strcmp(a->pattern, b->pattern);

	if (!order)
		order = (a->conn > b->conn) - (a->conn < b->conn);
	return order ? order : (a->line > b->line) - (a->line < b->line);
}

/* P2 for names; sorted, equals are neighbours. */
static void check_names(struct conf_report *report, const struct policy_config *policy)
{
	if (policy->name_count)
		qsort(policy->names, policy->name_count, sizeof(*policy->names), compare_names);
	for (size_t i = 1; i < policy->name_count; i++) {
		const struct policy_name *first = &policy->names[i - 1], *second = first + 1;
		struct place place = {.file = second->file, .line = second->line};

		if (strcmp(first->pattern, second->pattern) != 0)
			continue;
		if (first->conn == second->conn)
			report_warning(report, place, "%s is in line %u already", second->pattern,
				first->line);
		else
			report_error(report, place, "%s is in %s:%u too", second->pattern,
				first->file, first->line);
	}
}

static void read_groups(struct source *source, struct conf *conf)
{
	struct line_list lines = {0};

	find_group_files(source, conf);
	for (size_t i = 0; i < conf->policy.conn_count; i++)
		read_group(source, conf, i, &lines);
	conf->policy.lines = lines.lines;
	conf->policy.line_count = lines.count;
	conf->policy.names = lines.names;
	conf->policy.name_count = lines.name_count;
	check_names(source->report, &conf->policy);
	if (lines.count > LINES_MAX) {
		report_error(source->report, (struct place){0},
			"%zu lines are more than the %u that are possible", lines.count, LINES_MAX);
		return;
	}
	policy_check_duplicates(&conf->policy, report_duplicate, source->report);
	drop_repeats(&conf->policy);
	group_number_lines(&conf->policy, NULL);
	weigh_lines(source->report, &conf->policy);
}

void conf_keep_numbers(struct conf *conf, const struct conf *old)
{
	group_number_lines(&conf->policy, &old->policy);
}

/* --- the whole -------------------------------------------------------------------------------------- */

/* G7. For whom a secret is shows at the handshake; here it shows that there is none for anybody. */
static void check_secrets(const char *path, struct conf_report *report, const struct conf *conf)
{
	const char *const format = "conn %s: %s in %s; every negotiation of it fails";
	struct place place = {.file = path};

	for (size_t i = 0; i < conf->ike.conn_count; i++) {
		const struct ike_conn *conn = &conf->ike.conns[i];
		bool needs_psk = conn->local_auth == IKE_AUTH_PSK || conn->remote_auth == IKE_AUTH_PSK;

		if (needs_psk && conf->ike.psk_count == 0)
			report_defect(report, place, format, conn->name,
				"authby=secret, but there is no PSK", conf->setup.secrets_file);
		if (conn->ppk == IKE_PPK_INSIST && conf->ike.ppk_count == 0)
			report_defect(report, place, format, conn->name,
				"ppk=insist, but there are no PPKS", conf->setup.secrets_file);
	}
}

struct conf *conf_load(const char *path, struct conf_report *report)
{
	struct conf *conf = mem_new(struct conf);
	struct source source = {
		.report = report, .files = &conf->files, .file_count = &conf->file_count};
	struct secrets secrets = {0};

	parse_file(&source, path, (struct place){0});
	for (size_t i = 0; i < source.count; i++)
		check_params(report, &source.sections[i]);
	sections_resolve(&source);
	build_setup(&source, conf);
	build_conns(&source, conf);
	read_groups(&source, conf);
	secrets_file(&source, conf->setup.secrets_file, (struct place){0}, &secrets);
	conf->ike.psks = secrets.psks.psks;
	conf->ike.psk_count = secrets.psks.count;
	conf->ike.ppks = secrets.ppks.psks;
	conf->ike.ppk_count = secrets.ppks.count;
	check_secrets(path, report, conf);
	conf->flat = sections_flatten(&source);
	sections_free(&source);
	if (report->errors) {
		conf_free(conf);
		return NULL;
	}
	return conf;
}

static void free_ike(struct ike_config *ike)
{
	for (size_t i = 0; i < ike->conn_count; i++) {
		free(ike->conns[i].name);
		free(ike->conns[i].unavailable);
		free(ike->conns[i].ppk_ids);
	}
	psks_free(ike->psks, ike->psk_count);
	psks_free(ike->ppks, ike->ppk_count);
	for (size_t i = 0; i < ike->identity_count; i++)
		cert_identity_free(ike->identities[i]);
	for (size_t i = 0; i < ike->trust_count; i++)
		cert_trust_free(ike->trusts[i]);
	free(ike->identities);
	free(ike->trusts);
	free(ike->conns);
}

void conf_free(struct conf *conf)
{
	if (!conf)
		return;
	free(conf->setup.log_file);
	free(conf->setup.key_log);
	free(conf->setup.state_dir);
	free(conf->setup.control_socket);
	free(conf->setup.policies_dir);
	free(conf->setup.secrets_file);
	free(conf->setup.pki_dir);
	free(conf->resolver.listen);
	free(conf->resolver.forward);
	free(conf->resolver.allow);
	free(conf->resolver.trust_anchor_file);
	free(conf->flat);
	free_ike(&conf->ike);
	for (size_t i = 0; i < conf->policy.conn_count; i++)
		free(conf->policy.conns[i].name);
	free(conf->policy.conns);
	free(conf->policy.lines);
	for (size_t i = 0; i < conf->policy.name_count; i++)
		free(conf->policy.names[i].pattern);
	free(conf->policy.names);
	free(conf->policy.masqueraded);
	for (size_t i = 0; i < conf->file_count; i++)
		free(conf->files[i]);
	free(conf->files);
	free(conf);
}
