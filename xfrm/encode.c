/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Kernel messages (encode.h): a structure, then attributes. */
#include "xfrm/encode.h"

#include <arpa/inet.h>
#include <linux/udp.h>
#include <linux/xfrm.h>
#include <netinet/in.h>
#include <netlink/msg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#define DEFAULT_WINDOW 128u
#define MAX_SMALL_WINDOW 32u
#define MAX_WINDOW 4096u /* XFRMA_REPLAY_ESN_MAX */
#define SINK_KEY_LEN 20	 /* AES-128-GCM, with the salt */

static struct nl_msg *begin(int type, int flags, const void *body, size_t len)
{
	struct nl_msg *msg = nlmsg_alloc_simple(type, NLM_F_REQUEST | flags);

	if (!msg || nlmsg_append(msg, (void *)body, len, NLMSG_ALIGNTO) != 0)
		abort(); /* out of memory: libnl allocates a page for each message */
	return msg;
}

static void add(struct nl_msg *msg, int type, const void *data, size_t len)
{
	if (nla_put(msg, type, (int)len, data) != 0)
		abort(); /* a page holds every message that is made here */
}

static uint16_t family_of(const struct addr *addr)
{
	return addr->family == ADDR_IPV4 ? AF_INET : AF_INET6;
}

static xfrm_address_t address(const struct addr *addr)
{
	xfrm_address_t out = {0};

	memcpy(&out, addr->bytes, addr_len(addr));
	return out;
}

static uint64_t limit_of(uint64_t amount)
{
	return amount ? amount : XFRM_INF;
}

static struct xfrm_lifetime_cfg unlimited(void)
{
	return (struct xfrm_lifetime_cfg){.soft_byte_limit = XFRM_INF,
		.hard_byte_limit = XFRM_INF,
		.soft_packet_limit = XFRM_INF,
		.hard_packet_limit = XFRM_INF};
}

struct xfrm_selector encode_selector(const struct entry_key *key)
{
	struct xfrm_selector sel;

	memset(&sel, 0, sizeof(sel));
	sel.family = family_of(key->src.addr.family ? &key->src.addr : &key->dst.addr);
	sel.saddr = address(&key->src.addr);
	sel.daddr = address(&key->dst.addr);
	sel.prefixlen_s = key->src.len;
	sel.prefixlen_d = key->dst.len;
	sel.proto = key->proto;
	sel.sport = htons(key->sport);
	sel.sport_mask = htons(key->sport_mask);
	sel.dport = htons(key->dport);
	sel.dport_mask = htons(key->dport_mask);
	sel.user = key->tag;
	return sel;
}

/* --- policies ------------------------------------------------------------------------------- */

static void add_template(struct nl_msg *msg, const struct entry *entry, uint16_t family)
{
	struct xfrm_user_tmpl tmpl;

	memset(&tmpl, 0, sizeof(tmpl));
	tmpl.id.proto = IPPROTO_ESP;
	tmpl.id.daddr = address(&entry->tmpl_dst);
	tmpl.id.spi = htonl(entry->spi);
	tmpl.saddr = address(&entry->tmpl_src);
	tmpl.family = family;
	tmpl.mode = entry->mode == IPSEC_TUNNEL ? XFRM_MODE_TUNNEL : XFRM_MODE_TRANSPORT;
	tmpl.reqid = entry->reqid;
	tmpl.optional = entry->optional;
	tmpl.aalgos = tmpl.ealgos = tmpl.calgos = ~0u;
	add(msg, XFRMA_TMPL, &tmpl, sizeof(tmpl));
}

struct nl_msg *encode_policy(const struct entry *entry)
{
	struct xfrm_userpolicy_info info;
	struct nl_msg *msg;

