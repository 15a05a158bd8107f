/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A binary heap of deadlines (heap.h). */
#include "lib/heap.h"

#include "lib/mem.h"

#include <stdlib.h>

static void put(struct heap *heap, size_t at, struct heap_node *node)
{
	heap->nodes[at] = node;
	node->place = at + 1;
}

static void sift_up(struct heap *heap, size_t at)
{
	struct heap_node *node = heap->nodes[at];

	for (; at > 0 && heap->nodes[(at - 1) / 2]->due_us > node->due_us; at = (at - 1) / 2)
		put(heap, at, heap->nodes[(at - 1) / 2]);
	put(heap, at, node);
}

static void sift_down(struct heap *heap, size_t at)
{
	struct heap_node *node = heap->nodes[at];

	for (size_t child; (child = 2 * at + 1) < heap->count; at = child) {
		if (child + 1 < heap->count &&
			heap->nodes[child + 1]->due_us < heap->nodes[child]->due_us)
			child++;
		if (heap->nodes[child]->due_us >= node->due_us)
			break;
		put(heap, at, heap->nodes[child]);
	}
	put(heap, at, node);
}

void heap_remove(struct heap *heap, struct heap_node *node)
{
	struct heap_node *last;
	size_t at;

	if (!node->place)
		return;
	at = node->place - 1;
	node->place = 0;
	last = heap->nodes[--heap->count];
	if (last == node)
		return;
	put(heap, at, last);
	sift_up(heap, at);
	sift_down(heap, last->place - 1);
}

void heap_set(struct heap *heap, struct heap_node *node, uint64_t due_us)
{
	heap_remove(heap, node);
	node->due_us = due_us;
	if (due_us == HEAP_NEVER)
		return;
	if (heap->count == heap->room) {
		heap->room = heap->room ? heap->room * 2 : 64;
		heap->nodes = mem_resize(heap->nodes, heap->room, sizeof(struct heap_node *));
	}
	put(heap, heap->count, node);
	heap->count++;
	sift_up(heap, node->place - 1);
}

struct heap_node *heap_first(const struct heap *heap)
{
	return heap->count ? heap->nodes[0] : NULL;
}

uint64_t heap_due(const struct heap *heap)
{
	return heap->count ? heap->nodes[0]->due_us : HEAP_NEVER;
}

void heap_clear(struct heap *heap)
{
	free(heap->nodes);
	*heap = (struct heap){0};
}
