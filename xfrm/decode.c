/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Kernel messages read (decode.h). */
#include "xfrm/decode.h"

#include <arpa/inet.h>
#include <linux/xfrm.h>
#include <netinet/in.h>
#include <netlink/attr.h>
#include <netlink/msg.h>
#include <string.h>

/* Copies the structure at the head of a message; false when it is not all there. */
static bool head(const struct nlmsghdr *message, void *out, size_t len)
{
	if (message->nlmsg_len < NLMSG_LENGTH(len))
		return false;
	memcpy(out, NLMSG_DATA(message), len);
	return true;
}

static bool to_addr(const xfrm_address_t *from, uint16_t family, struct addr *out)
{
	if (family != AF_INET && family != AF_INET6)
		return false;
	return addr_from_bytes(from, family == AF_INET ? 4 : 16, out);
}

static bool to_prefix(
	const xfrm_address_t *from, uint16_t family, uint8_t len, struct prefix *out)
{
	if (!to_addr(from, family, &out->addr) || len > addr_bits(&out->addr))
		return false;
	out->len = len;
	return true;
}

static bool to_key(const struct xfrm_selector *sel, uint8_t dir, struct entry_key *out)
{
	memset(out, 0, sizeof(*out));
	out->tag = sel->user;
	out->dir = dir;
	out->proto = sel->proto;
	out->sport = ntohs(sel->sport);
	out->dport = ntohs(sel->dport);
	out->sport_mask = ntohs(sel->sport_mask);
	out->dport_mask = ntohs(sel->dport_mask);
	return to_prefix(&sel->saddr, sel->family, sel->prefixlen_s, &out->src) &&
	       to_prefix(&sel->daddr, sel->family, sel->prefixlen_d, &out->dst);
}

/* Of a packet: what the kernel has in two ports for ICMP is one of ours, and says nothing of the answers. */
static void decode_ports(const struct xfrm_selector *sel, struct selector *out)
{
	uint16_t sport = ntohs(sel->sport), dport = ntohs(sel->dport);

	out->proto = sel->proto;
	if (proto_is_icmp(sel->proto)) {
		out->local_port = (uint16_t)(sport << 8 | (dport & 0xff));
		out->local_mask = UINT16_MAX;
	} else {
		out->local_port = sport;
		out->remote_port = dport;
	}
}

bool decode_acquire(const struct nlmsghdr *message, struct decoded_acquire *out)
{
	struct xfrm_user_acquire acquire;
	struct selector *selector = &out->selector;

	memset(out, 0, sizeof(*out));
	if (!head(message, &acquire, sizeof(acquire)))
		return false;
	out->tag = acquire.policy.sel.user;
	out->seq = acquire.seq;
	decode_ports(&acquire.sel, selector);
	return to_prefix(&acquire.policy.sel.daddr, acquire.policy.sel.family,
		       acquire.policy.sel.prefixlen_d, &out->remote) &&
	       to_prefix(&acquire.sel.saddr, acquire.sel.family, acquire.sel.prefixlen_s,
		       &selector->local) &&
	       to_prefix(&acquire.sel.daddr, acquire.sel.family, acquire.sel.prefixlen_d,
		       &selector->remote) &&
	       to_addr(&acquire.saddr, acquire.sel.family, &out->src) &&
	       to_addr(&acquire.id.daddr, acquire.sel.family, &out->dst);
}

static bool to_state(const struct xfrm_usersa_info *info, struct decoded_state *out)
{
	*out = (struct decoded_state){.tag = info->sel.user,
		.spi = ntohl(info->id.spi),
		.seq = info->seq,
		.reqid = info->reqid,
		.proto = info->id.proto,
		.bytes = info->curlft.bytes,
		.packets = info->curlft.packets,
		.last_used_s = info->curlft.use_time};
	return to_addr(&info->saddr, info->family, &out->src) &&
	       to_addr(&info->id.daddr, info->family, &out->dst);
}

bool decode_state(const struct nlmsghdr *message, struct decoded_state *out)
{
	struct xfrm_usersa_info info;
	const struct nlattr *last_used;

	if (!head(message, &info, sizeof(info)) || !to_state(&info, out))
		return false;
	last_used = nlmsg_find_attr((struct nlmsghdr *)message, sizeof(info), XFRMA_LASTUSED);
	if (last_used && nla_len(last_used) >= (int)sizeof(uint64_t))
		memcpy(&out->last_used_s, nla_data(last_used), sizeof(uint64_t));
	return true;
}