	memset(&info, 0, sizeof(info));
	info.sel = encode_selector(&entry->key);
	info.lft = unlimited();
	info.lft.hard_add_expires_seconds = entry->lifetime_s;
	info.priority = entry->priority;
	info.dir = entry->key.dir;
	info.action = entry->action == ENTRY_BLOCK ? XFRM_POLICY_BLOCK : XFRM_POLICY_ALLOW;
	info.share = XFRM_SHARE_ANY;
	msg = begin(XFRM_MSG_UPDPOLICY, 0, &info, sizeof(info));
	if (entry->action == ENTRY_PROTECT)
		add_template(msg, entry, info.sel.family);
	return msg;
}

static struct nl_msg *policy_id(int type, const struct entry_key *key)
{
	struct xfrm_userpolicy_id id;

	memset(&id, 0, sizeof(id));
	id.sel = encode_selector(key);
	id.dir = key->dir;
	return begin(type, 0, &id, sizeof(id));
}

struct nl_msg *encode_policy_delete(const struct entry_key *key)
{
	return policy_id(XFRM_MSG_DELPOLICY, key);
}

struct nl_msg *encode_policy_get(const struct entry_key *key)
{
	return policy_id(XFRM_MSG_GETPOLICY, key);
}

struct nl_msg *encode_policy_dump(void)
{
	struct xfrm_userpolicy_id id;

	memset(&id, 0, sizeof(id));
	return begin(XFRM_MSG_GETPOLICY, NLM_F_DUMP, &id, sizeof(id));
}

/* The kernel gives each policy an index, and counts its use; it says no more of ours than a template. */
bool encode_is_policy(const struct entry *entry, const struct nlmsghdr *dumped)
{
	struct nl_msg *msg = encode_policy(entry);
	struct xfrm_userpolicy_info *made = nlmsg_data(nlmsg_hdr(msg)), found;
	const struct nlattr *attr, *tmpl = NULL;
	int left;
	bool same;

	memcpy(&found, nlmsg_data(dumped), sizeof(found));
	memset(&found.curlft, 0, sizeof(found.curlft));
	found.index = 0;
	same = memcmp(made, &found, sizeof(found)) == 0;
	nlmsg_for_each_attr (attr, (struct nlmsghdr *)dumped, sizeof(found), left) {
		if (nla_type(attr) == XFRMA_TMPL)
			tmpl = attr;
		else if (nla_type(attr) != XFRMA_POLICY_TYPE)
			same = false;
	}
	attr = nlmsg_find_attr(nlmsg_hdr(msg), sizeof(found), XFRMA_TMPL);
	if (!attr || !tmpl)
		same = same && attr == tmpl;
	else
		same = same && nla_len(attr) == nla_len(tmpl) &&
		       memcmp(nla_data(attr), nla_data(tmpl), (size_t)nla_len(attr)) == 0;
	nlmsg_free(msg);
	return same;
}

/* --- thresholds ------------------------------------------------------------------------------ */

struct nl_msg *encode_thresholds(const struct search_thresholds *thresholds)
{
	struct xfrmu_spdhthresh ipv4 = {.lbits = thresholds->ipv4.local, .rbits = thresholds->ipv4.remote};
	struct xfrmu_spdhthresh ipv6 = {.lbits = thresholds->ipv6.local, .rbits = thresholds->ipv6.remote};
	uint32_t flags = 0;
	struct nl_msg *msg = begin(XFRM_MSG_NEWSPDINFO, 0, &flags, sizeof(flags));

	add(msg, XFRMA_SPD_IPV4_HTHRESH, &ipv4, sizeof(ipv4));
	add(msg, XFRMA_SPD_IPV6_HTHRESH, &ipv6, sizeof(ipv6));
	return msg;
}

struct nl_msg *encode_thresholds_get(void)
{
	uint32_t flags = ~0u;

	return begin(XFRM_MSG_GETSPDINFO, 0, &flags, sizeof(flags));
}

/* --- states ---------------------------------------------------------------------------------- */

/* An algorithm by the kernel's name; `bits` of the integrity check value. */
struct algorithm {
	uint16_t id;
	const char *name;
	uint16_t bits;
};

