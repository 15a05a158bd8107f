/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A heap of deadlines: what is due first is on top. Nodes are embedded in
 * their owners, who find themselves again with container_of(). Adding, moving
 * and removing cost the logarithm of the number of nodes; nothing walks them.
 */
#ifndef LIB_HEAP_H
#define LIB_HEAP_H

#include <stddef.h>
#include <stdint.h>

#define HEAP_NEVER UINT64_MAX

/* Zero-initialised is valid and in no heap. */
struct heap_node {
	uint64_t due_us;
	size_t place; /* private: 1 + index, 0 when in no heap */
};

/* Zero-initialised is empty; heap_clear() frees. */
struct heap {
	struct heap_node **nodes;
	size_t count;
	size_t room;
};

/* Puts a node at its place for a deadline, wherever it was; HEAP_NEVER takes it out. */
void heap_set(struct heap *heap, struct heap_node *node, uint64_t due_us);
void heap_remove(struct heap *heap, struct heap_node *node);
/* The node that is due first, NULL when the heap is empty. */
struct heap_node *heap_first(const struct heap *heap);
/* Its deadline, HEAP_NEVER when the heap is empty. */
uint64_t heap_due(const struct heap *heap);
void heap_clear(struct heap *heap);

#endif
