/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The key log: lines as Wireshark 4.0 reads them, in files that nobody else reads. */
#include "t/tap.h"

#include "daemon/keylog.h"

#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static char folder[] = "/tmp/oe-keylog-XXXXXX", path[64], esp_path[64], text[4096];

static const char *slurp(const char *name)
{
	FILE *file = fopen(name, "r");
	size_t len = file ? fread(text, 1, sizeof(text) - 1, file) : 0;

	text[len] = '\0';
	if (file)
		fclose(file);
	return text;
}

static unsigned mode_of(const char *name)
{
	struct stat status;

	return stat(name, &status) == 0 ? status.st_mode & 07777u : 0;
}

static struct ike_key_material material(uint16_t encr, uint16_t key_bits, uint16_t integ)
{
	static const uint8_t one[36] = {1}, two[36] = {2}, three[32] = {3}, four[32] = {4};

	return (struct ike_key_material){.spi_i = 0xabcdef,
		.spi_r = UINT64_C(0xfedcba9876543210),
		.encr = encr,
		.key_bits = key_bits,
		.integ = integ,
		.encr_len = 4,
		.integ_len = integ ? 3 : 0,
		.ei = one,
		.er = two,
		.ai = three,
		.ar = four};
}

static void test_ike(struct keylog *keylog)
{
	struct ike_key_material gcm = material(IPSEC_ENCR_AES_GCM_16, 256, 0);
	struct ike_key_material cbc =
		material(IPSEC_ENCR_AES_CBC, 128, IPSEC_INTEG_HMAC_SHA2_384_192);
	struct ike_key_material chacha = material(IPSEC_ENCR_CHACHA20_POLY1305, 0, 0);

	keylog_ike(keylog, &gcm);
	keylog_ike(keylog, &cbc);
	keylog_ike(keylog, &chacha);
	is_str(slurp(path),
		"0000000000abcdef,fedcba9876543210,01000000,02000000,"
		"\"AES-GCM-256 with 16 octet ICV [RFC5282]\",,,\"NONE [RFC4306]\"\n"
		"0000000000abcdef,fedcba9876543210,01000000,02000000,"
		"\"AES-CBC-128 [RFC3602]\",030000,040000,\"HMAC_SHA2_384_192 [RFC4868]\"\n"
		"# 0000000000abcdef,fedcba9876543210,01000000,02000000,"
		"\"ChaCha20 with Poly1305 [RFC7634]\",,,\"NONE [RFC4306]\"\n",
		"lines of ikev2_decryption_table, and a comment");
}

static void test_child(struct keylog *keylog)
{
	struct sa_pair pair = {.encr = IPSEC_ENCR_AES_GCM_16,
		.esn = true,
		.in = {.spi = 0x100, .encr_key = {5}, .encr_key_len = 2},
		.out = {.spi = 0xcafebabe, .encr_key = {6}, .encr_key_len = 2}};

	addr_parse("192.0.2.1", &pair.in.src);
	addr_parse("192.0.2.2", &pair.in.dst);
	pair.out.src = pair.in.dst;
	pair.out.dst = pair.in.src;
	keylog_child(keylog, &pair);
	pair.encr = IPSEC_ENCR_AES_CBC;
	pair.integ = IPSEC_INTEG_HMAC_SHA2_256_128;
	pair.esn = false;
	addr_parse("2001:db8::1", &pair.in.src);
	addr_parse("2001:db8::2", &pair.in.dst);
	pair.in.integ_key[0] = 7;
	pair.in.integ_key_len = pair.out.integ_key_len = 2;
	keylog_child(keylog, &pair);
	slurp(esp_path);
	ok(strstr(text,
		   "\"IPv4\",\"192.0.2.1\",\"192.0.2.2\",\"0x00000100\","
		   "\"AES-GCM with 16 octet ICV [RFC4106]\",\"0x0500\",\"NULL\",\"\",\"64-bit\"\n"
		   "\"IPv4\",\"192.0.2.2\",\"192.0.2.1\",\"0xcafebabe\",") == text,
		"lines of esp_sa, in and out");
	ok(strstr(text, "\"IPv6\",\"2001:db8::1\",\"2001:db8::2\",\"0x00000100\",\"AES-CBC [RFC3602]\","
			"\"0x0500\",\"HMAC-SHA-256-128 [RFC4868]\",\"0x0700\",\"32-bit\"\n"),
		"with integrity");
}

static void test_files(struct keylog *keylog)
{
	struct ike_key_material gcm = material(IPSEC_ENCR_AES_GCM_16, 256, 0);
	struct sa_pair pair = {.encr = IPSEC_ENCR_AES_GCM_16};
	size_t len;

	ok(mode_of(path) == 0600 && mode_of(esp_path) == 0600, "nobody else reads them");
	len = strlen(slurp(path));
	chmod(path, 0644);
	keylog_set_file(keylog, path);
	is_int(mode_of(path), 0600, "nor what was there before");
	keylog_ike(keylog, &gcm);
	ok(strlen(slurp(path)) > len, "lines are appended");
	len = strlen(text);
	keylog_set_file(keylog, NULL);
	keylog_ike(keylog, &gcm);
	keylog_child(keylog, &pair);
	is_int((intmax_t)strlen(slurp(path)), (intmax_t)len, "off is off");
}

/* Each is refused, and nothing is written. */
static void test_refused(struct keylog *keylog)
{
	struct ike_key_material gcm = material(IPSEC_ENCR_AES_GCM_16, 256, 0);
	char other[64];

	snprintf(other, sizeof(other), "%s/other", folder);
	unlink(path);
	fclose(fopen(other, "w"));
	ok(symlink(other, path) == 0, "a symbolic link");
	keylog_set_file(keylog, path);
	keylog_ike(keylog, &gcm);
	is_str(slurp(other), "", "is not followed");
	unlink(path);
	ok(link(other, path) == 0, "a file with another name");
	keylog_set_file(keylog, path);
	keylog_ike(keylog, &gcm);
	is_str(slurp(other), "", "is not written to");
	unlink(path);
	unlink(other);
	keylog_set_file(keylog, "/nonexistent/file");
	keylog_ike(keylog, &gcm);
	keylog_set_file(keylog, folder);
	keylog_ike(keylog, &gcm);
	ok(true, "no such folder, and a folder, do no harm");
}

int main(void)
{
	struct keylog *keylog = keylog_new();

	if (!mkdtemp(folder))
		return 1;
	snprintf(path, sizeof(path), "%s/keys", folder);
	snprintf(esp_path, sizeof(esp_path), "%s/keys.esp", folder);
	umask(0);
	keylog_set_file(keylog, path);
	test_ike(keylog);
	test_child(keylog);
	test_files(keylog);
	test_refused(keylog);
	keylog_free(keylog);
	unlink(esp_path);
	rmdir(folder);
	return tap_done();
}
