/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Deep copies of the engine's configuration (engine_config.h). */
#include "ike/engine_config.h"

#include "ike/crypto/cert.h"
#include "lib/mem.h"

#include <stdlib.h>
#include <string.h>

#define DEFAULT_HALF_OPEN 50000
#define DEFAULT_COOKIE_THRESHOLD 1000
#define DEFAULT_ANONYMOUS 100000
#define DEFAULT_KEEPALIVE_S 20
#define DEFAULT_INTERVAL_MS 250
#define DEFAULT_TIMEOUT_MS 3000
#define DEFAULT_LIFETIME_S (8 * 3600)
#define DEFAULT_MARGIN_S 540

static uint32_t margin_within(uint32_t margin_s, uint32_t lifetime_s)
{
	uint32_t wanted = margin_s ? margin_s : DEFAULT_MARGIN_S;

	return wanted > lifetime_s / 4 ? lifetime_s / 4 : wanted;
}

static void copy_conn(struct ike_conn *out, const struct ike_conn *conn)
{
	*out = *conn;
	out->name = mem_strdup(conn->name);
	out->unavailable = conn->unavailable ? mem_strdup(conn->unavailable) : NULL;
	out->ppk_ids = conn->ppk_ids ? mem_strdup(conn->ppk_ids) : NULL;
	if (!out->retransmit_interval_ms)
		out->retransmit_interval_ms = DEFAULT_INTERVAL_MS;
	if (!out->retransmit_timeout_ms)
		out->retransmit_timeout_ms = DEFAULT_TIMEOUT_MS;
	if (!out->ike_lifetime_s)
		out->ike_lifetime_s = DEFAULT_LIFETIME_S;
	if (!out->child_lifetime_s)
		out->child_lifetime_s = DEFAULT_LIFETIME_S;
	/* A margin that leaves nothing of the lifetime would rekey without end. */
	out->rekey_margin_s = margin_within(out->rekey_margin_s, out->ike_lifetime_s);
	out->rekey_margin_s = margin_within(out->rekey_margin_s, out->child_lifetime_s);
}

static void copy_certs(struct ike_config *out, const struct ike_config *config)
{
	out->identity_count = config->identity_count;
	out->identities = mem_zalloc(config->identity_count * sizeof(struct cert_identity *));
	for (size_t i = 0; i < config->identity_count; i++)
		out->identities[i] = cert_identity_copy(config->identities[i]);
	out->trust_count = config->trust_count;
	out->trusts = mem_zalloc(config->trust_count * sizeof(struct cert_trust *));
	for (size_t i = 0; i < config->trust_count; i++)
		out->trusts[i] = cert_trust_copy(config->trusts[i]);
}

static struct ike_psk *copy_psks(const struct ike_psk *psks, size_t count)
{
	struct ike_psk *out = mem_zalloc(count * sizeof(*out));

	for (size_t i = 0; i < count; i++) {
		out[i] = psks[i];
		out[i].ids = mem_dup(psks[i].ids, psks[i].id_count * sizeof(*psks[i].ids));
		out[i].name = mem_dup(psks[i].name, psks[i].name_len);
	}
	return out;
}

void ike_config_copy(struct ike_config *out, const struct ike_config *config)
{
	*out = (struct ike_config){.conn_count = config->conn_count,
		.max_half_open = config->max_half_open ? config->max_half_open : DEFAULT_HALF_OPEN,
		.cookie_threshold = config->cookie_threshold ? config->cookie_threshold
							      : DEFAULT_COOKIE_THRESHOLD,
		.max_anonymous = config->max_anonymous ? config->max_anonymous : DEFAULT_ANONYMOUS,
		.keepalive_s = config->keepalive_s ? config->keepalive_s : DEFAULT_KEEPALIVE_S,
		.ddos_mode = config->ddos_mode};
	out->conns = mem_zalloc(config->conn_count * sizeof(*out->conns));
	for (size_t i = 0; i < config->conn_count; i++)
		copy_conn(&out->conns[i], &config->conns[i]);
	out->psks = copy_psks(config->psks, config->psk_count);
	out->psk_count = config->psk_count;
	out->ppks = copy_psks(config->ppks, config->ppk_count);
	out->ppk_count = config->ppk_count;
	copy_certs(out, config);
}

void ike_config_clear_certs(struct ike_config *config)
{
	for (size_t i = 0; i < config->identity_count; i++)
		cert_identity_free(config->identities[i]);
	for (size_t i = 0; i < config->trust_count; i++)
		cert_trust_free(config->trusts[i]);
	free(config->identities);
	free(config->trusts);
	config->identities = NULL;
	config->trusts = NULL;
	config->identity_count = config->trust_count = 0;
}

static void free_psks(struct ike_psk *psks, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		secret_clear(&psks[i].secret);
		free(psks[i].name);
		free(psks[i].ids);
	}
	free(psks);
}

void ike_config_clear(struct ike_config *config)
{
	ike_config_clear_certs(config);
	for (size_t i = 0; i < config->conn_count; i++) {
		free(config->conns[i].name);
		free(config->conns[i].unavailable);
		free(config->conns[i].ppk_ids);
	}
	free_psks(config->psks, config->psk_count);
	free_psks(config->ppks, config->ppk_count);
	free(config->conns);
	*config = (struct ike_config){0};
}

size_t ike_config_find(const struct ike_config *config, const char *name)
{
	for (size_t i = 0; i < config->conn_count; i++) {
		if (strcmp(config->conns[i].name, name) == 0)
			return i;
	}
	return SIZE_MAX;
}
