/* Connections to servers of the guest's. */
#include "agent.h"

static void input_over(struct input *input, long error) {
	struct channel *channel = input->channel;
	if (error < 0) send_frame(channel->connection, channel->number, FRAME_END, STREAM_INPUT, NULL, 0);
	else call(NR_shutdown, input->source.fd, SHUT_WR);
	input_close(input);
	channel_settle(channel);
}

static void connected(struct channel *channel, int fd) {
	long copy = call(NR_fcntl, fd, F_DUPFD_CLOEXEC, 3);
	if (copy < 0) {
		call(NR_close, fd);
		channel_fail(channel, copy, STEP_CONNECT);
		return;
	}
	channel->needs_input = true;
	channel_reply(channel, NULL, 0);
	input_open(channel, (int)copy, input_over);
	output_open(channel, 0, fd, pull_bytes);
}

/* The connection is there, or is not to be. Until then its descriptor is that of the first output. */
static void connect_ready(struct source *source, uint32_t events) {
	struct output *output = (struct output *)source;
	struct channel *channel = output->channel;
	int error = 0, size = sizeof error, fd = source->fd;
	(void)events;
	call(NR_getsockopt, fd, SOL_SOCKET, SO_ERROR, &error, &size);
	unwatch_source(source);
	output->is_open = false;
	source->fd = -1;
	if (error == 0) {
		connected(channel, fd);
		return;
	}
	call(NR_close, fd);
	channel_fail(channel, -error, STEP_CONNECT);
}

static void connect_to(struct channel *channel, const void *address, uint32_t size) {
	uint16_t family = *(const uint16_t *)address;
	long fd = call(NR_socket, family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	long error = fd < 0 ? fd : call(NR_connect, fd, address, size);
	if (error == -EINPROGRESS) {
		struct output *output = &channel->outputs[0];
		output->channel = channel;
		output->source = (struct source){.fd = (int)fd, .ready = connect_ready};
		/* Something goes on, which has not begun to say anything. */
		output->is_open = watch_source(&output->source, EPOLLOUT);
		if (output->is_open) return;
		error = -ENOMEM;
		output->source.fd = -1;
	}
	if (error < 0) {
		if (fd >= 0) call(NR_close, fd);
		channel_fail(channel, error, STEP_CONNECT);
		return;
	}
	connected(channel, (int)fd);
}

static uint16_t swap16(uint16_t value) { return (uint16_t)(value >> 8 | value << 8); }

bool parse_ipv4(const char *text, uint32_t *address) {
	uint8_t bytes[4];
	for (unsigned i = 0; i < 4; i++) {
		char field[5];
		uint32_t number;
		if (text == NULL) return false;
		text = text_field(text, '.', field, sizeof field);
		if (!text_number(field, &number) || number > 255) return false;
		bytes[i] = (uint8_t)number;
	}
	*address = get32(bytes);
	return text == NULL;
}

static int hexadecimal(char digit) {
	if (digit >= '0' && digit <= '9') return digit - '0';
	digit |= 0x20;
	return digit >= 'a' && digit <= 'f' ? digit - 'a' + 10 : -1;
}

/* Groups of up to four digits, with one gap of zeroes; an IPv4 address at the end is not taken. */
static bool parse_ipv6(const char *text, uint8_t *address) {
	unsigned count = 0, gap = 9;
	uint8_t groups[16];
	if (text[0] == ':' && text[1] == ':') {
		gap = 0;
		text += 2;
	}
	while (*text != 0) {
		unsigned value = 0, digits = 0;
		for (; hexadecimal(*text) >= 0; text++, digits++) value = value << 4 | (unsigned)hexadecimal(*text);
		if (digits == 0 || digits > 4 || count == 8) return false;
		groups[2 * count] = (uint8_t)(value >> 8);
		groups[2 * count + 1] = (uint8_t)value;
		count++;
		if (*text == 0) break;
		if (*text++ != ':') return false;
		if (*text == ':') {
			if (gap != 9) return false;
			gap = count;
			text++;
		} else if (*text == 0) return false;
	}
	if (gap == 9 ? count != 8 : count > 7) return false;
	if (gap == 9) gap = count;
	memset(address, 0, 16);
	memcpy(address, groups, 2 * gap);
	memcpy(address + 16 - 2 * (count - gap), groups + 2 * gap, 2 * (count - gap));
	return true;
}

/* Names are the host's to resolve, except for the guest's own. */
void socket_connect_tcp(struct channel *channel, struct reader *reader) {
	char host[64];
	struct sockaddr_in v4 = {.family = AF_INET};
	struct sockaddr_in6 v6 = {.family = AF_INET6};
	v4.port = v6.port = swap16(read16(reader));
	if (!read_text(reader, host, sizeof host) || reader->left > 0) channel_fail(channel, -EINVAL, STEP_DECODE);
	else if (parse_ipv4(*host == 0 || text_is(host, "localhost") ? "127.0.0.1" : host, &v4.address)) connect_to(channel, &v4, sizeof v4);
	else if (parse_ipv6(host, v6.address)) connect_to(channel, &v6, sizeof v6);
	else channel_fail(channel, -EADDRNOTAVAIL, STEP_ADDRESS);
}

void socket_connect_unix(struct channel *channel, struct reader *reader) {
	struct sockaddr_unix address = {.family = AF_UNIX};
	if (!read_text(reader, address.path, sizeof address.path) || reader->left > 0) channel_fail(channel, -EINVAL, STEP_DECODE);
	else connect_to(channel, &address, sizeof address);
}
