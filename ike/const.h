/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Numbers of IKEv2 (RFC 7296 and IANA's registry). Each list gives value, name
 * and text once; the enum and the printable names are both made from it.
 */
#ifndef IKE_CONST_H
#define IKE_CONST_H

#include <stdint.h>

#define IKE_VERSION 0x20 /* 3.1: major 2, minor 0 */
#define IKE_HEADER_LEN 28
#define IKE_GENERIC_LEN 4
#define IKE_SPI_LEN 8
#define IKE_NONCE_MIN 16
#define IKE_NONCE_MAX 256
#define IKE_NONCE_LEN 32
#define IKE_COOKIE_MAX 64

/* 3.1: flags of the header. */
#define IKE_FLAG_INITIATOR 0x08
#define IKE_FLAG_RESPONSE 0x20

#define IKE_EXCHANGES(X)                                                                           \
	X(34, IKE_SA_INIT)                                                                         \
	X(35, IKE_AUTH)                                                                            \
	X(36, CREATE_CHILD_SA)                                                                     \
	X(37, INFORMATIONAL)                                                                       \
	X(43, IKE_INTERMEDIATE)                                                                    \
	X(44, IKE_FOLLOWUP_KE)

/* 3.2 */
#define IKE_PAYLOADS(X)                                                                            \
	X(0, NONE)                                                                                 \
	X(33, SA)                                                                                  \
	X(34, KE)                                                                                  \
	X(35, IDi)                                                                                 \
	X(36, IDr)                                                                                 \
	X(37, CERT)                                                                                \
	X(38, CERTREQ)                                                                             \
	X(39, AUTH)                                                                                \
	X(40, NONCE)                                                                               \
	X(41, NOTIFY)                                                                              \
	X(42, DELETE)                                                                              \
	X(43, VENDOR)                                                                              \
	X(44, TSi)                                                                                 \
	X(45, TSr)                                                                                 \
	X(46, SK)                                                                                  \
	X(47, CP)                                                                                  \
	X(48, EAP)                                                                                 \
	X(53, SKF)

/* 3.10.1; below 16384 they are errors. */
#define IKE_NOTIFIES(X)                                                                            \
	X(1, UNSUPPORTED_CRITICAL_PAYLOAD)                                                         \
	X(4, INVALID_IKE_SPI)                                                                      \
	X(5, INVALID_MAJOR_VERSION)                                                                \
	X(7, INVALID_SYNTAX)                                                                       \
	X(9, INVALID_MESSAGE_ID)                                                                   \
	X(11, INVALID_SPI)                                                                         \
	X(14, NO_PROPOSAL_CHOSEN)                                                                  \
	X(17, INVALID_KE_PAYLOAD)                                                                  \
	X(24, AUTHENTICATION_FAILED)                                                               \
	X(34, SINGLE_PAIR_REQUIRED)                                                                \
	X(35, NO_ADDITIONAL_SAS)                                                                   \
	X(36, INTERNAL_ADDRESS_FAILURE)                                                            \
	X(37, FAILED_CP_REQUIRED)                                                                  \
	X(38, TS_UNACCEPTABLE)                                                                     \
	X(39, INVALID_SELECTORS)                                                                   \
	X(43, TEMPORARY_FAILURE)                                                                   \
	X(44, CHILD_SA_NOT_FOUND)                                                                  \
	X(47, STATE_NOT_FOUND)                                                                     \
	X(16384, INITIAL_CONTACT)                                                                  \
	X(16385, SET_WINDOW_SIZE)                                                                  \
	X(16386, ADDITIONAL_TS_POSSIBLE)                                                           \
	X(16388, NAT_DETECTION_SOURCE_IP)                                                          \
	X(16389, NAT_DETECTION_DESTINATION_IP)                                                     \
	X(16390, COOKIE)                                                                           \
	X(16391, USE_TRANSPORT_MODE)                                                               \
	X(16393, REKEY_SA)                                                                         \
	X(16394, ESP_TFC_PADDING_NOT_SUPPORTED)                                                    \
	X(16418, CHILDLESS_IKEV2_SUPPORTED)                                                        \
	X(16430, IKEV2_FRAGMENTATION_SUPPORTED)                                                    \
	X(16431, SIGNATURE_HASH_ALGORITHMS)                                                        \
	X(16435, USE_PPK)                                                                          \
	X(16436, PPK_IDENTITY)                                                                     \
	X(16437, NO_PPK_AUTH)                                                                      \
	X(16438, INTERMEDIATE_EXCHANGE_SUPPORTED)                                                  \
	X(16441, ADDITIONAL_KEY_EXCHANGE)

#define IKE_NOTIFY_FIRST_STATUS 16384

/* 3.3.2 transform types. */
#define IKE_TRANSFORM_TYPES(X)                                                                     \
	X(1, ENCR)                                                                                 \
	X(2, PRF)                                                                                  \
	X(3, INTEG)                                                                                \
	X(4, KE)                                                                                   \
	X(5, ESN)                                                                                  \
	X(6, ADDKE1) /* … ADDKE7: RFC 9370 */

#define IKE_ENCRS(X)                                                                               \
	X(12, AES_CBC)                                                                             \
	X(20, AES_GCM_16)                                                                          \
	X(28, CHACHA20_POLY1305)

#define IKE_PRFS(X)                                                                                \
	X(5, HMAC_SHA2_256)                                                                        \
	X(6, HMAC_SHA2_384)                                                                        \
	X(7, HMAC_SHA2_512)

#define IKE_INTEGS(X)                                                                              \
	X(12, HMAC_SHA2_256_128)                                                                   \
	X(13, HMAC_SHA2_384_192)                                                                   \
	X(14, HMAC_SHA2_512_256)

#define IKE_GROUPS(X)                                                                              \
	X(14, MODP_2048)                                                                           \
	X(15, MODP_3072)                                                                           \
	X(16, MODP_4096)                                                                           \
	X(19, ECP_256)                                                                             \
	X(20, ECP_384)                                                                             \
	X(21, ECP_521)                                                                             \
	X(31, CURVE25519)

/* 3.5 */
#define IKE_IDS(X)                                                                                 \
	X(1, IPV4_ADDR)                                                                            \
	X(2, FQDN)                                                                                 \
	X(3, RFC822_ADDR)                                                                          \
	X(5, IPV6_ADDR)                                                                            \
	X(9, DER_ASN1_DN)                                                                          \
	X(11, KEY_ID)                                                                              \
	X(13, NULL)

#define IKE_CONST_ENUM_EXCHANGE(value, name) IKE_EXCHANGE_##name = value,
#define IKE_CONST_ENUM_PAYLOAD(value, name) IKE_PAYLOAD_##name = value,
#define IKE_CONST_ENUM_NOTIFY(value, name) IKE_NOTIFY_##name = value,
#define IKE_CONST_ENUM_TRANSFORM(value, name) IKE_TRANSFORM_##name = value,
#define IKE_CONST_ENUM_ENCR(value, name) IKE_ENCR_##name = value,
#define IKE_CONST_ENUM_PRF(value, name) IKE_PRF_##name = value,
#define IKE_CONST_ENUM_INTEG(value, name) IKE_INTEG_##name = value,
#define IKE_CONST_ENUM_GROUP(value, name) IKE_GROUP_##name = value,
#define IKE_CONST_ENUM_ID(value, name) IKE_ID_##name = value,

enum { IKE_EXCHANGES(IKE_CONST_ENUM_EXCHANGE) };
enum { IKE_PAYLOADS(IKE_CONST_ENUM_PAYLOAD) };
enum { IKE_NOTIFIES(IKE_CONST_ENUM_NOTIFY) };
enum { IKE_TRANSFORM_TYPES(IKE_CONST_ENUM_TRANSFORM) };
enum { IKE_ENCRS(IKE_CONST_ENUM_ENCR) };
enum { IKE_PRFS(IKE_CONST_ENUM_PRF) };
enum { IKE_INTEGS(IKE_CONST_ENUM_INTEG) };
enum { IKE_GROUPS(IKE_CONST_ENUM_GROUP) };
enum { IKE_IDS(IKE_CONST_ENUM_ID) };

/* 3.3.1 */
#define IKE_PROTOCOL_NONE 0
#define IKE_PROTOCOL_IKE 1
#define IKE_PROTOCOL_AH 2
#define IKE_PROTOCOL_ESP 3

/* 3.3.5: the only attribute, in its short form. */
#define IKE_ATTRIBUTE_KEY_LENGTH 14
#define IKE_ATTRIBUTE_SHORT 0x8000

/* 3.8, RFC 7619 */
#define IKE_METHOD_RSA 1
#define IKE_METHOD_PSK 2
#define IKE_METHOD_ECDSA_256 9 /* RFC 4754 */
#define IKE_METHOD_ECDSA_384 10
#define IKE_METHOD_ECDSA_521 11
#define IKE_METHOD_NULL 13
#define IKE_METHOD_SIGNATURE 14 /* RFC 7427 */

/* 3.6: the only encoding of CERT and CERTREQ that we speak, "X.509 Certificate - Signature". */
#define IKE_CERT_X509 4

/* RFC 8784 5.1: the only kind of PPK_ID that we speak. */
#define IKE_PPK_ID_FIXED 2

/* 3.13.1 */
#define IKE_TS_IPV4 7
#define IKE_TS_IPV6 8

/* Names for logs; "?" for a number that is not listed. */
const char *ike_exchange_name(unsigned value);
const char *ike_payload_name(unsigned value);
const char *ike_notify_name(unsigned value);
const char *ike_encr_name(unsigned value);
const char *ike_prf_name(unsigned value);
const char *ike_integ_name(unsigned value);
const char *ike_group_name(unsigned value);

#endif