static const struct algorithm ciphers[] = {
	{IPSEC_ENCR_AES_GCM_16, "rfc4106(gcm(aes))", 128},
	{IPSEC_ENCR_CHACHA20_POLY1305, "rfc7539esp(chacha20,poly1305)", 128},
	{IPSEC_ENCR_AES_CBC, "cbc(aes)", 0},
};

/* RFC 4868 */
static const struct algorithm integs[] = {
	{IPSEC_INTEG_HMAC_SHA2_256_128, "hmac(sha256)", 128},
	{IPSEC_INTEG_HMAC_SHA2_384_192, "hmac(sha384)", 192},
	{IPSEC_INTEG_HMAC_SHA2_512_256, "hmac(sha512)", 256},
};

/* One that the kernel has not is refused by it: the name is empty. */
static struct algorithm find(const struct algorithm *list, size_t count, uint16_t id)
{
	for (size_t i = 0; i < count; i++) {
		if (list[i].id == id)
			return list[i];
	}
	return (struct algorithm){.name = ""};
}

static void add_aead(struct nl_msg *msg, const struct ipsec_sa *sa, const struct algorithm *algorithm)
{
	union {
		struct xfrm_algo_aead alg;
		uint8_t room[sizeof(struct xfrm_algo_aead) + IPSEC_KEY_MAX];
	} aead;
	size_t len = sizeof(aead.alg) + sa->encr_key_len;

	memset(&aead, 0, sizeof(aead));
	strncpy(aead.alg.alg_name, algorithm->name, sizeof(aead.alg.alg_name) - 1);
	aead.alg.alg_key_len = sa->encr_key_len * 8u; /* with the salt */
	aead.alg.alg_icv_len = algorithm->bits;
	memcpy(aead.room + sizeof(aead.alg), sa->encr_key, sa->encr_key_len);
	add(msg, XFRMA_ALG_AEAD, &aead, len);
	secret_wipe(&aead, sizeof(aead));
}

static void add_crypt(struct nl_msg *msg, const struct ipsec_sa *sa, const struct algorithm *algorithm)
{
	union {
		struct xfrm_algo alg;
		uint8_t room[sizeof(struct xfrm_algo) + IPSEC_KEY_MAX];
	} crypt;

	memset(&crypt, 0, sizeof(crypt));
	strncpy(crypt.alg.alg_name, algorithm->name, sizeof(crypt.alg.alg_name) - 1);
	crypt.alg.alg_key_len = sa->encr_key_len * 8u;
	memcpy(crypt.room + sizeof(crypt.alg), sa->encr_key, sa->encr_key_len);
	add(msg, XFRMA_ALG_CRYPT, &crypt, sizeof(crypt.alg) + sa->encr_key_len);
	secret_wipe(&crypt, sizeof(crypt));
}

/* The kernel's own length for SHA-256 is 96 bits (a draft's): ours is always said. */
static void add_auth(struct nl_msg *msg, const struct ipsec_sa *sa, const struct algorithm *algorithm)
{
	union {
		struct xfrm_algo_auth alg;
		uint8_t room[sizeof(struct xfrm_algo_auth) + IPSEC_KEY_MAX];
	} auth;

	memset(&auth, 0, sizeof(auth));
	strncpy(auth.alg.alg_name, algorithm->name, sizeof(auth.alg.alg_name) - 1);
	auth.alg.alg_key_len = sa->integ_key_len * 8u;
	auth.alg.alg_trunc_len = algorithm->bits;
	memcpy(auth.room + sizeof(auth.alg), sa->integ_key, sa->integ_key_len);
	add(msg, XFRMA_ALG_AUTH_TRUNC, &auth, sizeof(auth.alg) + sa->integ_key_len);
	secret_wipe(&auth, sizeof(auth));
}

