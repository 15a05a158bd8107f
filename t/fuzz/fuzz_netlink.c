/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The kernel's messages, as a broken or foreign kernel might send them. */
#include "lib/mem.h"
#include "xfrm/decode.h"

#include <linux/netlink.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct nlmsghdr *header = mem_zalloc(sizeof(*header) + len);
	struct decoded_acquire acquire;
	struct decoded_mapping mapping;
	struct decoded_state state;
	struct search_thresholds thresholds;
	struct entry entry;
	bool hard;

	header->nlmsg_len = (uint32_t)(sizeof(*header) + len);
	memcpy(NLMSG_DATA(header), data, len);
	decode_acquire(header, &acquire);
	decode_state(header, &state);
	decode_expire(header, &state);
	decode_mapping(header, &mapping);
	decode_policy(header, &entry);
	decode_thresholds(header, &thresholds);
	decode_policy_expire(header, &entry, &hard);
	free(header);
	return 0;
}
