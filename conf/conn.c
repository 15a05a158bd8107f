/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What conns mean: groups (rules G1, G2) and how they negotiate (G7). Values
 * were found possible before (keyword.c).
 */
#include "conf/internal.h"

#include "ike/const.h"
#include "ike/proposal.h"
#include "lib/mem.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAX_WINDOW 4096u /* the kernel's (XFRMA_REPLAY_ESN_MAX) */
#define DEFAULT_RETRANSMIT_TIMEOUT_MS 5000
#define DEFAULT_RETRANSMIT_INTERVAL_MS 250
#define DEFAULT_DPD_MS 30000
#define IDLE_TIMEOUT_MS 900000
#define DEFAULT_LIFETIME_MS 28800000
#define DEFAULT_MARGIN_MS 540000

static bool is_word(const char *text, const char *list)
{
	return text && value_is_one_of(text, list);
}

/* --- the ends -------------------------------------------------------------------------------- */

/* A misspelt %group would leave a group out, so no unknown word is passed over. */
static void check_right(struct conf_report *report, const struct section *conn)
{
	const struct param *param = section_param(conn, "right");

	if (!param || param->value[0] != '%' || is_word(param->value, CONN_GROUP_WORDS) ||
		is_word(param->value, "%any | %any4 | %any6 | %defaultroute | %opportunistic"))
		return;
	report_error(report, param->place,
		"right=%s: expected %%opportunisticgroup, %%group, %%any, %%defaultroute or an address",
		param->value);
}

/* --- which group a conn is (G2) --------------------------------------------------------------------- */

static bool is_open(const char *shunt)
{
	return is_word(shunt, "pass | passthrough");
}

static void warn_weaker(struct conf_report *report, const struct section *conn, const char *key)
{
	const struct param *param = section_param(conn, key);

	report_warning(report, param->place, "%s=%s is weaker than what %s means; it has no effect",
		key, param->value, conn->name);
}

/* The row of one of the five names is the floor: what is stricter counts, what is weaker is said. */
static enum policy_group floor_of(
	struct conf_report *report, const struct section *conn, enum policy_group group)
{
	const char *type = section_text(conn, "type");
	const char *automatic = section_text(conn, "auto");

	if (is_word(type, "drop | reject"))
		return POLICY_BLOCK;
	if (is_word(type, "passthrough") && group != POLICY_CLEAR)
		warn_weaker(report, conn, "type");
	if (is_word(automatic, "ignore"))
		warn_weaker(report, conn, "auto");
	if (is_word(automatic, "add") && policy_traits(group)->initiates)
		warn_weaker(report, conn, "auto");
	return group;
}

static enum policy_group group_of(struct conf_report *report, const struct section *conn)
{
	enum policy_group group;
	const char *type = section_text(conn, "type");

	if (policy_group_by_name(conn->name, &group))
		return floor_of(report, conn, group);
	if (is_word(type, "passthrough"))
		return POLICY_CLEAR;
	if (is_word(type, "drop | reject"))
		return POLICY_BLOCK;
	if (is_word(section_text(conn, "auto"), "add"))
		return POLICY_CLEAR_OR_PRIVATE;
	return is_open(section_text(conn, "failureshunt")) ? POLICY_PRIVATE_OR_CLEAR
							   : POLICY_PRIVATE;
}

static bool shunt_passes(struct conf_report *report, const struct section *conn, const char *key,
	bool may_pass, bool otherwise)
{
	const char *shunt = section_text(conn, key);

	if (!shunt)
		return otherwise;
	if (is_open(shunt) && !may_pass) {
		warn_weaker(report, conn, key);
		return false;
	}
	return is_open(shunt);
}

static void fill_policy(struct conf_report *report, const struct section *conn,
	uint32_t shunt_lifetime_ms, struct policy_conn *out)
{
	bool may_pass;

	out->name = mem_strdup(conn->name);
	out->group = group_of(report, conn);
	may_pass = policy_traits(out->group)->may_pass;
	out->negotiation_pass = shunt_passes(report, conn, "negotiationshunt", may_pass, false);
	out->failure_pass = shunt_passes(report, conn, "failureshunt", may_pass, may_pass);
	out->shunt_lifetime_s = section_time(conn, "shuntlifetime", shunt_lifetime_ms) / 1000;
	out->idle_timeout_s = section_time(conn, "idle-timeout", IDLE_TIMEOUT_MS) / 1000;
	out->ike_conn = SIZE_MAX;
}

