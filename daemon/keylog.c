/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The key log (keylog.h). A line goes out in one write, so that a reader never sees half of it. */
#include "daemon/keylog.h"

#include "lib/log.h"
#include "lib/mem.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define LINE_MAX_LEN 1024

struct keylog {
	int ike_fd, esp_fd; /* -1: off */
};

/* A line under construction: as a FILE, but on a stack that is wiped. */
struct line {
	size_t len;
	char text[LINE_MAX_LEN];
};

/* --- Wireshark's names ----------------------------------------------------------------------- */

struct name {
	uint16_t id, key_bits; /* 0: any */
	const char *ike, *esp;
};

/* An IKE cipher that Wireshark has not makes the line a comment. */
static const struct name encrs[] = {
	{IPSEC_ENCR_AES_GCM_16, 128, "AES-GCM-128 with 16 octet ICV [RFC5282]",
		"AES-GCM with 16 octet ICV [RFC4106]"},
	{IPSEC_ENCR_AES_GCM_16, 256, "AES-GCM-256 with 16 octet ICV [RFC5282]",
		"AES-GCM with 16 octet ICV [RFC4106]"},
	{IPSEC_ENCR_AES_CBC, 128, "AES-CBC-128 [RFC3602]", "AES-CBC [RFC3602]"},
	{IPSEC_ENCR_AES_CBC, 256, "AES-CBC-256 [RFC3602]", "AES-CBC [RFC3602]"},
	{IPSEC_ENCR_CHACHA20_POLY1305, 0, NULL, "ChaCha20 with Poly1305 [RFC7634]"},
};

static const struct name integs[] = {
	{IPSEC_INTEG_NONE, 0, "NONE [RFC4306]", "NULL"},
	{IPSEC_INTEG_HMAC_SHA2_256_128, 0, "HMAC_SHA2_256_128 [RFC4868]",
		"HMAC-SHA-256-128 [RFC4868]"},
	{IPSEC_INTEG_HMAC_SHA2_384_192, 0, "HMAC_SHA2_384_192 [RFC4868]",
		"HMAC-SHA-384-192 [RFC4868]"},
	{IPSEC_INTEG_HMAC_SHA2_512_256, 0, "HMAC_SHA2_512_256 [RFC4868]",
		"HMAC-SHA-512-256 [RFC4868]"},
};

static struct name find(const struct name *list, size_t count, uint16_t id, uint16_t key_bits)
{
	for (size_t i = 0; i < count; i++) {
		if (list[i].id == id && (!key_bits || !list[i].key_bits || list[i].key_bits == key_bits))
			return list[i];
	}
	return (struct name){.esp = "unknown"};
}

static struct name encr_of(uint16_t id, uint16_t key_bits)
{
	return find(encrs, sizeof(encrs) / sizeof(encrs[0]), id, key_bits);
}

static struct name integ_of(uint16_t id)
{
	return find(integs, sizeof(integs) / sizeof(integs[0]), id, 0);
}

/* --- lines ------------------------------------------------------------------------------------- */

static void __attribute__((format(printf, 2, 3))) add(struct line *line, const char *format, ...)
{
	va_list args;
	int len;

	va_start(args, format);
	len = vsnprintf(line->text + line->len, sizeof(line->text) - line->len, format, args);
	va_end(args);
	if (len > 0 && (size_t)len < sizeof(line->text) - line->len)
		line->len += (size_t)len;
}

static void add_key(struct line *line, const uint8_t *key, size_t len)
{
	for (size_t i = 0; i < len; i++)
		add(line, "%02x", key[i]);
}

static void finish(struct line *line, int fd)
{
	add(line, "\n");
	if (write(fd, line->text, line->len) != (ssize_t)line->len)
		log_warning("ike-keylog: cannot write: %s", strerror(errno));
	secret_wipe(line, sizeof(*line));
}

