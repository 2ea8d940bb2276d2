/* Connections of hosts: greetings, frames as they come, and frames as they go. */
#include "agent.h"

/*
 * A port's bytes and the news that its host comes or goes reach the kernel by different queues, in no order: a host that has just come may be greeted before the port says
 * that the one before it has gone. So a session ends by the next greeting, or when nobody has been there for as long as this.
 */
enum { PORT_PATIENCE_MS = 5000 };

static struct connection connections[MOST_CONNECTIONS];

static void connection_ready(struct source *source, uint32_t events);

/* Null, and the descriptor closed, where there are too many. */
struct connection *connection_add(int fd, bool is_port) {
	struct connection *connection = NULL;
	for (unsigned i = 0; i < MOST_CONNECTIONS && connection == NULL; i++)
		if (!connections[i].is_used) connection = &connections[i];
	uint8_t *buffers = connection == NULL ? NULL : allocate(IN_SIZE + OUT_SIZE);
	if (buffers == NULL) {
		call(NR_close, fd);
		return NULL;
	}
	memset(connection, 0, sizeof *connection);
	connection->in = buffers;
	connection->out = buffers + IN_SIZE;
	connection->is_used = true;
	connection->is_port = is_port;
	connection->is_readable = connection->is_writable = true;
	connection->source = (struct source){.fd = fd, .ready = connection_ready};
	watch_source(&connection->source, EPOLLIN | EPOLLOUT | EPOLLET);
	return connection;
}

/* What was begun for the host that was there is left to itself, or ended. */
static void forget_session(struct connection *connection) {
	channels_orphan(connection);
	connection->is_greeted = connection->is_full = connection->owes_credit = false;
	connection->out_start = connection->out_used = 0;
}

/* Whoever is at the other end of a port all the same is told that nothing of its session is left: a port is not closed. */
static void lose_session(struct connection *connection) {
	bool had_session = connection->is_greeted;
	forget_session(connection);
	connection->is_ending = false;
	/* A greeting would have been seen when it came, but for one that has not come whole. */
	uint32_t size = connection->in_end - connection->in_start;
	if (had_session && size >= MAGIC_SIZE) connection->in_start = connection->in_end - (MAGIC_SIZE - 1);
	if (had_session) send_frame(connection, 0, FRAME_CLOSED, 0, NULL, 0);
}

static void connection_end(struct connection *connection) {
	if (connection->is_port) {
		lose_session(connection);
		return;
	}
	forget_session(connection);
	int fd = connection->source.fd;
	close_source(&connection->source);
	transport_lost(fd);
	release(connection->in, IN_SIZE + OUT_SIZE);
	connection->is_used = false;
}

void connection_violated(struct connection *connection) { connection->is_ending = true; }

uint32_t connection_room(const struct connection *connection) { return OUT_SIZE - connection->out_used; }

static void put(struct connection *connection, const void *bytes, uint32_t size) {
	uint32_t at = (connection->out_start + connection->out_used) % OUT_SIZE;
	uint32_t first = size < OUT_SIZE - at ? size : OUT_SIZE - at;
	memcpy(connection->out + at, bytes, first);
	memcpy(connection->out, (const uint8_t *)bytes + first, size - first);
	connection->out_used += size;
}

void send_frame(struct connection *connection, uint16_t channel, uint8_t type, uint8_t flags, const void *payload, uint32_t size) {
	if (connection == NULL || connection->is_ending) return;
	if (connection_room(connection) < HEADER_SIZE + size) {
		/* The reserve is for all that channels may say at once; without it they would be out of step with the host. */
		connection->is_ending = true;
		return;
	}
	uint8_t header[HEADER_SIZE];
	put32(header, size);
	put16(header + 4, channel);
	header[6] = type;
	header[7] = flags;
	put(connection, header, sizeof header);
	put(connection, payload, size);
}

static void add_fact(uint8_t *facts, uint32_t *size, const char *text) {
	size_t length = text_length(text);
	if (*size + 2 + length > MOST_FACTS) length = 0;
	put16(facts + *size, (uint16_t)length);
	memcpy(facts + *size + 2, text, length);
	*size += 2 + (uint32_t)length;
}

