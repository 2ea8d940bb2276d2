/* The parts of the agent as they see each other, one heading a file. */
#pragma once

#include "protocol.h"
#include "system.h"

enum {
	MOST_CONNECTIONS = 16,
	MOST_CHANNELS = 2048,
	/* One frame, and the beginning of the next. */
	IN_SIZE = 131072,
	OUT_SIZE = 524288,
	/* Room that is left for what a channel says of its end, which may be at any time; up to it streams are sent, and frames are taken up to half of it. */
	OUT_RESERVE = 262144,
};

/* Something that epoll waits for. */
struct source {
	int fd;
	bool is_watched;
	void (*ready)(struct source *source, uint32_t events);
};

struct connection {
	struct source source;
	bool is_used, is_greeted, is_refused, is_ending;
	/* A port is one stream of bytes for all that ever connect: it is never closed, and a greeting may come amid anything. */
	bool is_port;
	/* Connections that there was something of last time: edges of epoll come once. */
	bool is_readable, is_writable;
	bool kills_commands;
	/* Streams wait for room. */
	bool is_full;
	/* Credit waits for room. */
	bool owes_credit;
	uint8_t *in, *out;
	uint32_t in_start, in_end, scanned;
	/* When a port has said first that nobody is at its other end, in milliseconds; 0 when it has not, or has had bytes since. */
	uint64_t left_ms;
	uint32_t out_start, out_used;
	/* Index of a channel plus one, by its number. */
	uint16_t channels[MOST_CHANNEL + 1];
};

struct channel;

/* Bytes from a descriptor to the host. */
struct output {
	struct source source;
	struct channel *channel;
	/* Reads bytes; 0 is the end, -EAGAIN a wait. */
	long (*pull)(struct output *output, uint8_t *buffer, uint32_t most);
	uint8_t number;
	bool is_open;
	/* epoll cannot wait for it: it is a file, which always has something. */
	bool is_eager, is_busy;
	/* Ends after `left` bytes. */
	bool is_limited;
	uint32_t left, credit;
	/* Less credit than this is none. */
	uint32_t least;
	struct output *next_busy;
};

/* Bytes from the host to a descriptor. */
struct input {
	struct source source;
	struct channel *channel;
	/* All was written that comes (0), or writing failed (an errno, negative). */
	void (*over)(struct input *input, long error);
	uint8_t *ring;
	uint32_t start, used;
	/* What the host may still send, and what it is to be told that it may besides. */
	uint32_t window, owed;
	bool is_open, is_ended;
};

struct channel {
	struct connection *connection;
	uint16_t number;
	uint8_t operation;
	bool is_used, is_over;
	/* A command, or the agent's own child. */
	bool is_running;
	bool has_terminal;
	/* The channel waits for its input's end. */
	bool needs_input;
	int pid;
	/* Where a child of the agent's tells its result; 0 for none. */
	int result;
	struct input input;
	struct output outputs[2];
	/* A page: the name of a file that is not yet what it is to be, and the name it gets. */
	char *names;
};

/* Bytes that are read from front to back; `is_bad` where they were too few. */
struct reader {
	const uint8_t *at;
	uint32_t left;
	bool is_bad;
};

/* text.c */
void *memcpy(void *to, const void *from, size_t size);
void *memmove(void *to, const void *from, size_t size);
void *memset(void *to, int byte, size_t size);
int memcmp(const void *a, const void *b, size_t size);
size_t text_length(const char *text);
bool text_is(const char *a, const char *b);
/* What is behind a prefix, or null. */
const char *text_after(const char *text, const char *prefix);
/* Appends to a text that has `room` bytes; false where it does not fit. */
bool text_add(char *text, size_t room, const char *more);
bool text_add_number(char *text, size_t room, uint64_t number);
/* Parses all of a decimal number. */
bool text_number(const char *text, uint32_t *number);
/* Copies up to a separator, and returns what is behind it, or null at the end. */
const char *text_field(const char *text, char separator, char *field, size_t room);
uint16_t get16(const uint8_t *at);
uint32_t get32(const uint8_t *at);
void put16(uint8_t *at, uint16_t value);
void put32(uint8_t *at, uint32_t value);
void put64(uint8_t *at, uint64_t value);
uint8_t read8(struct reader *reader);
uint16_t read16(struct reader *reader);
uint32_t read32(struct reader *reader);
uint64_t read64(struct reader *reader);
/* Reads a length of 16 bits and as many bytes, none of them 0; the result ends with a 0. */
bool read_text(struct reader *reader, char *text, size_t room);
/* Reads the beginning of a small file as text, without its last newline. */
bool read_small_file(const char *path, char *text, size_t room);
void say(const char *what, const char *which, long error);

