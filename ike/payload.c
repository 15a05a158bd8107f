/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Bodies of payloads (payload.h). */
#include "ike/payload.h"

#include <string.h>

static struct reader body_of(const struct ike_payload *payload)
{
	return reader_init(payload->data, payload->len);
}

/* What is left of a body, as data. */
static const uint8_t *rest(struct reader *r, size_t *len)
{
	*len = reader_left(r);
	return reader_bytes(r, *len);
}

/* --- KE (3.4) ------------------------------------------------------------------------- */

bool ike_ke_parse(const struct ike_payload *payload, struct ike_ke *out)
{
	struct reader r = body_of(payload);

	out->group = reader_u16(&r);
	reader_skip(&r, 2);
	out->data = rest(&r, &out->len);
	return !r.failed && out->len > 0;
}

void ike_ke_build(struct ike_builder *builder, uint16_t group, const uint8_t *data, size_t len)
{
	ike_build_begin(builder, IKE_PAYLOAD_KE);
	writer_u16(&builder->w, group);
	writer_zero(&builder->w, 2);
	writer_bytes(&builder->w, data, len);
	ike_build_end(builder);
}

/* --- Notify (3.10) ----------------------------------------------------------------------- */

bool ike_notify_parse(const struct ike_payload *payload, struct ike_notify *out)
{
	struct reader r = body_of(payload);

	out->protocol = reader_u8(&r);
	out->spi_len = reader_u8(&r);
	out->type = reader_u16(&r);
	out->spi = reader_bytes(&r, out->spi_len);
	out->data = rest(&r, &out->len);
	return !r.failed;
}

bool ike_notify_find(const struct ike_message *message, uint16_t type, struct ike_notify *out)
{
	for (size_t i = 0; i < message->count; i++) {
		if (message->payloads[i].type == IKE_PAYLOAD_NOTIFY &&
			ike_notify_parse(&message->payloads[i], out) && out->type == type)
			return true;
	}
	return false;
}

bool ike_notify_find_error(const struct ike_message *message, struct ike_notify *out)
{
	for (size_t i = 0; i < message->count; i++) {
		if (message->payloads[i].type == IKE_PAYLOAD_NOTIFY &&
			ike_notify_parse(&message->payloads[i], out) &&
			out->type < IKE_NOTIFY_FIRST_STATUS)
			return true;
	}
	return false;
}

void ike_notify_build(struct ike_builder *builder, uint16_t type, const void *data, size_t len)
{
	ike_build_begin(builder, IKE_PAYLOAD_NOTIFY);
	writer_u8(&builder->w, IKE_PROTOCOL_NONE);
	writer_u8(&builder->w, 0);
	writer_u16(&builder->w, type);
	writer_bytes(&builder->w, data, len);
	ike_build_end(builder);
}

void ike_notify_build_esp(struct ike_builder *builder, uint16_t type, uint32_t spi)
{
	ike_build_begin(builder, IKE_PAYLOAD_NOTIFY);
	writer_u8(&builder->w, IKE_PROTOCOL_ESP);
	writer_u8(&builder->w, 4);
	writer_u16(&builder->w, type);
	writer_u32(&builder->w, spi);
	ike_build_end(builder);
}

/* --- ID (3.5) ------------------------------------------------------------------------------ */

static bool id_len_fits(uint8_t type, size_t len)
{
	switch (type) {
	case IKE_ID_IPV4_ADDR:
		return len == 4;
	case IKE_ID_IPV6_ADDR:
		return len == 16;
	case IKE_ID_NULL: /* RFC 7619 2.2: empty */
		return len == 0;
	}
	return len > 0 && len <= IKE_ID_MAX;
}

bool ike_id_parse(const struct ike_payload *payload, struct ike_id *out)
{
	struct reader r = body_of(payload);
	size_t len;
	const uint8_t *data;

	out->type = reader_u8(&r);
	reader_skip(&r, 3);
	data = rest(&r, &len);
	if (r.failed || !id_len_fits(out->type, len))
		return false;
	out->len = (uint16_t)len;
	memset(out->data, 0, sizeof(out->data));
	if (len)
		memcpy(out->data, data, len);
	return true;
}

size_t ike_id_body(const struct ike_id *id, uint8_t *out)
{
	struct writer w = writer_init(out, 4 + IKE_ID_MAX);

	writer_u8(&w, id->type);
	writer_zero(&w, 3);
	writer_bytes(&w, id->data, id->len);
	return w.len;
}

void ike_id_build(struct ike_builder *builder, uint8_t payload, const struct ike_id *id)
{
	uint8_t body[4 + IKE_ID_MAX];

	ike_build_payload(builder, payload, body, ike_id_body(id, body));
}

/* --- AUTH (3.8) ------------------------------------------------------------------------------- */

bool ike_auth_parse(const struct ike_payload *payload, struct ike_auth_payload *out)
{
	struct reader r = body_of(payload);

	out->method = reader_u8(&r);
	reader_skip(&r, 3);
	out->data = rest(&r, &out->len);
	return !r.failed && out->len > 0;
}