bool decode_expire(const struct nlmsghdr *message, struct decoded_state *out)
{
	struct xfrm_user_expire expire;

	if (!head(message, &expire, sizeof(expire)) || !to_state(&expire.state, out))
		return false;
	out->hard = expire.hard;
	return true;
}

bool decode_mapping(const struct nlmsghdr *message, struct decoded_mapping *out)
{
	struct xfrm_user_mapping mapping;

	if (!head(message, &mapping, sizeof(mapping)))
		return false;
	*out = (struct decoded_mapping){
		.spi = ntohl(mapping.id.spi), .new_port = ntohs(mapping.new_sport)};
	return to_addr(&mapping.old_saddr, mapping.id.family, &out->old_src) &&
	       to_addr(&mapping.new_saddr, mapping.id.family, &out->new_src);
}

static bool to_entry(const struct xfrm_userpolicy_info *info, struct entry *out)
{
	*out = (struct entry){.priority = info->priority,
		.action = info->action == XFRM_POLICY_BLOCK ? ENTRY_BLOCK : ENTRY_ALLOW};
	return to_key(&info->sel, info->dir, &out->key);
}

/* One whose length is none is a policy that protects somehow, and never one of ours. */
static void take_template(const struct nlmsghdr *message, struct entry *out)
{
	const struct nlattr *attr = nlmsg_find_attr(
		(struct nlmsghdr *)message, sizeof(struct xfrm_userpolicy_info), XFRMA_TMPL);
	struct xfrm_user_tmpl tmpl;

	if (!attr)
		return;
	out->action = ENTRY_PROTECT;
	if (nla_len(attr) < (int)sizeof(tmpl))
		return;
	memcpy(&tmpl, nla_data(attr), sizeof(tmpl));
	out->optional = tmpl.optional;
	out->mode = tmpl.mode == XFRM_MODE_TUNNEL ? IPSEC_TUNNEL : IPSEC_TRANSPORT;
	out->reqid = tmpl.reqid;
	out->spi = ntohl(tmpl.id.spi);
	to_addr(&tmpl.saddr, tmpl.family, &out->tmpl_src);
	to_addr(&tmpl.id.daddr, tmpl.family, &out->tmpl_dst);
}

bool decode_policy(const struct nlmsghdr *message, struct entry *out)
{
	struct xfrm_userpolicy_info info;

	if (!head(message, &info, sizeof(info)) || !to_entry(&info, out))
		return false;
	out->lifetime_s = (uint32_t)info.lft.hard_add_expires_seconds;
	if (out->action == ENTRY_ALLOW)
		take_template(message, out);
	return true;
}

bool decode_thresholds(const struct nlmsghdr *message, struct search_thresholds *out)
{
	const struct nlattr *ipv4, *ipv6;
	struct xfrmu_spdhthresh thresh;
	uint32_t flags;

	if (message->nlmsg_type != XFRM_MSG_NEWSPDINFO || !head(message, &flags, sizeof(flags)))
		return false;
	ipv4 = nlmsg_find_attr((struct nlmsghdr *)message, sizeof(flags), XFRMA_SPD_IPV4_HTHRESH);
	ipv6 = nlmsg_find_attr((struct nlmsghdr *)message, sizeof(flags), XFRMA_SPD_IPV6_HTHRESH);
	if (ipv4 && nla_len(ipv4) >= (int)sizeof(thresh)) {
		memcpy(&thresh, nla_data(ipv4), sizeof(thresh));
		out->ipv4.local = thresh.lbits;
		out->ipv4.remote = thresh.rbits;
	}
	if (ipv6 && nla_len(ipv6) >= (int)sizeof(thresh)) {
		memcpy(&thresh, nla_data(ipv6), sizeof(thresh));
		out->ipv6.local = thresh.lbits;
		out->ipv6.remote = thresh.rbits;
	}
	return true;
}

bool decode_policy_expire(const struct nlmsghdr *message, struct entry *out, bool *hard)
{
	struct xfrm_user_polexpire expire;

	if (!head(message, &expire, sizeof(expire)) || !to_entry(&expire.pol, out))
		return false;
	*hard = expire.hard;
	return true;
}