/* loop.c */
void loop_start(void);
bool watch_source(struct source *source, uint32_t events);
void unwatch_source(struct source *source);
void close_source(struct source *source);
void make_busy(struct output *output);
void loop_forever(void) __attribute__((noreturn));
/* Since some moment, and never 0. */
uint64_t now_ms(void);
void wait_ms(uint32_t ms);

/* memory.c */
void *allocate(size_t size);
void release(void *memory, size_t size);

/* connection.c */
struct connection *connection_add(int fd, bool is_port);
void connection_pump(struct connection *connection);
void connections_pump(void);
bool connections_wait(void);
/* Some port's host may have gone. */
bool connections_left(void);
uint32_t connection_room(const struct connection *connection);
void send_frame(struct connection *connection, uint16_t channel, uint8_t type, uint8_t flags, const void *payload, uint32_t size);
void connection_violated(struct connection *connection);

/* transport.c */
bool transport_add(const char *words);
bool transports_wait(void);
void transports_retry(void);
void transport_lost(int fd);

/* channel.c */
void channels_start(void);
void channel_frame(struct connection *connection, uint16_t number, uint8_t type, uint8_t flags, const uint8_t *payload, uint32_t size);
void channel_reply(struct channel *channel, const void *payload, uint32_t size);
void channel_fail(struct channel *channel, long error, enum step step);
/* Replies with nothing, or fails. */
void channel_finish(struct channel *channel, long error, enum step step);
/* Ends the channel if nothing of it goes on. */
void channel_settle(struct channel *channel);
void channels_orphan(struct connection *connection);
void channels_unpark(struct connection *connection);
void channels_collect(void);
struct channel *channel_of_pid(int pid);

/* stream.c */
void output_open(struct channel *channel, unsigned index, int fd, long (*pull)(struct output *, uint8_t *, uint32_t));
void output_run(struct output *output);
void output_credit(struct output *output, uint32_t bytes);
void output_limit(struct output *output);
void output_close(struct output *output);
long pull_bytes(struct output *output, uint8_t *buffer, uint32_t most);
void input_open(struct channel *channel, int fd, void (*over)(struct input *, long));
void input_data(struct input *input, const uint8_t *bytes, uint32_t size);
void input_end(struct input *input);
void input_close(struct input *input);
void input_tell_credit(struct input *input);

/* process.c */
void process_spawn(struct channel *channel, struct reader *reader);
void process_signal(struct channel *channel, uint32_t signal);
void process_resize(struct channel *channel, uint16_t columns, uint16_t rows);
/* Runs work in a child, whose result is the channel's. */
void job_start(struct channel *channel, long (*work)(struct reader *, enum step *), struct reader *reader);
void start_children(void);

/* terminal.c */
long terminal_open(int *master, int *slave, uint16_t columns, uint16_t rows);
void terminal_resize(int master, uint16_t columns, uint16_t rows);

/* users.c */
struct user {
	uint32_t uid, gid;
	uint32_t groups[64];
	uint32_t group_count;
	char name[64], home[256], shell[256];
};
long find_user(const char *wanted, struct user *user);

/* files.c */
void file_read(struct channel *channel, struct reader *reader);
void file_write(struct channel *channel, struct reader *reader);
void file_stat(struct channel *channel, struct reader *reader);
void file_rename(struct channel *channel, struct reader *reader);
void file_symlink(struct channel *channel, struct reader *reader);
void file_readlink(struct channel *channel, struct reader *reader);
void file_chmod(struct channel *channel, struct reader *reader);
void file_chown(struct channel *channel, struct reader *reader);
void file_utimes(struct channel *channel, struct reader *reader);
void file_give_up(struct channel *channel);

/* folders.c */
void folder_read(struct channel *channel, struct reader *reader);
long folder_make(struct reader *reader, enum step *step);
long folder_remove(struct reader *reader, enum step *step);
long make_folders(char *path, uint32_t mode);
long remove_tree(int folder, const char *name, unsigned depth);

/* watch.c */
void watch_start(struct channel *channel, struct reader *reader);

/* sockets.c */
void socket_connect_tcp(struct channel *channel, struct reader *reader);
void socket_connect_unix(struct channel *channel, struct reader *reader);
bool parse_ipv4(const char *text, uint32_t *address);

/* machine.c */
void machine_set_clock(struct channel *channel, struct reader *reader);
void machine_reseed(struct channel *channel, struct reader *reader);
long machine_mount(struct reader *reader, enum step *step);
void machine_shut_down(struct channel *channel, struct reader *reader);

/* init.c */
/* Makes a guest of the machine, and returns where to listen. */
const char *init_machine(void);
extern bool is_init;

/* root.c */
bool root_mount(const char *device, const char *type, const char *flags, bool is_read_only, const char *overlay);

/* network.c */
void network_loopback(void);
void network_configure(const char *words);
/* Makes /etc/hosts where there is none, or nothing in it. */
void network_hosts(const char *host, const char *words);