static void greet(struct connection *connection, const uint8_t *greeting) {
	uint16_t lowest = get16(greeting + 32), highest = get16(greeting + 34);
	bool is_understood = lowest <= HIGHEST_VERSION && highest >= LOWEST_VERSION && lowest <= highest;
	uint8_t answer[GREETING_SIZE + MOST_FACTS + 2];
	uint8_t *facts = answer + GREETING_SIZE;
	uint32_t size = 0;
	if (is_understood) {
		struct system_names names = {0};
		char kernel[140] = "", boot[64];
		call(NR_uname, &names);
		text_add(kernel, sizeof kernel, names.system);
		text_add(kernel, sizeof kernel, " ");
		text_add(kernel, sizeof kernel, names.release);
		read_small_file("/proc/sys/kernel/random/boot_id", boot, sizeof boot);
		put32(facts, (uint32_t)call(NR_getpid));
		facts[4] = is_init;
		size = 5;
		add_fact(facts, &size, kernel);
		add_fact(facts, &size, ARCHITECTURE);
		add_fact(facts, &size, names.node);
		add_fact(facts, &size, boot);
	}
	memcpy(answer, greeting, MAGIC_SIZE + NONCE_SIZE);
	put16(answer + 32, LOWEST_VERSION);
	put16(answer + 34, HIGHEST_VERSION);
	put32(answer + 36, size);
	put(connection, answer, GREETING_SIZE + size);
	connection->kills_commands = (get32(greeting + 36) & GREETING_KILL) != 0;
	connection->is_greeted = is_understood;
}

/* Where in a port's new bytes a greeting begins, or its end. */
static uint32_t find_greeting(struct connection *connection) {
	uint32_t at = connection->scanned > connection->in_start ? connection->scanned : connection->in_start;
	for (; at + MAGIC_SIZE <= connection->in_end; at++)
		if (connection->in[at] == (uint8_t)MAGIC[0] && memcmp(connection->in + at, MAGIC, MAGIC_SIZE) == 0) {
			connection->scanned = at + MAGIC_SIZE;
			return at;
		}
	connection->scanned = at;
	return connection->in_end;
}

/* A host that comes to a port sends a greeting, whatever the last one has left there. */
static void look_for_greeting(struct connection *connection) {
	for (;;) {
		uint32_t at = find_greeting(connection);
		if (at == connection->in_end) break;
		forget_session(connection);
		connection->in_start = at;
	}
	if (connection->is_greeted) return;
	uint32_t size = connection->in_end - connection->in_start;
	bool begins = size >= MAGIC_SIZE && memcmp(connection->in + connection->in_start, MAGIC, MAGIC_SIZE) == 0;
	if (!begins && size >= MAGIC_SIZE) connection->in_start = connection->in_end - (MAGIC_SIZE - 1);
}

/* Takes what has come, as far as there is room for answers. Tells whether it took something. */
static bool take(struct connection *connection) {
	bool taken = false;
	while (!connection->is_ending && !connection->is_refused) {
		uint8_t *at = connection->in + connection->in_start;
		uint32_t size = connection->in_end - connection->in_start;
		if (!connection->is_greeted) {
			uint32_t known = size < MAGIC_SIZE ? size : MAGIC_SIZE;
			if (!connection->is_port && memcmp(at, MAGIC, known) != 0) connection->is_ending = true;
			if (connection->is_ending || size < GREETING_SIZE || memcmp(at, MAGIC, MAGIC_SIZE) != 0) break;
			greet(connection, at);
			connection->in_start += GREETING_SIZE;
			taken = true;
			if (connection->is_greeted || connection->is_port) continue;
			/* Another version: the answer says which ones there are, and nothing else is taken. */
			connection->is_refused = true;
			break;
		}
		if (size < HEADER_SIZE) break;
		uint32_t length = get32(at);
		if (length > MOST_PAYLOAD) {
			connection->is_ending = true;
			break;
		}
		if (size < HEADER_SIZE + length) break;
		if (connection_room(connection) < OUT_RESERVE / 2) {
			connection->is_full = true;
			break;
		}
		connection->in_start += HEADER_SIZE + length;
		taken = true;
		channel_frame(connection, get16(at + 4), at[6], at[7], at + HEADER_SIZE, length);
	}
	return taken;
}

