/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The resolver as a whole (resolver.h): configuration applied as a difference, counters. */
#include "resolver/query.h"

#include "lib/mem.h"
#include "lib/strbuf.h"
#include "resolver/debug.h"
#include "resolver/owner.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* A11 */
static const char *const forward_files[] = {"/run/systemd/resolve/resolv.conf",
	"/run/NetworkManager/no-stub-resolv.conf", "/etc/resolv.conf", NULL};

struct resolver *resolver_new(struct loop *loop, const struct resolver_gate *gate, void *gate_arg,
	const struct resolver_observer *observer, void *observer_arg)
{
	struct resolver *resolver = mem_new(struct resolver);

	resolver->loop = loop;
	resolver->gate = gate;
	resolver->gate_arg = gate_arg;
	resolver->observer = observer;
	resolver->observer_arg = observer_arg;
	resolver->upstream = upstream_new(loop);
	resolver->pairs = pairs_new();
	resolver->forward_files = forward_files;
	return resolver;
}

void resolver_set_debug(struct resolver *resolver, const struct resolver_debug *debug, void *arg)
{
	resolver->debug = debug;
	resolver->debug_arg = arg;
}

static void free_config(struct resolver_config *config)
{
	free(config->listen);
	free(config->forward);
	free(config->allow);
	free(config->trust_anchor_file);
}

void resolver_free(struct resolver *resolver)
{
	struct query *query, *next;

	if (!resolver)
		return;
	HASH_ITER (hh, resolver->queries, query, next)
		query_release(query);
	debug_release(resolver, NULL);
	for (size_t i = 0; i < resolver->listener_count; i++)
		listener_close(resolver->listeners[i]);
	upstream_free(resolver->upstream);
	pairs_free(resolver->pairs);
	free_config(&resolver->config);
	free(resolver->spare);
	free(resolver->listeners);
	free(resolver->forwarders);
	free(resolver);
}

/* --- configuration ------------------------------------------------------------------------------ */

static bool take_query(void *arg, const struct client *client, const uint8_t *data, size_t len)
{
	return query_take(arg, client, data, len);
}

static struct listener *find_listener(const struct resolver *resolver, const struct endpoint *endpoint)
{
	for (size_t i = 0; i < resolver->listener_count; i++) {
		if (endpoint_equal(listener_endpoint(resolver->listeners[i]), endpoint))
			return resolver->listeners[i];
	}
	return NULL;
}

static void explain_bind(struct strbuf *why, const struct endpoint *endpoint, int error)
{
	char text[ADDR_TEXT];
	struct owner owner;

	strbuf_printf(why, "cannot listen on %s: %s", endpoint_format(endpoint, text),
		strerror(-error));
	if (error == -EADDRNOTAVAIL)
		strbuf_printf(why, "; this host has no such address: choose another dns-listen=");
	if (error != -EADDRINUSE)
		return;
	owner = owner_of_port(endpoint);
	strbuf_printf(why, "; held by %s. ", owner.text);
	if (owner.is_resolved)
		strbuf_printf(why, "Set DNSStubListener=no in /etc/systemd/resolved.conf, then "
				   "systemctl restart systemd-resolved");
	else if (*owner.unit)
		strbuf_printf(why, "systemctl disable --now %s, or choose another dns-listen=", owner.unit);
	else
		strbuf_printf(why, "End it, or choose another dns-listen=");
}

/* The listeners of a configuration: those that stay, and new ones. */
struct listener_set {
	struct listener **list;
	bool *is_new;
	size_t count;
};

static void close_new(struct listener_set *set)
{
	for (size_t i = 0; i < set->count; i++) {
		if (set->is_new[i])
			listener_close(set->list[i]);
	}
	free(set->list);
	free(set->is_new);
}

/* 0, or -errno with everything as it was. Without IPv6 on this host, the default ::1 is left out. */
static int open_listeners(struct resolver *resolver, const struct resolver_config *config,
	struct listener_set *set, struct strbuf *why)
{
	set->list = mem_zalloc(config->listen_count * sizeof(*set->list));
	set->is_new = mem_zalloc(config->listen_count * sizeof(*set->is_new));
	for (size_t i = 0; i < config->listen_count; i++) {
		struct listener *listener = find_listener(resolver, &config->listen[i]);
		bool is_new = !listener;
		int error = 0;

		if (is_new)
			listener = listener_open(
				resolver->loop, &config->listen[i], take_query, resolver, &error);
		if (!listener) {
			explain_bind(why, &config->listen[i], error);
			if (config->listen_is_default && i > 0)
				continue;
			close_new(set);
			return error;
		}
		set->list[set->count] = listener;
		set->is_new[set->count++] = is_new;
	}
	return 0;
}

static bool stays(const struct listener_set *set, const struct listener *listener)
{
	for (size_t i = 0; i < set->count; i++) {
		if (set->list[i] == listener)
			return true;
	}
	return false;
}

