/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What `config setup` means: paths and the log for the daemon, the resolver's
 * listeners, forwarders and bounds. Values were found possible before
 * (keyword.c).
 */
#include "conf/internal.h"

#include "lib/mem.h"

#include <stdlib.h>
#include <string.h>

/* A4: musl asks again after 2.5 s and gives up at 5. */
#define MAX_HOLD_MS 4000
#define SHUNT_LIFETIME_MS 900000

static void set_text(const struct section *setup, const char *key, char **out)
{
	const char *text = section_text(setup, key);

	if (!text)
		return;
	free(*out);
	*out = mem_strdup(text);
}

static size_t endpoints_of(
	struct conf_report *report, const struct section *setup, const char *key, struct endpoint **out)
{
	const struct param *param = section_param(setup, key);
	char *copy, *save = NULL;
	size_t count = 0;

	if (!param)
		return 0;
	copy = mem_strdup(param->value);
	for (char *word = strtok_r(copy, " ,\t", &save); word; word = strtok_r(NULL, " ,\t", &save)) {
		struct endpoint endpoint;

		if (!endpoint_parse(word, 53, &endpoint)) {
			report_error(report, param->place, "%s: '%s' is no ADDRESS[:PORT]",
				key, word);
			continue;
		}
		*out = mem_resize(*out, count + 1, sizeof(**out));
		(*out)[count++] = endpoint;
	}
	free(copy);
	return count;
}

static size_t prefixes_of(
	struct conf_report *report, const struct section *setup, const char *key, struct prefix **out)
{
	const struct param *param = section_param(setup, key);
	char *copy = mem_strdup(param ? param->value : ""), *save = NULL;
	size_t count = 0;

	for (char *word = strtok_r(copy, " ,\t", &save); word; word = strtok_r(NULL, " ,\t", &save)) {
		struct prefix prefix;

		if (!prefix_parse(word, &prefix, NULL)) {
			report_error(report, param->place, "%s: '%s' is no prefix", key, word);
			continue;
		}
		*out = mem_resize(*out, count + 1, sizeof(**out));
		(*out)[count++] = prefix;
	}
	free(copy);
	return count;
}

static void set_hold(struct conf_report *report, const struct section *setup, struct resolver_config *resolver)
{
	uint32_t hold_ms = section_time(setup, "dns-hold", 2000);
	uint32_t grace_ms = section_time(setup, "dns-hold-grace", 100);

	if (hold_ms > MAX_HOLD_MS)
		report_error(report, section_param(setup, "dns-hold")->place,
			"dns-hold is 4s at most");
	resolver->hold_ms = hold_ms > MAX_HOLD_MS ? MAX_HOLD_MS : hold_ms;
	resolver->hold_grace_ms =
		grace_ms > resolver->hold_ms ? resolver->hold_ms : grace_ms;
	resolver->max_held = section_number(setup, "dns-max-held", 4096);
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

static bool says_yes(const struct section *setup, const char *key)
{
	const char *text = section_text(setup, key);

	return text && value_is_one_of(text, "yes");
}

static bool wants_debug(const struct section *setup)
{
	const char *debug = section_text(setup, "debug");
	const char *pluto = section_text(setup, "plutodebug");

	return (debug && strcmp(debug, "none") != 0) || (pluto && strcmp(pluto, "none") != 0);
}

static enum ike_ddos_mode ddos_mode_of(const char *text)
{
	if (text && value_is_one_of(text, "busy"))
		return IKE_DDOS_BUSY;
	return text && value_is_one_of(text, "unlimited") ? IKE_DDOS_UNLIMITED : IKE_DDOS_AUTO;
}

void build_setup(struct source *source, struct conf *conf)
{
	const struct section none = {0}, *setup = &none;

	for (size_t i = 0; i < source->count; i++) {
		if (!source->sections[i].name)
			setup = &source->sections[i];
	}
	conf->setup.state_dir = mem_strdup(OE_STATEDIR);
	conf->setup.control_socket = mem_strdup(OE_RUNDIR "/control.sock");
	conf->setup.policies_dir = mem_strdup(OE_SYSCONFDIR "/policies");
	conf->setup.secrets_file = mem_strdup(OE_SYSCONFDIR "/oe.secrets");
	conf->setup.pki_dir = mem_strdup(OE_SYSCONFDIR "/pki");
	set_text(setup, "logfile", &conf->setup.log_file);
	set_text(setup, "ike-keylog", &conf->setup.key_log);
	set_text(setup, "statedir", &conf->setup.state_dir);
	set_text(setup, "control-socket", &conf->setup.control_socket);
	set_text(setup, "policies-dir", &conf->setup.policies_dir);
	set_text(setup, "secretsfile", &conf->setup.secrets_file);
	set_text(setup, "pki-dir", &conf->setup.pki_dir);
	set_text(setup, "dns-trust-anchor", &conf->resolver.trust_anchor_file);
	conf->setup.shunt_lifetime_ms = section_time(setup, "shuntlifetime", SHUNT_LIFETIME_MS);
	conf->setup.log_debug = wants_debug(setup);
	conf->setup.watch = says_yes(setup, "watch");
	conf->setup.crl_strict = says_yes(
		setup, section_param(setup, "crl-strict") ? "crl-strict" : "strictcrlpolicy");
	conf->resolver.listen_count =
		endpoints_of(source->report, setup, "dns-listen", &conf->resolver.listen);
	conf->resolver.forward_count =
		endpoints_of(source->report, setup, "dns-forward", &conf->resolver.forward);
	default_listen(&conf->resolver);
	conf->resolver.allow_count =
		prefixes_of(source->report, setup, "dns-allow", &conf->resolver.allow);
	conf->policy.masqueraded_count =
		prefixes_of(source->report, setup, "masqueraded", &conf->policy.masqueraded);
	set_hold(source->report, setup, &conf->resolver);
	conf->ike.max_half_open = section_number(setup, "max-halfopen-ike", 0);
	conf->ike.max_anonymous = section_number(setup, "max-anonymous-ike", 0);
	conf->ike.cookie_threshold = section_number(setup, "ddos-ike-threshold", 0);
	conf->ike.keepalive_s = section_time(setup, "keep-alive", 0) / 1000;
	conf->ike.ddos_mode = ddos_mode_of(section_text(setup, "ddos-mode"));
}

