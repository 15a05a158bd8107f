/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Deep copies of the engine's configuration. */
#ifndef IKE_ENGINE_CONFIG_H
#define IKE_ENGINE_CONFIG_H

#include "ike/conn.h"

/* Zero values become the defaults. */
void ike_config_copy(struct ike_config *out, const struct ike_config *config);
/* Frees what ike_config_copy() made; wipes the secrets. */
void ike_config_clear(struct ike_config *config);
/* Frees keys and CAs only. */
void ike_config_clear_certs(struct ike_config *config);
/* Index of the connection of a name, SIZE_MAX when there is none. */
size_t ike_config_find(const struct ike_config *config, const char *name);

#endif
