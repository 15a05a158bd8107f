/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Rule C1: the HOWTO's two files load unchanged, and so does what its readers write. */
#include "t/unit/conf_files.h"

/* The file as it stands in t/data, in the folder of this test. */
static void copy_seed(const char *name)
{
	const char *top = getenv("abs_top_srcdir");
	char *from = mem_printf("%s/t/data/seed/%s", top ? top : ".", name);
	char *to = mem_printf("ipsec.d/%s", name);
	char text[4096];
	size_t len;
	FILE *file = fopen(from, "re");

	if (!file)
		abort();
	len = fread(text, 1, sizeof(text) - 1, file);
	text[len] = '\0';
	fclose(file);
	files_write(to, text);
	free(from);
	free(to);
}

static void test_client_half(void)
{
	struct conf *conf = files_load("ipsec.d/oe-certificate.conf");
	const struct policy_conn *group = files_group(conf, "private-or-clear");
	const struct ike_conn *ike = files_ike(conf, "private-or-clear");

	ok(conf, "oe-certificate.conf loads");
	is_int(group->group, POLICY_PRIVATE_OR_CLEAR, "its conn is its group");
	ok(!group->negotiation_pass, "negotiationshunt=drop holds (G4)");
	ok(group->failure_pass, "failureshunt=passthrough passes");
	is_int(ike->local_auth, IKE_AUTH_NULL, "we are nobody");
	is_int(ike->local_id.kind, IKE_ID_KIND_NULL, "with ID_NULL");
	is_int(ike->remote_auth, IKE_AUTH_UNAVAILABLE, "the peer needs a certificate (G7)");
	ok(ike->unavailable && strstr(ike->unavailable, "rsasig"), "and the reason is kept");
	ok(files_said(CONF_DEFECT, "nothing is sent"), "and said as a defect (G7)");
	is_int(ike->remote_id.kind, IKE_ID_KIND_FROMCERT, "its id is from its certificate");
	is_int(ike->retransmit_timeout_ms, 3000, "retransmit-timeout=3s");
	ok(files_said(CONF_WARNING, "oe-certificate.conf:6: option 'rightmodecfgclient' has no effect"),
		"what has no meaning here is said with its place");
	conf_free(conf);
}

static void test_main_file(void)
{
	struct conf *conf = files_load("ipsec.d/ipsec.conf");

	ok(conf, "ipsec.conf loads; its include may match nothing");
	is_str(conf->setup.log_file, "/var/log/pluto.log", "logfile= counts");
	conf_free(conf);
	files_write("all.conf", "include ipsec.d/*.conf\n");
	conf = files_load("all.conf");
	ok(conf && files_group(conf, "private-or-clear"), "both together, by include with a pattern");
	conf_free(conf);
}

static void test_forms(void)
{
	struct conf *conf = files_load_text("conn clear-or-private\n"
					    "\tleftcert=\"NSS Certificate DB:host.example\"\n"
					    "\tleftid=%fromcert\n\tleftauth=rsasig\n"
					    "\tleftrsasigkey=%cert\n\tsendca=issuer\n"
					    "\trightid=%null\n\trightauth=null\n\tauto=add\n"
					    "\tright=%opportunisticgroup\n"
					    "\trightaddresspool=100.64.0.1-100.64.255.254\n"
					    "\trightmodecfgclient=yes\n"
					    "conn private\n\tleftcert=host\n\tleftid=%fromcert\n"
					    "\trightid=%fromcert\n\trightauth=rsasig\n\tleftauth=rsasig\n"
					    "\trightca=%same\n\tright=%opportunisticgroup\n\tauto=route\n");
	const struct ike_conn *server = files_ike(conf, "clear-or-private");

	ok(conf, "the server half and the mesh load");
	is_int(server->local_auth, IKE_AUTH_UNAVAILABLE, "server half: our certificate");
	is_int(server->remote_auth, IKE_AUTH_NULL, "server half: the client is nobody");
	is_int(files_ike(conf, "private")->remote_auth, IKE_AUTH_UNAVAILABLE, "mesh: a certificate");
	conf_free(conf);
}

/* Each loads alone in a conn of NULL authentication, with or without a warning. */
static void test_values(void)
{
	static const char *const lines[] = {"auto=ondemand", "auto=route", "auto=add", "auto=start",
		"auto=ignore", "leftcert=\"NSS Certificate DB:name\"", "leftckaid=ab12",
		"leftrsasigkey=%cert", "rightrsasigkey=%dnsondemand", "rightca=%same", "rightca=%any",
		"rightca=\"C=CA, O=Example, CN=ca.example\"", "ikev2=insist", "ikev2=yes",
		"ikev2=propose", "keyexchange=ikev2", "keyingtries=0", "keyingtries=1",
		"keyingtries=%forever", "retransmit-timeout=3s", "retransmit-timeout=3000ms",
		"retransmit-timeout=3", "negotiationshunt=hold", "negotiationshunt=pass",
		"negotiationshunt=passthrough", "negotiationshunt=drop", "negotiationshunt=reject",
		"negotiationshunt=none", "failureshunt=hold", "failureshunt=none", "failureshunt=pass",
		"narrowing=yes", "priority=100", "leftmodecfgclient=yes", "leftcat=yes",
		"leftupdown=\"ipsec _updown\"", "ikelifetime=8h", "salifetime=1h", "rekey=no",
		"dpddelay=30", "dpdaction=hold", "rightid=\"CN=*, O=Example\"", "x-note=ours",
		"authby=rsasig,ecdsa", "authby=rsa-sha2_512", "authby=secret|rsasig",
		"policy_label=a", "type=transport"};

	for (size_t i = 0; i < ARRAY_LEN(lines); i++) {
		char *text = mem_printf(
			"conn mesh\n\tright=%%opportunisticgroup\n\tauthby=null\n\t%s\n", lines[i]);
		struct conf *conf = files_load_text(text);

		ok(conf, "loads: %s", lines[i]);
		conf_free(conf);
		free(text);
	}
}

static void test_setup_values(void)
{
	struct conf *conf = files_load_text("config setup\n\tprotostack=netkey\n\tplutodebug=all\n"
					    "\tinterfaces=%defaultroute\n\tuniqueids=yes\n"
					    "\tvirtual_private=%v4:10.0.0.0/8\n");

	ok(conf && conf->setup.log_debug, "config setup of a fleet");
	conf_free(conf);
}

static void test_never(void)
{
	static const char *const ways[] = {"type=passthrough", "type=drop", "type=reject",
		"type=passthrough\n\tauthby=null", "type=drop\n\tauthby=never"};
	static const enum policy_group groups[] = {
		POLICY_CLEAR, POLICY_BLOCK, POLICY_BLOCK, POLICY_CLEAR, POLICY_BLOCK};

	for (size_t i = 0; i < ARRAY_LEN(ways); i++) {
		char *text = mem_printf("conn own\n\tright=%%group\n\t%s\n\tauto=route\n", ways[i]);
		struct conf *conf = files_load_text(text);
		const struct policy_conn *group = files_group(conf, "own");

		ok(group && group->group == groups[i] && group->ike_conn == SIZE_MAX,
			"right=%%group never negotiates: %s", ways[i]);
		conf_free(conf);
		free(text);
	}
}

int main(void)
{
	files_begin();
	copy_seed("ipsec.conf");
	copy_seed("oe-certificate.conf");
	test_client_half();
	test_main_file();
	test_forms();
	test_values();
	test_setup_values();
	test_never();
	return files_done();
}
