/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What sections mean: `config setup` into setup and resolver, conns into
 * groups (rules G1, G2, G7). Values were found possible before (keyword.c).
 */
#include "conf/internal.h"

#include "ike/const.h"
#include "lib/mem.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define DEFAULT_RETRANSMIT_TIMEOUT_MS 5000
#define DEFAULT_RETRANSMIT_INTERVAL_MS 250
#define DEFAULT_DPD_MS 30000
#define DEFAULT_SHUNT_LIFETIME_MS 900000
#define MAX_HOLD_MS 4000
#define MAX_ALSO_DEPTH 16

/* --- finding a parameter ------------------------------------------------------------------------ */

static struct section *find_conn(struct source *source, const char *name)
{
	for (size_t i = 0; i < source->count; i++) {
		if (source->sections[i].name && strcmp(source->sections[i].name, name) == 0)
			return &source->sections[i];
	}
	return NULL;
}

static const struct param *own_param(const struct section *section, const char *key)
{
	for (size_t i = section->count; i > 0; i--) {
		if (strcmp(section->params[i - 1].key, key) == 0)
			return &section->params[i - 1];
	}
	return NULL;
}

/* The section's own, then what it takes over by also=, in the order given. */
static const struct param *inherited_param(
	struct source *source, struct section *section, const char *key, unsigned depth)
{
	const struct param *found = own_param(section, key);

	if (found || section->visiting || depth > MAX_ALSO_DEPTH)
		return found;
	section->visiting = true;
	for (size_t i = 0; i < section->count && !found; i++) {
		struct section *other;

		if (strcmp(section->params[i].key, "also") != 0)
			continue;
		other = find_conn(source, section->params[i].value);
		if (other)
			found = inherited_param(source, other, key, depth + 1);
	}
	section->visiting = false;
	return found;
}

static const struct param *param_of(struct source *source, struct section *section, const char *key)
{
	const struct param *found = inherited_param(source, section, key, 0);
	struct section *defaults = find_conn(source, "%default");

	if (!found && defaults && section->name)
		found = inherited_param(source, defaults, key, 0);
	return found;
}

static const char *text_of(struct source *source, struct section *section, const char *key)
{
	const struct param *param = param_of(source, section, key);

	return param ? param->value : NULL;
}

static uint64_t time_of(
	struct source *source, struct section *section, const char *key, uint64_t otherwise_ms)
{
	const char *text = text_of(source, section, key);
	uint64_t ms;

	return text && value_time_ms(text, &ms) ? ms : otherwise_ms;
}

static uint64_t number_of(
	struct source *source, struct section *section, const char *key, uint64_t otherwise)
{
	const char *text = text_of(source, section, key);
	uint64_t number;

	return text && value_number(text, UINT32_MAX, &number) ? number : otherwise;
}

/* --- config setup ----------------------------------------------------------------------------------- */

static void set_text(struct source *source, struct section *setup, const char *key, char **out)
{
	const char *text = text_of(source, setup, key);

	if (!text)
		return;
	free(*out);
	*out = mem_strdup(text);
}

static size_t endpoints_of(
	struct source *source, struct section *setup, const char *key, struct endpoint **out)
{
	const struct param *param = param_of(source, setup, key);
	char *copy, *save = NULL;
	size_t count = 0;

	if (!param)
		return 0;
	copy = mem_strdup(param->value);
	for (char *word = strtok_r(copy, " ,\t", &save); word; word = strtok_r(NULL, " ,\t", &save)) {
		struct endpoint endpoint;

		if (!endpoint_parse(word, 53, &endpoint)) {
			report_error(source->report, param->place, "%s: '%s' is no ADDRESS[:PORT]",
				key, word);
			continue;
		}
		*out = mem_resize(*out, count + 1, sizeof(**out));
		(*out)[count++] = endpoint;
	}
	free(copy);
	return count;
}