void ike_auth_build(struct ike_builder *builder, uint8_t method, const uint8_t *data, size_t len)
{
	ike_build_begin(builder, IKE_PAYLOAD_AUTH);
	writer_u8(&builder->w, method);
	writer_zero(&builder->w, 3);
	writer_bytes(&builder->w, data, len);
	ike_build_end(builder);
}

void ike_cert_build(struct ike_builder *builder, const uint8_t *der, size_t len)
{
	ike_build_begin(builder, IKE_PAYLOAD_CERT);
	writer_u8(&builder->w, IKE_CERT_X509);
	writer_bytes(&builder->w, der, len);
	ike_build_end(builder);
}

/* --- TS (3.13) ---------------------------------------------------------------------------------- */

/* One selector; *known is false for a kind that we skip. */
static bool parse_selector(struct reader *r, struct ike_ts *out, bool *known)
{
	uint8_t type = reader_u8(r);
	uint8_t proto = reader_u8(r);
	uint16_t len = reader_u16(r);
	size_t addr_len = type == IKE_TS_IPV4 ? 4 : 16;
	struct reader body;

	*known = type == IKE_TS_IPV4 || type == IKE_TS_IPV6;
	if (r->failed || len < 4)
		return false;
	body = reader_sub(r, len - 4u);
	if (r->failed)
		return false;
	if (!*known)
		return true;
	out->proto = proto;
	out->port_start = reader_u16(&body);
	out->port_end = reader_u16(&body);
	if (len != 8 + 2 * addr_len)
		return false;
	addr_from_bytes(reader_bytes(&body, addr_len), addr_len, &out->start);
	addr_from_bytes(reader_bytes(&body, addr_len), addr_len, &out->end);
	return reader_done(&body) && addr_compare(&out->start, &out->end) <= 0;
}

bool ike_ts_parse(const struct ike_payload *payload, struct ike_ts *out, size_t *count)
{
	struct reader r = body_of(payload);
	uint8_t announced = reader_u8(&r);

	*count = 0;
	reader_skip(&r, 3);
	for (unsigned i = 0; i < announced; i++) {
		struct ike_ts ts;
		bool known;

		if (!parse_selector(&r, &ts, &known))
			return false;
		if (known && *count < IKE_TS_MAX)
			out[(*count)++] = ts;
	}
	return announced > 0 && reader_done(&r);
}

static void build_selector(struct writer *w, const struct ike_ts *ts)
{
	size_t len = addr_len(&ts->start);

	writer_u8(w, len == 4 ? IKE_TS_IPV4 : IKE_TS_IPV6);
	writer_u8(w, ts->proto);
	writer_u16(w, (uint16_t)(8 + 2 * len));
	writer_u16(w, ts->port_start);
	writer_u16(w, ts->port_end);
	writer_bytes(w, ts->start.bytes, len);
	writer_bytes(w, ts->end.bytes, len);
}

void ike_ts_build(struct ike_builder *builder, uint8_t payload, const struct ike_ts *ts, size_t count)
{
	ike_build_begin(builder, payload);
	writer_u8(&builder->w, (uint8_t)count);
	writer_zero(&builder->w, 3);
	for (size_t i = 0; i < count; i++)
		build_selector(&builder->w, &ts[i]);
	ike_build_end(builder);
}

/* --- Delete (3.11) --------------------------------------------------------------------------------- */

bool ike_delete_parse(const struct ike_payload *payload, struct ike_delete *out)
{
	struct reader r = body_of(payload);
	uint8_t spi_len;
	uint16_t announced;

	out->count = 0;
	out->protocol = reader_u8(&r);
	spi_len = reader_u8(&r);
	announced = reader_u16(&r);
	if (out->protocol == IKE_PROTOCOL_IKE)
		return !r.failed && spi_len == 0 && announced == 0 && reader_done(&r);
	if (spi_len != 4)
		return false;
	for (unsigned i = 0; i < announced && !r.failed; i++) {
		uint32_t spi = reader_u32(&r);

		if (!r.failed && out->count < IKE_DELETE_MAX)
			out->spis[out->count++] = spi;
	}
	return reader_done(&r);
}

static void build_delete(struct ike_builder *builder, uint8_t protocol, uint8_t spi_len, uint16_t count)
{
	ike_build_begin(builder, IKE_PAYLOAD_DELETE);
	writer_u8(&builder->w, protocol);
	writer_u8(&builder->w, spi_len);
	writer_u16(&builder->w, count);
}

void ike_delete_build_ike(struct ike_builder *builder)
{
	build_delete(builder, IKE_PROTOCOL_IKE, 0, 0);
	ike_build_end(builder);
}

void ike_delete_build_esp(struct ike_builder *builder, uint32_t spi)
{
	build_delete(builder, IKE_PROTOCOL_ESP, 4, 1);
	writer_u32(&builder->w, spi);
	ike_build_end(builder);
}
