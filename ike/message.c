/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Header and payload chain (message.h). */
#include "ike/message.h"

#define CRITICAL 0x80

bool ike_header_parse(const uint8_t *data, size_t len, struct ike_header *out)
{
	struct reader r = reader_init(data, len);

	out->spi_i = reader_u64(&r);
	out->spi_r = reader_u64(&r);
	out->next = reader_u8(&r);
	out->version = reader_u8(&r);
	out->exchange = reader_u8(&r);
	out->flags = reader_u8(&r);
	out->id = reader_u32(&r);
	out->len = reader_u32(&r);
	return !r.failed;
}

static bool is_known(uint8_t type)
{
	return type >= IKE_PAYLOAD_SA && (type <= IKE_PAYLOAD_EAP || type == IKE_PAYLOAD_SKF);
}

static bool add_payload(struct ike_message *message, uint8_t type, const struct reader *body)
{
	if (message->count == IKE_MAX_PAYLOADS)
		return false;
	message->payloads[message->count++] =
		(struct ike_payload){.type = type, .data = body->data, .len = body->len};
	return true;
}

bool ike_chain_parse(uint8_t first, const uint8_t *data, size_t len, struct ike_message *out)
{
	struct reader r = reader_init(data, len);
	uint8_t type = first;

	while (type != IKE_PAYLOAD_NONE) {
		uint8_t next = reader_u8(&r);
		uint8_t bits = reader_u8(&r);
		uint16_t payload_len = reader_u16(&r);
		struct reader body;

		if (r.failed || payload_len < IKE_GENERIC_LEN)
			return false;
		body = reader_sub(&r, payload_len - IKE_GENERIC_LEN);
		if (r.failed)
			return false;
		/* 2.5: the critical bit counts only on what we do not know. */
		if (is_known(type)) {
			if (!add_payload(out, type, &body))
				return false;
		} else if ((bits & CRITICAL) && !out->unsupported) {
			out->unsupported = type;
		}
		/* 3.14: SK is last; its next-payload field is that of its content. */
		if (type == IKE_PAYLOAD_SK || type == IKE_PAYLOAD_SKF) {
			out->sk_first = next;
			break;
		}
		type = next;
	}
	return reader_done(&r);
}

bool ike_message_parse(const uint8_t *data, size_t len, struct ike_message *out)
{
	out->count = 0;
	out->unsupported = 0;
	out->sk_first = 0;
	if (!ike_header_parse(data, len, &out->header) || out->header.len != len)
		return false;
	return ike_chain_parse(
		out->header.next, data + IKE_HEADER_LEN, len - IKE_HEADER_LEN, out);
}

const struct ike_payload *ike_message_find(const struct ike_message *message, uint8_t type)
{
	for (size_t i = 0; i < message->count; i++) {
		if (message->payloads[i].type == type)
			return &message->payloads[i];
	}
	return NULL;
}

void ike_header_build(struct writer *w, const struct ike_header *header)
{
	writer_u64(w, header->spi_i);
	writer_u64(w, header->spi_r);
	writer_u8(w, header->next);
	writer_u8(w, IKE_VERSION);
	writer_u8(w, header->exchange);
	writer_u8(w, header->flags);
	writer_u32(w, header->id);
	writer_u32(w, header->len);
}

#define NEXT_IN_HEADER 16
#define LENGTH_IN_HEADER 24
#define NO_PLACE SIZE_MAX

struct ike_builder ike_build_message(void *out, size_t room, const struct ike_header *header)
{
	struct ike_builder builder = {.w = writer_init(out, room), .next_at = NEXT_IN_HEADER, .has_header = true};

	ike_header_build(&builder.w, header);
	return builder;
}

struct ike_builder ike_build_chain(void *out, size_t room)
{
	return (struct ike_builder){.w = writer_init(out, room), .next_at = NO_PLACE};
}

void ike_build_begin(struct ike_builder *builder, uint8_t type)
{
	if (builder->next_at != NO_PLACE)
		writer_patch_u8(&builder->w, builder->next_at, type);
	if (!builder->first)
		builder->first = type;
	builder->payload_at = builder->w.len;
	builder->next_at = builder->w.len;
	writer_zero(&builder->w, IKE_GENERIC_LEN);
}

void ike_build_end(struct ike_builder *builder)
{
	size_t len = builder->w.len - builder->payload_at;

	if (len > UINT16_MAX)
		builder->w.failed = true;
	writer_patch_u16(&builder->w, builder->payload_at + 2, (uint16_t)len);
}

void ike_build_payload(struct ike_builder *builder, uint8_t type, const void *data, size_t len)
{
	ike_build_begin(builder, type);
	writer_bytes(&builder->w, data, len);
	ike_build_end(builder);
}

size_t ike_build_finish(struct ike_builder *builder)
{
	if (builder->has_header)
		writer_patch_u32(&builder->w, LENGTH_IN_HEADER, (uint32_t)builder->w.len);
	return builder->w.failed ? 0 : builder->w.len;
}