void keylog_ike(struct keylog *keylog, const struct ike_key_material *keys)
{
	struct name encr = encr_of(keys->encr, keys->key_bits), integ = integ_of(keys->integ);
	struct line line = {0};

	if (keylog->ike_fd < 0)
		return;
	add(&line, "%s%016llx,%016llx,", encr.ike && integ.ike ? "" : "# ",
		(unsigned long long)keys->spi_i, (unsigned long long)keys->spi_r);
	add_key(&line, keys->ei, keys->encr_len);
	add(&line, ",");
	add_key(&line, keys->er, keys->encr_len);
	add(&line, ",\"%s\",", encr.ike ? encr.ike : encr.esp);
	add_key(&line, keys->ai, keys->integ_len);
	add(&line, ",");
	add_key(&line, keys->ar, keys->integ_len);
	add(&line, ",\"%s\"", integ.ike ? integ.ike : integ.esp);
	finish(&line, keylog->ike_fd);
}

/* The last field is new in Wireshark 4.2; older ones say that they leave it out. */
static void write_sa(int fd, const struct ipsec_sa *sa, const struct sa_pair *pair)
{
	char src[ADDR_TEXT], dst[ADDR_TEXT];
	struct line line = {0};

	add(&line, "\"%s\",\"%s\",\"%s\",\"0x%08x\",\"%s\",\"0x",
		sa->dst.family == ADDR_IPV4 ? "IPv4" : "IPv6", addr_format(&sa->src, src),
		addr_format(&sa->dst, dst), sa->spi, encr_of(pair->encr, 0).esp);
	add_key(&line, sa->encr_key, sa->encr_key_len);
	add(&line, "\",\"%s\",\"%s", integ_of(pair->integ).esp, sa->integ_key_len ? "0x" : "");
	add_key(&line, sa->integ_key, sa->integ_key_len);
	add(&line, "\",\"%s\"", pair->esn ? "64-bit" : "32-bit");
	finish(&line, fd);
}

void keylog_child(struct keylog *keylog, const struct sa_pair *pair)
{
	if (keylog->esp_fd < 0)
		return;
	write_sa(keylog->esp_fd, &pair->in, pair);
	write_sa(keylog->esp_fd, &pair->out, pair);
}

/* --- files -------------------------------------------------------------------------------------- */

/* Made for us alone; what is there already must be a file of ours, which becomes so. -1 and a word in the log. */
static int open_file(const char *path)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0600);
	struct stat status;

	if (fd >= 0 && fstat(fd, &status) == 0 && S_ISREG(status.st_mode) && status.st_nlink == 1 &&
		status.st_uid == geteuid() && fchmod(fd, 0600) == 0)
		return fd;
	log_error("ike-keylog=%s: %s; no keys are written", path,
		fd < 0 ? strerror(errno) : "no file of ours");
	if (fd >= 0)
		close(fd);
	return -1;
}

static void close_files(struct keylog *keylog)
{
	if (keylog->ike_fd >= 0)
		close(keylog->ike_fd);
	if (keylog->esp_fd >= 0)
		close(keylog->esp_fd);
	keylog->ike_fd = keylog->esp_fd = -1;
}

struct keylog *keylog_new(void)
{
	struct keylog *keylog = mem_new(struct keylog);

	keylog->ike_fd = keylog->esp_fd = -1;
	return keylog;
}

void keylog_free(struct keylog *keylog)
{
	if (!keylog)
		return;
	close_files(keylog);
	free(keylog);
}

void keylog_set_file(struct keylog *keylog, const char *path)
{
	char *esp_path;

	close_files(keylog);
	if (!path)
		return;
	esp_path = mem_printf("%s.esp", path);
	keylog->ike_fd = open_file(path);
	if (keylog->ike_fd >= 0)
		keylog->esp_fd = open_file(esp_path);
	if (keylog->esp_fd < 0)
		close_files(keylog);
	else
		log_warning("ike-keylog: THE KEYS OF EVERY TUNNEL ARE WRITTEN to %s and %s; whoever "
			    "reads these files reads the traffic",
			path, esp_path);
	free(esp_path);
}
