/* What happens to files, by inotify. Events that the host does not take wait in the kernel, which says so when it drops some. */
#include "agent.h"

enum { RECORD = 10, LEAST = 512 };

/* What is sent of an event is shorter than the event. */
static long pull_events(struct output *output, uint8_t *bytes, uint32_t most) {
	static uint8_t events[16384] __attribute__((aligned(8)));
	uint32_t used = 0;
	long size = call(NR_read, output->source.fd, events, most < sizeof events ? most : sizeof events);
	if (size <= 0) return size;
	for (long at = 0; at < size;) {
		const struct inotify_event *event = (const struct inotify_event *)(events + at);
		size_t length = event->length == 0 ? 0 : text_length(event->name);
		at += (long)sizeof *event + event->length;
		put32(bytes + used, event->mask);
		put32(bytes + used + 4, event->cookie);
		put16(bytes + used + 8, (uint16_t)length);
		memcpy(bytes + used + RECORD, event->name, length);
		used += RECORD + (uint32_t)length;
	}
	return used;
}

void watch_start(struct channel *channel, struct reader *reader) {
	char path[MOST_PATH + 1];
	if (!read_text(reader, path, sizeof path) || *path != '/' || reader->left > 0) {
		channel_fail(channel, -EINVAL, STEP_DECODE);
		return;
	}
	const uint32_t events = IN_MODIFY | IN_ATTRIB | IN_CLOSE_WRITE | IN_MOVED_FROM | IN_MOVED_TO | IN_CREATE | IN_DELETE | IN_DELETE_SELF |
				IN_MOVE_SELF;
	long fd = call(NR_inotify_init1, O_CLOEXEC | O_NONBLOCK);
	long error = fd < 0 ? fd : call(NR_inotify_add_watch, fd, path, events);
	if (error < 0) {
		if (fd >= 0) call(NR_close, fd);
		channel_fail(channel, error, STEP_WATCH);
		return;
	}
	channel_reply(channel, NULL, 0);
	output_open(channel, 0, (int)fd, pull_events);
	channel->outputs[0].least = LEAST;
}
