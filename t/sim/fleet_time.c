/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Chance, the clock and the queue of the fleet (fleet.h). */
#include "t/sim/fleet.h"

#include "lib/mem.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

size_t host_count;
struct tally tally;
uint64_t now_us, dice, digest;
struct host *hosts;
struct heap queue, wakes;
struct weather weather;
bool trace;

/* --- chance ------------------------------------------------------------------------------------ */

uint64_t chance(void)
{
	uint64_t z = (dice += UINT64_C(0x9e3779b97f4a7c15));

	z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
	return z ^ (z >> 31);
}

uint64_t below(uint64_t bound)
{
	return bound ? chance() % bound : 0;
}

/* --- what is told ------------------------------------------------------------------------------- */

void tell(const char *format, ...)
{
	va_list args;

	if (!trace)
		return;
	va_start(args, format);
	printf("%12.3f ms  ", (double)now_us / 1000);
	vprintf(format, args);
	putchar('\n');
	va_end(args);
}

void violate(const struct host *host, const char *format, ...)
{
	va_list args;

	tally.violations++;
	va_start(args, format);
	printf("violation at %.3f s, host %zu: ", (double)now_us / 1e6, host->number);
	vprintf(format, args);
	putchar('\n');
	va_end(args);
}

void note(unsigned kind, uint64_t what, uint64_t size)
{
	const uint64_t values[] = {now_us, kind, what, size};

	for (size_t i = 0; i < ARRAY_LEN(values); i++)
		digest = (digest ^ values[i]) * UINT64_C(0x100000001b3);
}

/* --- the queue ---------------------------------------------------------------------------------- */

struct event *add_event(enum event_kind kind, const struct host *host, uint64_t delay_us)
{
	struct event *event = mem_new(struct event);

	event->kind = kind;
	event->host = host->number;
	event->life = host->life;
	heap_set(&queue, &event->due, now_us + delay_us);
	return event;
}

void free_event(struct event *event)
{
	free(event->data);
	free(event);
}

static void take_event(void)
{
	struct event *event = container_of(heap_first(&queue), struct event, due);

	now_us = event->due.due_us;
	heap_remove(&queue, &event->due);
	note(event->kind, event->host, event->kind == EVENT_PACKET ? event->len : event->esp.spi);
	do_event(event);
	free_event(event);
}

static void take_wake(void)
{
	struct host *host = container_of(heap_first(&wakes), struct host, wake);

	if (heap_due(&wakes) > now_us)
		now_us = heap_due(&wakes);
	do_wake(host);
}

void run_until(uint64_t until_us)
{
	uint64_t minute = now_us / (60 * SECOND);

	while (heap_due(&queue) <= until_us || heap_due(&wakes) <= until_us) {
		if (heap_due(&wakes) < heap_due(&queue))
			take_wake();
		else
			take_event();
		check_touched();
		if (now_us / (60 * SECOND) != minute) {
			minute = now_us / (60 * SECOND);
			check_all();
		}
	}
	if (until_us / (60 * SECOND) != minute)
		check_all();
	now_us = until_us;
}
