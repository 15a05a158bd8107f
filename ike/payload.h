/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The bodies of payloads (RFC 7296 3.4 to 3.13): each is validated as a whole
 * and given as a small value. Pointers are into the message.
 */
#ifndef IKE_PAYLOAD_H
#define IKE_PAYLOAD_H

#include "ike/conn.h"
#include "ike/ike.h"
#include "ike/message.h"

struct ike_ke {
	uint16_t group;
	const uint8_t *data;
	size_t len;
};
bool ike_ke_parse(const struct ike_payload *payload, struct ike_ke *out);
void ike_ke_build(struct ike_builder *builder, uint16_t group, const uint8_t *data, size_t len);

struct ike_notify {
	uint8_t protocol;
	uint16_t type;
	const uint8_t *spi;
	size_t spi_len;
	const uint8_t *data;
	size_t len;
};
bool ike_notify_parse(const struct ike_payload *payload, struct ike_notify *out);
/* The first notify of a type in a message; false when there is none or it is malformed. */
bool ike_notify_find(const struct ike_message *message, uint16_t type, struct ike_notify *out);
/* The first error notify (type below 16384). */
bool ike_notify_find_error(const struct ike_message *message, struct ike_notify *out);
void ike_notify_build(struct ike_builder *builder, uint16_t type, const void *data, size_t len);
/* One about a CHILD SA: REKEY_SA, CHILD_SA_NOT_FOUND. */
void ike_notify_build_esp(struct ike_builder *builder, uint16_t type, uint32_t spi);

/* 3.5: body of IDi and IDr. The raw body goes into the AUTH octets. */
bool ike_id_parse(const struct ike_payload *payload, struct ike_id *out);
void ike_id_build(struct ike_builder *builder, uint8_t payload, const struct ike_id *id);
/* The body as it stands on the wire when we build it; its length. `out` has 4 + IKE_ID_MAX bytes. */
size_t ike_id_body(const struct ike_id *id, uint8_t *out);

struct ike_auth_payload {
	uint8_t method;
	const uint8_t *data;
	size_t len;
};
bool ike_auth_parse(const struct ike_payload *payload, struct ike_auth_payload *out);
void ike_auth_build(struct ike_builder *builder, uint8_t method, const uint8_t *data, size_t len);

/* 3.6: CERT, in DER. */
void ike_cert_build(struct ike_builder *builder, const uint8_t *der, size_t len);

#define IKE_TS_MAX 16
/* Selectors of kinds that we do not know are left out; `out` has IKE_TS_MAX. False when malformed. */
bool ike_ts_parse(const struct ike_payload *payload, struct ike_ts *out, size_t *count);
void ike_ts_build(struct ike_builder *builder, uint8_t payload, const struct ike_ts *ts, size_t count);

#define IKE_DELETE_MAX 32
struct ike_delete {
	uint8_t protocol;
	uint32_t spis[IKE_DELETE_MAX]; /* of ESP; more than fit are ignored */
	size_t count;
};
bool ike_delete_parse(const struct ike_payload *payload, struct ike_delete *out);
void ike_delete_build_ike(struct ike_builder *builder);
void ike_delete_build_esp(struct ike_builder *builder, uint32_t spi);

#endif