static void release_queries_of(struct resolver *resolver, const struct listener *listener)
{
	struct query *query, *next;

	HASH_ITER (hh, resolver->queries, query, next) {
		if (query->client.listener == listener)
			query_release(query);
	}
	debug_release(resolver, listener);
}

static void adopt_listeners(struct resolver *resolver, struct listener_set *set)
{
	for (size_t i = 0; i < resolver->listener_count; i++) {
		struct listener *listener = resolver->listeners[i];

		if (stays(set, listener))
			continue;
		release_queries_of(resolver, listener);
		listener_close(listener);
	}
	free(resolver->listeners);
	free(set->is_new);
	resolver->listeners = set->list;
	resolver->listener_count = set->count;
}

static size_t choose_forwarders(const struct resolver *resolver,
	const struct resolver_config *config, struct endpoint **out)
{
	if (config->forward_count) {
		*out = mem_dup(config->forward, config->forward_count * sizeof(**out));
		return config->forward_count;
	}
	return resolver_find_forwarders(
		resolver->forward_files, config->listen, config->listen_count, out);
}

static void copy_config(struct resolver_config *out, const struct resolver_config *config)
{
	*out = *config;
	out->listen = mem_dup(config->listen, config->listen_count * sizeof(*config->listen));
	out->forward = mem_dup(config->forward, config->forward_count * sizeof(*config->forward));
	out->allow = mem_dup(config->allow, config->allow_count * sizeof(*config->allow));
	out->trust_anchor_file =
		config->trust_anchor_file ? mem_strdup(config->trust_anchor_file) : NULL;
}

static int configure_upstream(struct resolver *resolver, const struct resolver_config *config,
	const struct endpoint *forwarders, size_t count, struct strbuf *why)
{
	struct upstream_config upstream = {.forward = forwarders,
		.forward_count = count,
		.trust_anchor_file = config->trust_anchor_file};
	int error = upstream_configure(resolver->upstream, &upstream);

	if (error)
		strbuf_printf(why, "libunbound refuses the forwarders or the trust anchor%s%s",
			config->trust_anchor_file ? " " : "",
			config->trust_anchor_file ? config->trust_anchor_file : "");
	return error;
}

static void adopt_forwarders(struct resolver *resolver, struct endpoint *forwarders, size_t count)
{
	free(resolver->forwarders);
	resolver->forwarders = forwarders;
	resolver->forwarder_count = count;
}

int resolver_configure(struct resolver *resolver, const struct resolver_config *config, char **why)
{
	struct listener_set set = {0};
	struct strbuf text = {0};
	struct endpoint *forwarders = NULL;
	size_t forwarder_count = choose_forwarders(resolver, config, &forwarders);
	int error = open_listeners(resolver, config, &set, &text);

	if (!error) {
		error = configure_upstream(resolver, config, forwarders, forwarder_count, &text);
		if (error)
			close_new(&set);
	}
	*why = text.len ? strbuf_take(&text) : NULL;
	if (error) {
		free(forwarders);
		return error;
	}
	adopt_listeners(resolver, &set);
	adopt_forwarders(resolver, forwarders, forwarder_count);
	free_config(&resolver->config);
	copy_config(&resolver->config, config);
	return 0;
}

const struct endpoint *resolver_forwarders(const struct resolver *resolver, size_t *count)
{
	*count = resolver->forwarder_count;
	return resolver->forwarders;
}

static bool has_forwarders(
	const struct resolver *resolver, const struct endpoint *forwarders, size_t count)
{
	if (count != resolver->forwarder_count)
		return false;
	for (size_t i = 0; i < count; i++) {
		if (!endpoint_equal(&forwarders[i], &resolver->forwarders[i]))
			return false;
	}
	return true;
}

bool resolver_choose_again(struct resolver *resolver, char **why)
{
	struct strbuf text = {0};
	struct endpoint *forwarders = NULL;
	size_t count = choose_forwarders(resolver, &resolver->config, &forwarders);
	bool is_other = !has_forwarders(resolver, forwarders, count) &&
			configure_upstream(resolver, &resolver->config, forwarders, count, &text) == 0;

	*why = text.len ? strbuf_take(&text) : NULL;
	if (is_other)
		adopt_forwarders(resolver, forwarders, count);
	else
		free(forwarders);
	return is_other;
}

const char *const *resolver_forward_files(const struct resolver *resolver)
{
	return resolver->forward_files;
}

void resolver_set_forward_files(struct resolver *resolver, const char *const *files)
{
	resolver->forward_files = files;
}

size_t resolver_bypasses(const struct resolver *resolver, char ***out)
{
	return resolver_find_bypasses("/etc/resolv.conf", "/etc/nsswitch.conf",
		resolver->config.listen, resolver->config.listen_count, out);
}

struct resolver_counters resolver_counters(const struct resolver *resolver)
{
	struct resolver_counters counters = resolver->counters;

	counters.in_flight = HASH_COUNT(resolver->queries);
	counters.held_now = resolver->held_now;
	return counters;
}