static void set_allow(struct source *source, struct section *setup, struct resolver_config *resolver)
{
	const struct param *param = param_of(source, setup, "dns-allow");
	char *copy = mem_strdup(param ? param->value : ""), *save = NULL;

	for (char *word = strtok_r(copy, " ,\t", &save); word; word = strtok_r(NULL, " ,\t", &save)) {
		struct prefix prefix;

		if (!prefix_parse(word, &prefix, NULL)) {
			report_error(source->report, param->place, "dns-allow: '%s' is no prefix", word);
			continue;
		}
		resolver->allow = mem_resize(
			resolver->allow, resolver->allow_count + 1, sizeof(*resolver->allow));
		resolver->allow[resolver->allow_count++] = prefix;
	}
	free(copy);
}

static void set_hold(struct source *source, struct section *setup, struct resolver_config *resolver)
{
	uint64_t hold_ms = time_of(source, setup, "dns-hold", 2000);
	uint64_t grace_ms = time_of(source, setup, "dns-hold-grace", 100);

	/* A4: musl asks again after 2.5 s and gives up at 5. */
	if (hold_ms > MAX_HOLD_MS)
		report_error(source->report, param_of(source, setup, "dns-hold")->place,
			"dns-hold is 4s at most");
	resolver->hold_ms = (uint32_t)(hold_ms > MAX_HOLD_MS ? MAX_HOLD_MS : hold_ms);
	resolver->hold_grace_ms =
		(uint32_t)(grace_ms > resolver->hold_ms ? resolver->hold_ms : grace_ms);
	resolver->max_held = (uint32_t)number_of(source, setup, "dns-max-held", 4096);
}

static void default_listen(struct resolver_config *resolver)
{
	if (resolver->listen_count)
		return;
	resolver->listen = mem_zalloc(2 * sizeof(*resolver->listen));
	endpoint_parse("127.0.0.53", 53, &resolver->listen[0]);
	endpoint_parse("::1", 53, &resolver->listen[1]);
	resolver->listen_count = 2;
	resolver->listen_is_default = true;
}

static bool wants_debug(struct source *source, struct section *setup)
{
	const char *debug = text_of(source, setup, "debug");
	const char *pluto = text_of(source, setup, "plutodebug");

	return (debug && strcmp(debug, "none") != 0) || (pluto && strcmp(pluto, "none") != 0);
}

void build_setup(struct source *source, struct conf *conf)
{
	struct section none = {0}, *setup = &none;

	for (size_t i = 0; i < source->count; i++) {
		if (!source->sections[i].name)
			setup = &source->sections[i];
	}
	conf->setup.state_dir = mem_strdup(OE_STATEDIR);
	conf->setup.control_socket = mem_strdup(OE_RUNDIR "/control.sock");
	conf->setup.policies_dir = mem_strdup(OE_SYSCONFDIR "/policies");
	conf->setup.secrets_file = mem_strdup(OE_SYSCONFDIR "/oe.secrets");
	set_text(source, setup, "logfile", &conf->setup.log_file);
	set_text(source, setup, "statedir", &conf->setup.state_dir);
	set_text(source, setup, "control-socket", &conf->setup.control_socket);
	set_text(source, setup, "policies-dir", &conf->setup.policies_dir);
	set_text(source, setup, "secretsfile", &conf->setup.secrets_file);
	set_text(source, setup, "dns-trust-anchor", &conf->resolver.trust_anchor_file);
	conf->setup.log_debug = wants_debug(source, setup);
	conf->resolver.listen_count =
		endpoints_of(source, setup, "dns-listen", &conf->resolver.listen);
	conf->resolver.forward_count =
		endpoints_of(source, setup, "dns-forward", &conf->resolver.forward);
	default_listen(&conf->resolver);
	set_allow(source, setup, &conf->resolver);
	set_hold(source, setup, &conf->resolver);
	conf->ike.max_half_open = (uint32_t)number_of(source, setup, "max-halfopen-ike", 0);
}

/* --- which group a conn is (G2) -------------------------------------------------------------------------- */

static bool is_word(const char *text, const char *list)
{
	return text && value_is_one_of(text, list);
}

static bool is_open(const char *shunt)
{
	return is_word(shunt, "pass | passthrough");
}

static enum policy_group group_of(struct source *source, struct section *conn)
{
	enum policy_group group;
	const char *type = text_of(source, conn, "type");

