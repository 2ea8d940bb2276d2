/* Streams between descriptors and the host: what one side does not take, the other one waits for, each stream by itself. */
#include "agent.h"

/* What is read at once, and for one stream before the others have their turn. */
static uint8_t buffer[MOST_PAYLOAD];

static void output_ready(struct source *source, uint32_t events) {
	(void)events;
	output_run((struct output *)source);
}

long pull_bytes(struct output *output, uint8_t *bytes, uint32_t most) {
	return call(NR_read, output->source.fd, bytes, most);
}

void output_open(struct channel *channel, unsigned index, int fd, long (*pull)(struct output *, uint8_t *, uint32_t)) {
	struct output *output = &channel->outputs[index];
	output->source = (struct source){.fd = fd, .ready = output_ready};
	output->channel = channel;
	output->pull = pull;
	output->number = (uint8_t)(index + 1);
	output->is_open = true;
	output->credit = WINDOW;
	output->least = 1;
	if (watch_source(&output->source, EPOLLIN)) return;
	output->is_eager = true;
	make_busy(output);
}

static void output_over(struct output *output) {
	struct channel *channel = output->channel;
	send_frame(channel->connection, channel->number, FRAME_END, output->number, NULL, 0);
	output_close(output);
	channel_settle(channel);
}

/* Reads once, and sends it. */
void output_run(struct output *output) {
	struct channel *channel = output->channel;
	struct connection *connection = channel->connection;
	uint32_t most = sizeof buffer;
	if (connection != NULL) {
		bool is_full = connection_room(connection) < OUT_RESERVE + HEADER_SIZE + sizeof buffer;
		if (is_full) connection->is_full = true;
		if (is_full || output->credit < output->least) {
			unwatch_source(&output->source);
			return;
		}
		if (output->credit < most) most = output->credit;
	}
	if (output->is_limited && output->left < most) most = output->left;
	long size = most == 0 ? 0 : output->pull(output, buffer, most);
	if (size == -EAGAIN || size == -EINTR) {
		if (output->is_limited) size = 0;
		else {
			if (!output->is_eager) watch_source(&output->source, EPOLLIN);
			return;
		}
	}
	if (size <= 0) {
		/* A terminal that nobody has open says EIO. A file that cannot be read is no end. */
		if (size < 0 && size != -EIO && channel->operation != OPERATION_SPAWN) channel_fail(channel, size, STEP_READ);
		else if (size == -EIO && channel->operation == OPERATION_READ) channel_fail(channel, size, STEP_READ);
		else output_over(output);
		return;
	}
	output->credit -= connection == NULL ? 0 : (uint32_t)size;
	output->left -= output->is_limited ? (uint32_t)size : 0;
	send_frame(connection, channel->number, FRAME_DATA, output->number, buffer, (uint32_t)size);
	if (output->is_eager || output->is_limited) make_busy(output);
	else watch_source(&output->source, EPOLLIN);
}

void output_credit(struct output *output, uint32_t bytes) {
	output->credit += bytes;
	if (!output->is_open) return;
	if (output->is_eager || output->is_limited) make_busy(output);
	else watch_source(&output->source, EPOLLIN);
}

/* The command has ended: what is in its pipe now is the last of it, whoever else can write there. */
void output_limit(struct output *output) {
	int left = 0;
	if (!output->is_open) return;
	call(NR_ioctl, output->source.fd, FIONREAD, &left);
	output->is_limited = true;
	output->left = left < 0 ? 0 : (uint32_t)left;
	make_busy(output);
}

void output_close(struct output *output) {
	close_source(&output->source);
	output->is_open = false;
}

static void input_ready(struct source *source, uint32_t events);

void input_open(struct channel *channel, int fd, void (*over)(struct input *, long)) {
	struct input *input = &channel->input;
	input->source = (struct source){.fd = fd, .ready = input_ready};
	input->channel = channel;
	input->over = over;
	input->window = WINDOW;
	input->is_open = true;
}

/* Half a window at a time: less would be a frame for each read. */
void input_tell_credit(struct input *input) {
	struct channel *channel = input->channel;
	if (input->owed < WINDOW / 2 || channel->connection == NULL) return;
	if (connection_room(channel->connection) < OUT_RESERVE / 2) {
		channel->connection->owes_credit = channel->connection->is_full = true;
		return;
	}
	uint8_t payload[4];
	put32(payload, input->owed);
	send_frame(channel->connection, channel->number, FRAME_CREDIT, STREAM_INPUT, payload, sizeof payload);
	input->window += input->owed;
	input->owed = 0;
}

static void input_over(struct input *input, long error) {
	if (input->is_open) input->over(input, error);
}

/* Writes what is there, as far as it is taken. */
static void input_run(struct input *input) {
	while (input->is_open && input->used > 0) {
		uint32_t first = WINDOW - input->start < input->used ? WINDOW - input->start : input->used;
		long size = call(NR_write, input->source.fd, input->ring + input->start, first);
		if (size == -EAGAIN || size == -EINTR) {
			watch_source(&input->source, EPOLLOUT);
			return;
		}
		if (size <= 0) {
			input_over(input, size == 0 ? -EIO : size);
			return;
		}
		input->start = (input->start + (uint32_t)size) % WINDOW;
		input->used -= (uint32_t)size;
		input->owed += (uint32_t)size;
		input_tell_credit(input);
	}
	unwatch_source(&input->source);
	if (input->is_open && input->is_ended) input_over(input, 0);
}

static void input_ready(struct source *source, uint32_t events) {
	struct input *input = (struct input *)source;
	/* Nobody reads there any more: found by writing, or when there is something to write. */
	if ((events & EPOLLERR) != 0 && input->used == 0) unwatch_source(source);
	else input_run(input);
}

void input_data(struct input *input, const uint8_t *bytes, uint32_t size) {
	input->window -= size;
	if (!input->is_open) return;
	if (input->ring == NULL) input->ring = allocate(WINDOW);
	if (input->ring == NULL) {
		input_over(input, -ENOMEM);
		return;
	}
	uint32_t at = (input->start + input->used) % WINDOW;
	uint32_t first = size < WINDOW - at ? size : WINDOW - at;
	memcpy(input->ring + at, bytes, first);
	memcpy(input->ring, bytes + first, size - first);
	input->used += size;
	if (!input->source.is_watched) input_run(input);
}

void input_end(struct input *input) {
	input->is_ended = true;
	if (input->is_open && input->used == 0) input_over(input, 0);
}

void input_close(struct input *input) {
	close_source(&input->source);
	release(input->ring, WINDOW);
	input->ring = NULL;
	input->used = 0;
	input->is_open = false;
}