/* --- how a conn negotiates ------------------------------------------------------------------------------ */

static void fill_suite(struct conf_report *report, const struct section *conn, const char *key,
	bool is_ike, struct ike_suite *out)
{
	const struct param *param = section_param(conn, key);
	char *text;

	if (!param)
		return;
	if (!value_suite(param->value, is_ike, out, &text))
		report_error(report, param->place, "%s=%s: %s", key, param->value, text);
	else if (*text)
		report_warning(report, param->place,
			"%s: not available in this build, left out: %s", key, text);
	free(text);
}

static void refuse_ikev1(struct conf_report *report, const struct section *conn)
{
	static const char *const keys[] = {"ikev2", "keyexchange"};

	for (size_t i = 0; i < ARRAY_LEN(keys); i++) {
		const struct param *param = section_param(conn, keys[i]);

		if (param && is_word(param->value, "never | no | ikev1"))
			report_error(report, param->place, "%s=%s: there is IKEv2 only", keys[i],
				param->value);
	}
}

static void fill_timers(const struct section *conn, struct ike_conn *out)
{
	out->retransmit_timeout_ms =
		section_time(conn, "retransmit-timeout", DEFAULT_RETRANSMIT_TIMEOUT_MS);
	out->retransmit_interval_ms =
		section_time(conn, "retransmit-interval", DEFAULT_RETRANSMIT_INTERVAL_MS);
	out->dpd_delay_ms = section_time(conn, "dpddelay", DEFAULT_DPD_MS);
}

/* The first of its names that is given. */
static uint32_t child_lifetime_ms(const struct section *conn)
{
	static const char *const names[] = {"salifetime", "keylife", "lifetime"};

	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		if (section_param(conn, names[i]))
			return section_time(conn, names[i], DEFAULT_LIFETIME_MS);
	}
	return DEFAULT_LIFETIME_MS;
}

static void fill_rekey(const struct section *conn, struct ike_conn *out)
{
	const char *fuzz = section_text(conn, "rekeyfuzz");
	uint64_t percent = 100;

	if (fuzz)
		value_percent(fuzz, &percent);
	out->rekey_fuzz = (uint32_t)percent;
	out->ike_lifetime_s = section_time(conn, "ikelifetime", DEFAULT_LIFETIME_MS) / 1000;
	out->child_lifetime_s = child_lifetime_ms(conn) / 1000;
	out->child_max_bytes = section_size(conn, "ipsec-max-bytes", 0);
	out->child_max_packets = section_size(conn, "ipsec-max-packets", 0);
	out->rekey_margin_s = section_time(conn, "rekeymargin", DEFAULT_MARGIN_MS) / 1000;
	out->no_rekey = is_word(section_text(conn, "rekey"), "no");
	out->no_pfs = is_word(section_text(conn, "pfs"), "no");
}

/* Additional key exchanges (ike=…;addke1=…) cannot be without. */
static void fill_intermediate(struct conf_report *report, const struct section *conn, struct ike_conn *out)
{
	const struct param *param = section_param(conn, "intermediate");

	out->intermediate = param && is_word(param->value, "yes");
	if (param && !out->intermediate && ike_suite_has_addke(&out->ike))
		report_error(report, param->place,
			"intermediate=no: the additional key exchanges of ike= need it");
}

static void fill_nat(const struct section *conn, struct ike_conn *out)
{
	const char *encapsulation = section_text(conn, "encapsulation");

	if (is_word(encapsulation, "yes"))
		out->encapsulation = IKE_ENCAPSULATION_YES;
	else if (is_word(encapsulation, "no"))
		out->encapsulation = IKE_ENCAPSULATION_NO;
	else if (!encapsulation && is_word(section_text(conn, "forceencaps"), "yes"))
		out->encapsulation = IKE_ENCAPSULATION_YES;
	out->no_keepalive = is_word(section_text(conn, "nat-keepalive"), "no");
}

static void fill_ppk(const struct section *conn, struct ike_conn *out)
{
	const char *ppk = section_text(conn, "ppk"), *ids = section_text(conn, "ppk-ids");

	if (is_word(ppk, "yes | propose | permit"))
		out->ppk = IKE_PPK_PROPOSE;
	else if (is_word(ppk, "insist | always"))
		out->ppk = IKE_PPK_INSIST;
	out->ppk_ids = ids ? mem_strdup(ids) : NULL;
}

