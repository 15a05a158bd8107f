/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The Test Anything Protocol for unit tests in C: ok(), is_int(), is_str(),
 * and `return tap_done();` at the end of main. One program, one file.
 */
#ifndef T_TAP_H
#define T_TAP_H

#include <inttypes.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

static int tap_count;
static int tap_failures;

__attribute__((format(printf, 2, 3), unused)) static bool ok(bool good, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	printf("%sok %d - ", good ? "" : "not ", ++tap_count);
	vprintf(format, args);
	putchar('\n');
	va_end(args);
	if (!good)
		tap_failures++;
	fflush(stdout);
	return good;
}

__attribute__((format(printf, 1, 2), unused)) static void diag(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	printf("# ");
	vprintf(format, args);
	putchar('\n');
	va_end(args);
	fflush(stdout);
}

__attribute__((unused)) static bool is_int(intmax_t got, intmax_t want, const char *name)
{
	bool good = ok(got == want, "%s", name);

	if (!good)
		diag("got %" PRIdMAX ", want %" PRIdMAX, got, want);
	return good;
}

__attribute__((unused)) static bool is_str(const char *got, const char *want, const char *name)
{
	bool good = ok(got && want ? strcmp(got, want) == 0 : got == want, "%s", name);

	if (!good)
		diag("got '%s', want '%s'", got ? got : "(null)", want ? want : "(null)");
	return good;
}

__attribute__((unused)) static bool is_mem(
	const void *got, const void *want, size_t len, const char *name)
{
	const unsigned char *a = got, *b = want;
	bool good = ok(memcmp(got, want, len) == 0, "%s", name);

	for (size_t i = 0; !good && i < len; i++) {
		if (a[i] != b[i]) {
			diag("first difference at byte %zu: got %02x, want %02x", i, a[i], b[i]);
			break;
		}
	}
	return good;
}

__attribute__((unused)) static int tap_done(void)
{
	printf("1..%d\n", tap_count);
	return tap_failures ? 1 : 0;
}

#endif