	if (policy_group_by_name(conn->name, &group))
		return group;
	if (is_word(type, "passthrough"))
		return POLICY_CLEAR;
	if (is_word(type, "drop | reject"))
		return POLICY_BLOCK;
	if (is_word(text_of(source, conn, "auto"), "add"))
		return POLICY_CLEAR_OR_PRIVATE;
	return is_open(text_of(source, conn, "failureshunt")) ? POLICY_PRIVATE_OR_CLEAR
							      : POLICY_PRIVATE;
}

/* The row of the group is the floor: weaker takes the row's value, with a warning. */
static bool shunt_passes(struct source *source, struct section *conn, const char *key,
	bool may_pass, bool otherwise)
{
	const struct param *param = param_of(source, conn, key);

	if (!param)
		return otherwise;
	if (is_open(param->value) && !may_pass) {
		report_warning(source->report, param->place,
			"%s=%s is weaker than %s allows; packets are kept", key, param->value,
			conn->name);
		return false;
	}
	return is_open(param->value);
}

static void fill_policy(struct source *source, struct section *conn, struct policy_conn *out)
{
	bool may_pass;

	out->name = mem_strdup(conn->name);
	out->group = group_of(source, conn);
	may_pass = policy_traits(out->group)->may_pass;
	out->negotiation_pass = shunt_passes(source, conn, "negotiationshunt", may_pass, false);
	out->failure_pass = shunt_passes(source, conn, "failureshunt", may_pass, may_pass);
	out->shunt_lifetime_s = (uint32_t)(
		time_of(source, conn, "shuntlifetime", DEFAULT_SHUNT_LIFETIME_MS) / 1000);
	out->ike_conn = SIZE_MAX;
}

/* --- how a conn negotiates --------------------------------------------------------------------------------- */

static enum ike_auth auth_of_word(const char *word)
{
	if (is_word(word, "null"))
		return IKE_AUTH_NULL;
	if (is_word(word, "secret | psk"))
		return IKE_AUTH_PSK;
	return is_word(word, "never") ? IKE_AUTH_NEVER : IKE_AUTH_UNAVAILABLE;
}

/* leftauth= and rightauth= before authby=; what authby= lists first counts. */
static enum ike_auth auth_of(
	struct source *source, struct section *conn, const char *key, const char **word)
{
	const char *text = text_of(source, conn, key);
	static const char none[] = "rsasig (the default)";

	if (!text)
		text = text_of(source, conn, "authby");
	*word = text ? text : none;
	if (!text)
		return IKE_AUTH_UNAVAILABLE;
	if (strchr(text, ',')) {
		char *first = mem_strndup(text, strcspn(text, ","));
		enum ike_auth auth = auth_of_word(first);

		free(first);
		return auth;
	}
	return auth_of_word(text);
}

static void fill_auth(struct source *source, struct section *conn, struct ike_conn *out)
{
	const char *local_word, *remote_word, *id;

	out->local_auth = auth_of(source, conn, "leftauth", &local_word);
	out->remote_auth = auth_of(source, conn, "rightauth", &remote_word);
	id = text_of(source, conn, "leftid");
	if (id)
		value_id(id, &out->local_id);
	id = text_of(source, conn, "rightid");
	if (id)
		value_id(id, &out->remote_id);
	if (out->local_auth == IKE_AUTH_UNAVAILABLE)
		out->unavailable = mem_printf("leftauth %s needs certificates", local_word);
	else if (out->remote_auth == IKE_AUTH_UNAVAILABLE)
		out->unavailable = mem_printf("rightauth %s needs certificates", remote_word);
	if (out->unavailable)
		report_warning(source->report, conn->place,
			"conn %s: %s, which this version has not: every negotiation of it fails, "
			"and nothing is sent",
			conn->name, out->unavailable);
}

static void fill_suite(
	struct source *source, struct section *conn, const char *key, bool is_ike, struct ike_suite *out)
{
	const struct param *param = param_of(source, conn, key);
	char *missing;
	bool good;

	if (!param)
		return;
	good = value_suite(param->value, is_ike, out, &missing);
	if (!good)
		report_error(source->report, param->place, "%s=%s: nothing of this is available", key,
			param->value);
	else if (*missing)
		report_warning(source->report, param->place, "%s: not in this version, left out: %s",
			key, missing);
	free(missing);
}

