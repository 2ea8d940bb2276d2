/* Waits for all that there is at once, by one epoll. */
#include "agent.h"

enum { EVENTS = 64, RETRY_MS = 250 };

static int epoll_fd;
static struct output *first_busy;

void loop_start(void) { epoll_fd = (int)call(NR_epoll_create1, EPOLL_CLOEXEC); }

bool watch_source(struct source *source, uint32_t events) {
	if (source->is_watched) return true;
	struct epoll_event event = {.events = events, .data = (uint64_t)(uintptr_t)source};
	source->is_watched = call(NR_epoll_ctl, epoll_fd, EPOLL_CTL_ADD, source->fd, &event) == 0;
	return source->is_watched;
}

void unwatch_source(struct source *source) {
	if (!source->is_watched) return;
	struct epoll_event none = {0};
	call(NR_epoll_ctl, epoll_fd, EPOLL_CTL_DEL, source->fd, &none);
	source->is_watched = false;
}

/* Takes it out of epoll first: a child that has a copy of the descriptor would keep it there. */
void close_source(struct source *source) {
	if (source->fd < 0) return;
	unwatch_source(source);
	call(NR_close, source->fd);
	source->fd = -1;
}

/* Has a stream that needs no waiting go on in the next round, after the others. */
void make_busy(struct output *output) {
	if (output->is_busy) return;
	output->is_busy = true;
	output->next_busy = first_busy;
	first_busy = output;
}

static void run_busy(void) {
	struct output *output = first_busy;
	first_busy = NULL;
	while (output != NULL) {
		struct output *next = output->next_busy;
		output->is_busy = false;
		output->next_busy = NULL;
		if (output->is_open) output_run(output);
		output = next;
	}
}

uint64_t now_ms(void) {
	struct time_spec now = {0};
	call(NR_clock_gettime, CLOCK_MONOTONIC, &now);
	return (uint64_t)now.seconds * 1000 + (uint64_t)now.nanoseconds / 1000000 + 1;
}

void wait_ms(uint32_t ms) {
	struct time_spec time = {ms / 1000, ms % 1000 * 1000000};
	call(NR_ppoll, 0, 0, &time, 0, 8);
}

void loop_forever(void) {
	for (;;) {
		struct epoll_event events[EVENTS];
		bool hurries = first_busy != NULL || connections_wait();
		bool retries = connections_left() || transports_wait();
		long timeout = hurries ? 0 : retries ? RETRY_MS : -1;
		long count = call(NR_epoll_pwait, epoll_fd, events, EVENTS, timeout, 0, 8);
		for (long i = 0; i < count; i++) {
			struct source *source = (struct source *)(uintptr_t)events[i].data;
			/* An earlier event of this round may have closed it; its memory is still its own. */
			if (source->fd >= 0) source->ready(source, events[i].events);
		}
		run_busy();
		connections_pump();
		transports_retry();
		channels_collect();
	}
}