static void add_algorithms(struct nl_msg *msg, const struct ipsec_sa *sa, const struct sa_pair *pair)
{
	struct algorithm cipher = find(ciphers, sizeof(ciphers) / sizeof(ciphers[0]), pair->encr);
	struct algorithm integ = find(integs, sizeof(integs) / sizeof(integs[0]), pair->integ);

	if (pair->integ == IPSEC_INTEG_NONE) {
		add_aead(msg, sa, &cipher);
		return;
	}
	add_auth(msg, sa, &integ);
	add_crypt(msg, sa, &cipher);
}

/* Of the window, which is a bitmap, and of the counters; the kernel wants it wherever ESN is. */
static void add_replay(struct nl_msg *msg, unsigned window)
{
	uint8_t room[sizeof(struct xfrm_replay_state_esn) + MAX_WINDOW / 8] = {0};
	struct xfrm_replay_state_esn *esn = (struct xfrm_replay_state_esn *)room;

	esn->bmp_len = (window + 31) / 32;
	esn->replay_window = window;
	add(msg, XFRMA_REPLAY_ESN_VAL, esn,
		sizeof(*esn) + esn->bmp_len * sizeof(uint32_t));
}

static void add_encap(struct nl_msg *msg, const struct sa_pair *pair, bool inbound)
{
	struct xfrm_encap_tmpl encap;

	memset(&encap, 0, sizeof(encap));
	encap.encap_type = UDP_ENCAP_ESPINUDP;
	encap.encap_sport = htons(inbound ? pair->encap_remote_port : pair->encap_local_port);
	encap.encap_dport = htons(inbound ? pair->encap_local_port : pair->encap_remote_port);
	add(msg, XFRMA_ENCAP, &encap, sizeof(encap));
}

static unsigned window_of(const struct sa_pair *pair)
{
	unsigned window = pair->replay_window ? pair->replay_window : DEFAULT_WINDOW;

	return window > MAX_WINDOW ? MAX_WINDOW : window;
}

/* It asks for its successor before its sequence numbers end (ESN's do not), or when it is told to. */
static void limit_outbound(struct xfrm_lifetime_cfg *lft, const struct sa_pair *pair)
{
	lft->hard_byte_limit = limit_of(pair->max_bytes);
	lft->hard_packet_limit = limit_of(pair->max_packets);
	lft->soft_byte_limit = limit_of(pair->soft_bytes);
	lft->soft_packet_limit = limit_of(pair->soft_packets);
	if (!pair->esn && lft->soft_packet_limit > ENCODE_SOFT_PACKETS)
		lft->soft_packet_limit = ENCODE_SOFT_PACKETS;
}

static struct nl_msg *encode_state(int type, const struct ipsec_sa *sa, const struct sa_pair *pair,
	uint32_t reqid, uint32_t tag, bool inbound)
{
	struct xfrm_usersa_info info;
	unsigned window = window_of(pair);
	bool large = pair->esn || (inbound && window > MAX_SMALL_WINDOW);
	struct nl_msg *msg;

	memset(&info, 0, sizeof(info));
	info.sel.user = tag;
	info.id.daddr = address(&sa->dst);
	info.id.spi = htonl(sa->spi);
	info.id.proto = IPPROTO_ESP;
	info.saddr = address(&sa->src);
	info.lft = unlimited();
	/* One soft expire at the peer's first packet (kernel.md 0.10): it has the pair now. */
	if (inbound)
		info.lft.soft_packet_limit = 1;
	if (!inbound)
		limit_outbound(&info.lft, pair);
	info.reqid = reqid;
	info.family = family_of(&sa->dst);
	info.mode = pair->mode == IPSEC_TUNNEL ? XFRM_MODE_TUNNEL : XFRM_MODE_TRANSPORT;
	if (pair->mode == IPSEC_TUNNEL)
		info.flags = XFRM_STATE_AF_UNSPEC;
	if (pair->esn)
		info.flags |= XFRM_STATE_ESN;
	info.replay_window = inbound && !large ? (uint8_t)window : 0;
	msg = begin(type, 0, &info, sizeof(info));
	add_algorithms(msg, sa, pair);
	if (large)
		add_replay(msg, window);
	if (pair->encap_remote_port)
		add_encap(msg, pair, inbound);
	return msg;
}

