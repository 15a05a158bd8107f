/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Allocation that never fails: out of memory aborts here and nowhere else.
 * Whoever allocates by a length from the wire caps that length first.
 */
#ifndef LIB_MEM_H
#define LIB_MEM_H

#include <stddef.h>

/* Zeroed memory of `size` bytes; free() it. */
void *mem_zalloc(size_t size) __attribute__((malloc, returns_nonnull));
/* As realloc(), growing or shrinking to count * size bytes (overflow aborts). */
void *mem_resize(void *old, size_t count, size_t size) __attribute__((returns_nonnull));
/* Copies; free() them. `mem_dup` of len 0 gives a valid pointer. */
void *mem_dup(const void *data, size_t len) __attribute__((malloc, returns_nonnull));
char *mem_strdup(const char *text) __attribute__((malloc, returns_nonnull));
char *mem_strndup(const char *text, size_t len) __attribute__((malloc, returns_nonnull));
/* A formatted string; free() it. */
char *mem_printf(const char *format, ...)
	__attribute__((malloc, returns_nonnull, format(printf, 1, 2)));

/* A zeroed object of a type: struct peer *p = mem_new(struct peer); */
#define mem_new(type) ((type *)mem_zalloc(sizeof(type)))

/* The object that contains a member: container_of(node, struct peer, node). */
#define container_of(ptr, type, member) ((type *)((char *)(ptr)-offsetof(type, member)))

#define ARRAY_LEN(a) (sizeof(a) / sizeof((a)[0]))

#endif
