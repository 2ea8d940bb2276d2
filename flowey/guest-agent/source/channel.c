/* Channels: one for each thing that a host asks for, from its request to the last frame about it. */
#include "agent.h"

static struct channel *channels;
/* No channel from here on has ever been used. */
static unsigned end_of_channels;

void channels_start(void) { channels = allocate(MOST_CHANNELS * sizeof *channels); }

static struct channel *channel_add(struct connection *connection, uint16_t number, uint8_t operation) {
	unsigned index = 0;
	while (index < end_of_channels && channels[index].is_used) index++;
	if (channels == NULL || index == MOST_CHANNELS) return NULL;
	if (index == end_of_channels) end_of_channels++;
	struct channel *channel = &channels[index];
	memset(channel, 0, sizeof *channel);
	channel->connection = connection;
	channel->number = number;
	channel->operation = operation;
	channel->is_used = true;
	channel->input.source.fd = channel->outputs[0].source.fd = channel->outputs[1].source.fd = -1;
	connection->channels[number] = (uint16_t)(index + 1);
	return channel;
}

/* Its memory stays until the round is over, since events of this round may name it. */
static void channel_over(struct channel *channel) {
	if (channel->is_over) return;
	channel->is_over = true;
	if (channel->connection != NULL) channel->connection->channels[channel->number] = 0;
	channel->connection = NULL;
	input_close(&channel->input);
	for (unsigned i = 0; i < 2; i++) output_close(&channel->outputs[i]);
	if (channel->result != 0) call(NR_close, channel->result);
	channel->result = 0;
	file_give_up(channel);
}

void channels_collect(void) {
	for (unsigned i = 0; i < end_of_channels; i++) {
		struct channel *channel = &channels[i];
		bool is_busy = channel->outputs[0].is_busy || channel->outputs[1].is_busy;
		if (channel->is_used && channel->is_over && !channel->is_running && !is_busy) channel->is_used = false;
	}
	while (end_of_channels > 0 && !channels[end_of_channels - 1].is_used) end_of_channels--;
}

void channel_reply(struct channel *channel, const void *payload, uint32_t size) {
	send_frame(channel->connection, channel->number, FRAME_REPLY, 0, payload, size);
}

void channel_fail(struct channel *channel, long error, enum step step) {
	uint8_t payload[6];
	put32(payload, (uint32_t)(error < 0 ? -error : EINVAL));
	put16(payload + 4, (uint16_t)step);
	send_frame(channel->connection, channel->number, FRAME_FAIL, 0, payload, sizeof payload);
	channel_over(channel);
}

void channel_finish(struct channel *channel, long error, enum step step) {
	if (error < 0) {
		channel_fail(channel, error, step);
		return;
	}
	channel_reply(channel, NULL, 0);
	channel_settle(channel);
}

void channel_settle(struct channel *channel) {
	if (channel->is_over || channel->is_running || channel->outputs[0].is_open || channel->outputs[1].is_open) return;
	if (channel->needs_input && channel->input.is_open) return;
	send_frame(channel->connection, channel->number, FRAME_CLOSED, 0, NULL, 0);
	channel_over(channel);
}

static void channel_kill(struct channel *channel) {
	/* The group of a command; the agent's own children are of the agent's. */
	if (channel->is_running) call(NR_kill, channel->operation == OPERATION_SPAWN ? -channel->pid : channel->pid, SIGKILL);
}

/* The host wants no more of it. It hears that a command is over when that has ended. */
static void channel_close(struct channel *channel) {
	channel_kill(channel);
	channel->needs_input = false;
	input_close(&channel->input);
	for (unsigned i = 0; i < 2; i++) output_close(&channel->outputs[i]);
	channel_settle(channel);
}

void channels_orphan(struct connection *connection) {
	for (unsigned number = 1; number <= MOST_CHANNEL; number++) {
		unsigned index = connection->channels[number];
		if (index == 0) continue;
		struct channel *channel = &channels[index - 1];
		bool goes_on = channel->operation == OPERATION_SPAWN && channel->is_running && !connection->kills_commands;
		if (!goes_on) {
			channel_kill(channel);
			channel_over(channel);
			continue;
		}
		connection->channels[number] = 0;
		channel->connection = NULL;
		/* What the command writes is read and dropped, so that it does not wait for, or end by, a host that is gone. */
		if (!channel->has_terminal) input_close(&channel->input);
		for (unsigned i = 0; i < 2; i++) output_credit(&channel->outputs[i], 0);
	}
}

