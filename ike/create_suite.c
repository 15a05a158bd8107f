/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Which algorithms an exchange of CREATE_CHILD_SA may choose from (create.c). */
#include "ike/create.h"
#include "ike/sa.h"

#include <string.h>

/* A list of methods may be left out: NONE goes behind it. */
static void make_optional(struct ike_suite *suite)
{
	for (size_t i = 0; i < IKE_ADDKE_MAX; i++) {
		size_t *count = &suite->addke_count[i];

		if (*count && *count < IKE_SUITE_MAX)
			suite->addke[i][(*count)++] = IKE_KE_NONE;
	}
}

struct ike_suite ike_suite_in_use(
	const struct ike_sa *sa, const struct ike_child_sa *old, uint16_t group)
{
	struct ike_chosen in_use = old ? old->esp : sa->chosen;
	struct ike_suite suite;

	in_use.ke = group;
	memcpy(in_use.addke, sa->chosen.addke, sizeof(in_use.addke));
	in_use.addke_declined = 0;
	suite = ike_suite_chosen(&in_use);
	if (old)
		make_optional(&suite);
	return group ? suite : ike_suite_without_addke(&suite);
}

struct ike_suite ike_suite_further(const struct ike_sa *sa, uint16_t group)
{
	struct ike_suite suite = ike_suite_defaults(&ike_sa_conn(sa)->esp, IKE_PROTOCOL_ESP);
	struct ike_suite in_use = ike_suite_in_use(sa, NULL, group);

	memcpy(suite.ke, in_use.ke, sizeof(suite.ke));
	suite.ke_count = group ? in_use.ke_count : 0;
	memcpy(suite.addke, in_use.addke, sizeof(suite.addke));
	memcpy(suite.addke_count, in_use.addke_count, sizeof(suite.addke_count));
	make_optional(&suite);
	return suite;
}

struct ike_suite ike_suite_accepted(const struct ike_sa *sa, uint8_t protocol)
{
	const struct ike_conn *conn = ike_sa_conn(sa);
	struct ike_suite ike = ike_suite_defaults(&conn->ike, IKE_PROTOCOL_IKE);
	struct ike_suite esp = ike_suite_defaults(&conn->esp, IKE_PROTOCOL_ESP);

	ike.prf[0] = sa->chosen.prf;
	ike.prf_count = 1;
	memcpy(esp.ke, ike.ke, sizeof(esp.ke));
	esp.ke_count = ike.ke_count;
	memcpy(esp.addke, ike.addke, sizeof(esp.addke));
	memcpy(esp.addke_count, ike.addke_count, sizeof(esp.addke_count));
	make_optional(&esp);
	return protocol == IKE_PROTOCOL_IKE ? ike : esp;
}
