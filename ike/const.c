/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Printable names, made from the lists of const.h. */
#include "ike/const.h"

#define NAME_CASE(value, name)                                                                     \
	case value:                                                                                \
		return #name;

const char *ike_exchange_name(unsigned value)
{
	switch (value) {
		IKE_EXCHANGES(NAME_CASE)
	}
	return "?";
}

const char *ike_payload_name(unsigned value)
{
	switch (value) {
		IKE_PAYLOADS(NAME_CASE)
	}
	return "?";
}

const char *ike_notify_name(unsigned value)
{
	switch (value) {
		IKE_NOTIFIES(NAME_CASE)
	}
	return "?";
}

const char *ike_encr_name(unsigned value)
{
	switch (value) {
		IKE_ENCRS(NAME_CASE)
	}
	return "?";
}

const char *ike_prf_name(unsigned value)
{
	switch (value) {
		IKE_PRFS(NAME_CASE)
	}
	return "?";
}

const char *ike_integ_name(unsigned value)
{
	switch (value) {
		IKE_INTEGS(NAME_CASE)
	}
	return "?";
}

const char *ike_group_name(unsigned value)
{
	switch (value) {
		IKE_GROUPS(NAME_CASE)
	}
	return "?";
}