static void refuse_ikev1(struct source *source, struct section *conn)
{
	static const char *const keys[] = {"ikev2", "keyexchange"};

	for (size_t i = 0; i < ARRAY_LEN(keys); i++) {
		const struct param *param = param_of(source, conn, keys[i]);

		if (param && is_word(param->value, "never | no | ikev1"))
			report_error(source->report, param->place, "%s=%s: there is IKEv2 only",
				keys[i], param->value);
	}
}

static void fill_ike(struct source *source, struct section *conn, struct ike_conn *out)
{
	out->name = mem_strdup(conn->name);
	fill_auth(source, conn, out);
	refuse_ikev1(source, conn);
	fill_suite(source, conn, "ike", true, &out->ike);
	fill_suite(source, conn, "phase2alg", false, &out->esp);
	fill_suite(source, conn, "esp", false, &out->esp);
	out->mode = is_word(text_of(source, conn, "type"), "transport") ? IPSEC_TRANSPORT
									 : IPSEC_TUNNEL;
	out->retransmit_timeout_ms = (uint32_t)time_of(
		source, conn, "retransmit-timeout", DEFAULT_RETRANSMIT_TIMEOUT_MS);
	out->retransmit_interval_ms = (uint32_t)time_of(
		source, conn, "retransmit-interval", DEFAULT_RETRANSMIT_INTERVAL_MS);
	out->dpd_delay_ms = (uint32_t)time_of(source, conn, "dpddelay", DEFAULT_DPD_MS);
	out->replay_window = (uint16_t)number_of(source, conn, "replay-window", 0);
}

/* --- conns ------------------------------------------------------------------------------------------------- */

static bool negotiates(struct source *source, struct section *conn, const struct policy_conn *policy)
{
	const struct policy_traits *traits = policy_traits(policy->group);

	/* right=%group means: whatever the group says, but never IKE (seed/README.md). */
	return (traits->initiates || traits->accepts) &&
	       !is_word(text_of(source, conn, "right"), "%group") &&
	       !is_word(text_of(source, conn, "authby"), "never");
}

static void add_group(struct source *source, struct section *conn, struct conf *conf)
{
	struct policy_config *policy = &conf->policy;
	struct policy_conn *out;

	policy->conns =
		mem_resize(policy->conns, policy->conn_count + 1, sizeof(*policy->conns));
	out = &policy->conns[policy->conn_count++];
	memset(out, 0, sizeof(*out));
	fill_policy(source, conn, out);
	if (!negotiates(source, conn, out))
		return;
	conf->ike.conns = mem_resize(
		conf->ike.conns, conf->ike.conn_count + 1, sizeof(*conf->ike.conns));
	memset(&conf->ike.conns[conf->ike.conn_count], 0, sizeof(*conf->ike.conns));
	fill_ike(source, conn, &conf->ike.conns[conf->ike.conn_count]);
	out->ike_conn = conf->ike.conn_count++;
}

static void check_also(struct source *source, const struct section *conn)
{
	for (size_t i = 0; i < conn->count; i++) {
		const struct param *param = &conn->params[i];

		if (strcmp(param->key, "also") == 0 && !find_conn(source, param->value))
			report_error(source->report, param->place, "also=%s: there is no such conn",
				param->value);
	}
}

static void take_conn(struct source *source, struct section *conn, struct conf *conf)
{
	const char *right = text_of(source, conn, "right");
	const char *left = text_of(source, conn, "left");
	enum policy_group group;
	bool named = policy_group_by_name(conn->name, &group);
	bool grouped = is_word(right, "%opportunisticgroup | %group") ||
		       is_word(left, "%opportunisticgroup | %group");

	if (strcmp(conn->name, "%default") == 0 ||
		(is_word(text_of(source, conn, "auto"), "ignore") && !named))
		return;
	if (grouped || named)
		add_group(source, conn, conf);
	else if (text_of(source, conn, "auto"))
		report_warning(source->report, conn->place,
			"conn %s is no group (right=%%opportunisticgroup); only groups are supported by "
			"this version, it has no effect",
			conn->name);
}

void build_conns(struct source *source, struct conf *conf)
{
	for (size_t i = 0; i < source->count; i++) {
		if (!source->sections[i].name)
			continue;
		check_also(source, &source->sections[i]);
		take_conn(source, &source->sections[i], conf);
	}
}