void channels_unpark(struct connection *connection) {
	for (unsigned number = 1; number <= MOST_CHANNEL && !connection->is_full; number++) {
		unsigned index = connection->channels[number];
		if (index == 0) continue;
		struct channel *channel = &channels[index - 1];
		if (connection->owes_credit) input_tell_credit(&channel->input);
		for (unsigned i = 0; i < 2; i++) output_credit(&channel->outputs[i], 0);
	}
	connection->owes_credit = false;
}

struct channel *channel_of_pid(int pid) {
	for (unsigned i = 0; i < end_of_channels; i++)
		if (channels[i].is_used && channels[i].is_running && channels[i].pid == pid) return &channels[i];
	return NULL;
}

static void channel_open(struct channel *channel, struct reader *reader) {
	switch (channel->operation) {
	case OPERATION_SPAWN: process_spawn(channel, reader); break;
	case OPERATION_READ: file_read(channel, reader); break;
	case OPERATION_WRITE: file_write(channel, reader); break;
	case OPERATION_STAT: file_stat(channel, reader); break;
	case OPERATION_READDIR: folder_read(channel, reader); break;
	case OPERATION_MKDIR: job_start(channel, folder_make, reader); break;
	case OPERATION_REMOVE: job_start(channel, folder_remove, reader); break;
	case OPERATION_RENAME: file_rename(channel, reader); break;
	case OPERATION_SYMLINK: file_symlink(channel, reader); break;
	case OPERATION_READLINK: file_readlink(channel, reader); break;
	case OPERATION_CHMOD: file_chmod(channel, reader); break;
	case OPERATION_CHOWN: file_chown(channel, reader); break;
	case OPERATION_UTIMES: file_utimes(channel, reader); break;
	case OPERATION_WATCH: watch_start(channel, reader); break;
	case OPERATION_CONNECT_TCP: socket_connect_tcp(channel, reader); break;
	case OPERATION_CONNECT_UNIX: socket_connect_unix(channel, reader); break;
	case OPERATION_SET_CLOCK: machine_set_clock(channel, reader); break;
	case OPERATION_RESEED: machine_reseed(channel, reader); break;
	case OPERATION_MOUNT: job_start(channel, machine_mount, reader); break;
	case OPERATION_SHUTDOWN: machine_shut_down(channel, reader); break;
	default: channel_fail(channel, -ENOSYS, STEP_DECODE);
	}
}

static struct output *output_of(struct channel *channel, uint8_t stream) {
	return stream == STREAM_OUTPUT ? &channel->outputs[0] : stream == STREAM_ERRORS ? &channel->outputs[1] : NULL;
}

void channel_frame(struct connection *connection, uint16_t number, uint8_t type, uint8_t flags, const uint8_t *payload,
		   uint32_t size) {
	if (number == 0 || number > MOST_CHANNEL) {
		connection_violated(connection);
		return;
	}
	unsigned index = connection->channels[number];
	struct reader reader = {payload, size, false};
	if (type == FRAME_OPEN) {
		if (index != 0) {
			connection_violated(connection);
			return;
		}
		struct channel *channel = channel_add(connection, number, flags);
		if (channel != NULL) {
			channel_open(channel, &reader);
			return;
		}
		static const uint8_t too_many[6] = {ENFILE, 0, 0, 0, STEP_CHANNEL, 0};
		send_frame(connection, number, FRAME_FAIL, 0, too_many, sizeof too_many);
		return;
	}
	/* The host may not have heard yet that it is over. */
	if (index == 0) {
		if (type < FRAME_DATA || type > FRAME_CLOSE || type == FRAME_EXIT) connection_violated(connection);
		return;
	}
	struct channel *channel = &channels[index - 1];
	struct output *output = output_of(channel, flags);
	switch (type) {
	case FRAME_DATA:
		if (flags != STREAM_INPUT || channel->input.is_ended || size > channel->input.window) connection_violated(connection);
		else input_data(&channel->input, payload, size);
		break;
	case FRAME_END:
		if (flags != STREAM_INPUT || channel->input.is_ended) connection_violated(connection);
		else input_end(&channel->input);
		break;
	case FRAME_CREDIT: {
		uint32_t bytes = read32(&reader);
		if (reader.is_bad || output == NULL || bytes > WINDOW || output->credit > WINDOW - bytes) connection_violated(connection);
		else output_credit(output, bytes);
		break;
	}
	case FRAME_SIGNAL: {
		uint32_t signal = read32(&reader);
		if (reader.is_bad || signal == 0 || signal > SIGNALS) connection_violated(connection);
		else process_signal(channel, signal);
		break;
	}
	case FRAME_RESIZE: {
		uint16_t columns = read16(&reader), rows = read16(&reader);
		if (reader.is_bad) connection_violated(connection);
		else process_resize(channel, columns, rows);
		break;
	}
	case FRAME_CLOSE: channel_close(channel); break;
	default: connection_violated(connection);
	}
}