static bool fill(struct connection *connection) {
	if (!connection->is_readable || connection->is_ending) return false;
	if (connection->in_start == connection->in_end) {
		connection->in_start = connection->in_end = connection->scanned = 0;
	} else if (connection->in_end == IN_SIZE && connection->in_start > 0) {
		memmove(connection->in, connection->in + connection->in_start, connection->in_end - connection->in_start);
		connection->scanned -= connection->scanned < connection->in_start ? connection->scanned : connection->in_start;
		connection->in_end -= connection->in_start;
		connection->in_start = 0;
	}
	if (connection->in_end == IN_SIZE) return false;
	long size = call(NR_read, connection->source.fd, connection->in + connection->in_end, IN_SIZE - connection->in_end);
	if (size == -EINTR) return true;
	if (size == 0 && connection->is_port) {
		uint64_t now = now_ms();
		connection->is_readable = false;
		if (connection->left_ms == 0) connection->left_ms = now;
		else if (now - connection->left_ms >= PORT_PATIENCE_MS && connection->is_greeted) lose_session(connection);
		return false;
	}
	connection->left_ms = 0;
	if (size <= 0) {
		connection->is_readable = false;
		if (size == -EAGAIN) return false;
		connection->is_ending = true;
		if (connection->is_port) {
			/* Unplugged. */
			forget_session(connection);
			connection->is_port = false;
		}
		connection->in_start = connection->in_end = connection->scanned = 0;
		return false;
	}
	connection->in_end += (uint32_t)size;
	if (connection->is_port) look_for_greeting(connection);
	return true;
}

static bool flush(struct connection *connection) {
	if (!connection->is_writable || connection->out_used == 0) return false;
	uint32_t first = OUT_SIZE - connection->out_start;
	if (first > connection->out_used) first = connection->out_used;
	struct io_vector parts[2] = {
		{connection->out + connection->out_start, first},
		{connection->out, connection->out_used - first},
	};
	long size = call(NR_writev, connection->source.fd, parts, parts[1].length > 0 ? 2 : 1);
	if (size == -EINTR) return true;
	if (size <= 0) {
		connection->is_writable = false;
		if (size != -EAGAIN) connection->is_ending = true;
		return false;
	}
	connection->out_start = (connection->out_start + (uint32_t)size) % OUT_SIZE;
	connection->out_used -= (uint32_t)size;
	if (connection->is_full && connection_room(connection) > OUT_RESERVE + OUT_RESERVE / 2) {
		connection->is_full = false;
		channels_unpark(connection);
	}
	return true;
}

/* A few rounds, so that others have theirs. */
void connection_pump(struct connection *connection) {
	for (unsigned round = 0; round < 4 && connection->is_used; round++) {
		bool moved = take(connection);
		moved |= flush(connection);
		if (connection->is_refused && !moved) connection->is_ending = true;
		moved |= fill(connection);
		if (connection->is_ending) connection_end(connection);
		else if (!moved) break;
	}
}

void connections_pump(void) {
	for (unsigned i = 0; i < MOST_CONNECTIONS; i++)
		if (connections[i].is_used) connection_pump(&connections[i]);
}

/* Some connection can go on without an event. */
bool connections_wait(void) {
	for (unsigned i = 0; i < MOST_CONNECTIONS; i++) {
		const struct connection *connection = &connections[i];
		if (!connection->is_used) continue;
		if (connection->is_writable && connection->out_used > 0) return true;
		if (connection->is_readable && !connection->is_full) return true;
	}
	return false;
}

bool connections_left(void) {
	bool any = false;
	for (unsigned i = 0; i < MOST_CONNECTIONS; i++) {
		struct connection *connection = &connections[i];
		if (!connection->is_used || connection->left_ms == 0 || !connection->is_greeted) continue;
		/* It is asked again, since there is no edge while nobody comes. */
		connection->is_readable = any = true;
	}
	return any;
}

static void connection_ready(struct source *source, uint32_t events) {
	struct connection *connection = (struct connection *)source;
	(void)events;
	connection->is_readable = connection->is_writable = true;
}
