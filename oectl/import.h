/* SPDX-License-Identifier: GPL-2.0-or-later */
/* `oectl import`: a host's PKCS#12 file to where the daemon finds it. */
#ifndef OECTL_IMPORT_H
#define OECTL_IMPORT_H

/*
 * Puts certificate, key and CA of `file` into `pki_dir` (certs/NAME.pem,
 * private/NAME.pem, cacerts/NAME.pem) and says so. The passphrase is the first
 * line of `passphrase_file`, or asked for when that is NULL. `name` NULL: the
 * file's own. Exit status.
 */
int import_bundle(const char *file, const char *passphrase_file, const char *name, const char *pki_dir);

#endif
