/* SPDX-License-Identifier: GPL-2.0-or-later */
/* NAT detection (nat.h): SHA-1 of SPIi | SPIr | address | port. */
#include "ike/nat.h"

#include "ike/crypto/prf.h"
#include "ike/payload.h"

#include <string.h>

static bool hash_endpoint(
	uint64_t spi_i, uint64_t spi_r, const struct endpoint *endpoint, uint8_t out[SHA1_LEN])
{
	uint8_t data[2 * IKE_SPI_LEN + 16 + 2];
	struct writer w = writer_init(data, sizeof(data));
	struct chunk chunk = {data, 0};

	writer_u64(&w, spi_i);
	writer_u64(&w, spi_r);
	writer_bytes(&w, endpoint->addr.bytes, addr_len(&endpoint->addr));
	writer_u16(&w, endpoint->port);
	chunk.len = w.len;
	return sha1_compute(&chunk, 1, out);
}

void ike_nat_build(struct ike_builder *builder, uint64_t spi_i, uint64_t spi_r, const struct path *path,
	bool pretend)
{
	struct endpoint own = path->local;
	uint8_t hash[SHA1_LEN];

	/* No datagram comes from port 0. */
	if (pretend)
		own.port = 0;
	if (hash_endpoint(spi_i, spi_r, &own, hash))
		ike_notify_build(builder, IKE_NOTIFY_NAT_DETECTION_SOURCE_IP, hash, SHA1_LEN);
	if (hash_endpoint(spi_i, spi_r, &path->remote, hash))
		ike_notify_build(builder, IKE_NOTIFY_NAT_DETECTION_DESTINATION_IP, hash, SHA1_LEN);
}

/* True when notifies of the type are there and none carries the endpoint's hash. */
static bool differs(
	const struct ike_message *message, uint16_t type, const struct endpoint *endpoint)
{
	bool present = false;
	uint8_t hash[SHA1_LEN];
	struct ike_notify notify;

	if (!hash_endpoint(message->header.spi_i, message->header.spi_r, endpoint, hash))
		return false;
	for (size_t i = 0; i < message->count; i++) {
		if (message->payloads[i].type != IKE_PAYLOAD_NOTIFY ||
			!ike_notify_parse(&message->payloads[i], &notify) || notify.type != type)
			continue;
		present = true;
		/* Several may be sent by a host with several addresses: one match is enough. */
		if (notify.len == SHA1_LEN && memcmp(notify.data, hash, SHA1_LEN) == 0)
			return false;
	}
	return present;
}

unsigned ike_nat_detect(const struct ike_message *message, const struct path *path)
{
	unsigned nat = 0;

	if (differs(message, IKE_NOTIFY_NAT_DETECTION_SOURCE_IP, &path->remote))
		nat |= IKE_NAT_THERE;
	if (differs(message, IKE_NOTIFY_NAT_DETECTION_DESTINATION_IP, &path->local))
		nat |= IKE_NAT_HERE;
	return nat;
}