static void fill_esn(const struct section *conn, struct ike_suite *esp)
{
	const char *text = section_text(conn, "esn");

	if (!text || is_word(text, "either"))
		return;
	esp->esn[0] = is_word(text, "yes");
	esp->esn_count = 1;
}

static void fill_ike(struct certs *certs, const struct section *conn, struct ike_conn *out)
{
	struct conf_report *report = certs->source->report;
	uint32_t window = section_number(conn, "replay-window", 0);

	out->name = mem_strdup(conn->name);
	conn_fill_auth(certs, conn, out);
	refuse_ikev1(report, conn);
	fill_suite(report, conn, "ike", true, &out->ike);
	fill_suite(report, conn, section_param(conn, "esp") ? "esp" : "phase2alg", false, &out->esp);
	fill_esn(conn, &out->esp);
	out->mode = is_word(section_text(conn, "type"), "transport") ? IPSEC_TRANSPORT : IPSEC_TUNNEL;
	fill_timers(conn, out);
	fill_rekey(conn, out);
	fill_nat(conn, out);
	fill_ppk(conn, out);
	fill_intermediate(report, conn, out);
	out->no_fragments = is_word(section_text(conn, "fragmentation"), "no");
	if (section_param(conn, "replay-window") && (window == 0 || window > MAX_WINDOW))
		report_error(report, section_param(conn, "replay-window")->place,
			"replay-window=%u: there are windows of 1 to %u packets", window, MAX_WINDOW);
	out->replay_window = (uint16_t)window;
}

/* --- conns -------------------------------------------------------------------------------------------------- */

static bool negotiates(const struct section *conn, const struct policy_conn *policy)
{
	const struct policy_traits *traits = policy_traits(policy->group);

	/* %group means: whatever the group says, but never IKE (libreswan's meaning of the word). */
	return (traits->initiates || traits->accepts) &&
	       !is_word(section_text(conn, conn_is_mirrored(conn) ? "left" : "right"), "%group") &&
	       !is_word(section_text(conn, "authby"), "never");
}

static void add_group(struct certs *certs, const struct section *conn, struct conf *conf)
{
	struct conf_report *report = certs->source->report;
	struct policy_config *policy = &conf->policy;
	struct ike_config *ike = &conf->ike;
	struct policy_conn *out;

	policy->conns = mem_resize(policy->conns, policy->conn_count + 1, sizeof(*policy->conns));
	out = &policy->conns[policy->conn_count++];
	*out = (struct policy_conn){0};
	fill_policy(report, conn, conf->setup.shunt_lifetime_ms, out);
	/* Its name is the name of its file. */
	if (strchr(conn->name, '/') || conn->name[0] == '.')
		report_error(report, conn->place, "conn %s cannot be the name of a group's file",
			conn->name);
	if (!negotiates(conn, out))
		return;
	ike->conns = mem_resize(ike->conns, ike->conn_count + 1, sizeof(*ike->conns));
	memset(&ike->conns[ike->conn_count], 0, sizeof(*ike->conns));
	fill_ike(certs, conn, &ike->conns[ike->conn_count]);
	out->verify_name = ike->conns[ike->conn_count].verify_name;
	out->ike_conn = ike->conn_count++;
}

static void take_conn(struct certs *certs, const struct section *conn, struct conf *conf)
{
	struct conf_report *report = certs->source->report;
	const char *automatic = section_text(conn, "auto");
	enum policy_group group;
	bool named = policy_group_by_name(conn->name, &group);

	if (strcmp(conn->name, "%default") == 0 || (is_word(automatic, "ignore") && !named))
		return;
	check_right(report, conn);
	if (named || conn_is_mirrored(conn) || is_word(section_text(conn, "right"), CONN_GROUP_WORDS))
		add_group(certs, conn, conf);
	else if (automatic)
		report_warning(report, conn->place,
			"only group connections are supported by this version "
			"(right=%%opportunisticgroup); conn %s is ignored",
			conn->name);
}

void build_conns(struct source *source, struct conf *conf)
{
	struct certs certs = {
		.source = source, .ike = &conf->ike, .pki_dir = conf->setup.pki_dir,
		.crl_strict = conf->setup.crl_strict};

	for (size_t i = 0; i < source->count; i++) {
		if (source->sections[i].name)
			take_conn(&certs, &source->sections[i], conf);
	}
	certs_end(&certs);
}