struct nl_msg *encode_sa(const struct ipsec_sa *sa, const struct sa_pair *pair, uint32_t reqid,
	uint32_t tag, bool inbound)
{
	return encode_state(XFRM_MSG_NEWSA, sa, pair, reqid, tag, inbound);
}

/* For what is no key and must not be a known one either; such short reads cannot fail after boot. */
static void fill_random(void *out, size_t len)
{
	if (getrandom(out, len, 0) < 0)
		abort();
}

struct nl_msg *encode_sa_move(const struct ipsec_sa *sa, const struct sa_pair *pair, uint32_t reqid,
	uint32_t tag, bool inbound)
{
	struct ipsec_sa keyless = *sa;
	struct nl_msg *msg;

	/* An update must look like a whole SA. */
	fill_random(keyless.encr_key, sizeof(keyless.encr_key));
	fill_random(keyless.integ_key, sizeof(keyless.integ_key));
	msg = encode_state(XFRM_MSG_UPDSA, &keyless, pair, reqid, tag, inbound);
	secret_wipe(&keyless, sizeof(keyless));
	return msg;
}

struct nl_msg *encode_sa_sink(
	const struct addr *src, const struct addr *dst, uint32_t spi, uint32_t reqid, uint32_t tag)
{
	struct sa_pair pair = {.mode = IPSEC_TRANSPORT, .encr = IPSEC_ENCR_AES_GCM_16};
	struct ipsec_sa sa = {.src = *src, .dst = *dst, .spi = spi, .encr_key_len = SINK_KEY_LEN};
	struct xfrm_replay_state replay = {.oseq = UINT32_MAX};
	struct nl_msg *msg;

	fill_random(sa.encr_key, sa.encr_key_len);
	msg = encode_state(XFRM_MSG_NEWSA, &sa, &pair, reqid, tag, false);
	add(msg, XFRMA_REPLAY_VAL, &replay, sizeof(replay));
	secret_wipe(&sa, sizeof(sa));
	return msg;
}

static struct nl_msg *sa_id(int type, const struct addr *dst, uint32_t spi)
{
	struct xfrm_usersa_id id;

	memset(&id, 0, sizeof(id));
	id.daddr = address(dst);
	id.spi = htonl(spi);
	id.family = family_of(dst);
	id.proto = IPPROTO_ESP;
	return begin(type, 0, &id, sizeof(id));
}

struct nl_msg *encode_sa_delete(const struct addr *dst, uint32_t spi)
{
	return sa_id(XFRM_MSG_DELSA, dst, spi);
}

struct nl_msg *encode_sa_get(const struct addr *dst, uint32_t spi)
{
	return sa_id(XFRM_MSG_GETSA, dst, spi);
}

struct nl_msg *encode_sa_dump(void)
{
	struct xfrm_usersa_id id;

	memset(&id, 0, sizeof(id));
	return begin(XFRM_MSG_GETSA, NLM_F_DUMP, &id, sizeof(id));
}

struct nl_msg *encode_alloc_spi(const struct addr *src, const struct addr *dst, uint32_t seq)
{
	struct xfrm_userspi_info info;

	memset(&info, 0, sizeof(info));
	info.info.id.daddr = address(dst);
	info.info.id.proto = IPPROTO_ESP;
	info.info.saddr = address(src);
	info.info.seq = seq;
	info.info.family = family_of(dst);
	info.info.mode = XFRM_MODE_TRANSPORT;
	info.min = 0x100;
	info.max = 0xffffffff;
	return begin(XFRM_MSG_ALLOCSPI, 0, &info, sizeof(info));
}
