/* Commands, and children of the agent's own for what may take long. */
#include "agent.h"

/* What a new process is made of. It shares the agent's memory until it executes, and tells here what failed. */
struct start {
	char **words, **environment;
	const char *folder;
	bool is_folder_asked;
	bool changes_identity;
	const struct user *user;
	int descriptors[3];
	bool has_terminal;
	volatile long error;
	volatile enum step step;
};

static char texts[MOST_PAYLOAD + 4096];
static char *pointers[MOST_WORDS + 16];
static const char default_path[] = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

static struct resource_limit first_file_limit;
static void processes_reap(void);

static void child_ready(struct source *source, uint32_t events) {
	uint8_t told[128];
	(void)events;
	while (call(NR_read, source->fd, told, sizeof told) > 0) {}
	processes_reap();
}

/* Children's ends come as bytes of a descriptor. A host that goes away is found by reading, not by a signal. */
void start_children(void) {
	static struct source children;
	uint64_t signals = 1ull << (SIGCHLD - 1), blocked = signals | 1ull << (SIGPIPE - 1);
	struct kernel_sigaction by_default = {0};
	for (long signal = 1; signal <= SIGNALS; signal++) call(NR_rt_sigaction, signal, &by_default, 0, 8);
	call(NR_rt_sigprocmask, SIG_BLOCK, &blocked, 0, 8);
	children.fd = (int)call(NR_signalfd4, -1, &signals, 8, O_CLOEXEC | O_NONBLOCK);
	children.ready = child_ready;
	watch_source(&children, EPOLLIN);
	/* 200 commands have 600 pipes. What commands may open is left as it was. */
	call(NR_prlimit64, 0, RLIMIT_NOFILE, 0, &first_file_limit);
	struct resource_limit most = {first_file_limit.hard, first_file_limit.hard};
	if (most.soft > 1 << 16) most.soft = 1 << 16;
	if (most.soft > first_file_limit.soft) call(NR_prlimit64, 0, RLIMIT_NOFILE, &most, 0);
}

static void __attribute__((noreturn)) child_failed(struct start *start, long error, enum step step) {
	start->error = error;
	start->step = step;
	for (;;) call(NR_exit_group, 127);
}

/* As a shell looks a command up: permission that is missing somewhere counts only where nothing else is found. */
static long execute(struct start *start) {
	const char *name = start->words[0], *path = default_path;
	char file[MOST_PATH + 1];
	long found = -ENOENT;
	for (const char *at = name; *at != 0; at++)
		if (*at == '/') return call(NR_execve, name, start->words, start->environment);
	if (*name == 0) return -ENOENT;
	for (char **one = start->environment; *one != NULL; one++) {
		const char *value = text_after(*one, "PATH=");
		if (value != NULL) path = value;
	}
	while (path != NULL) {
		path = text_field(path, ':', file, sizeof file);
		if (*file != 0 && !text_add(file, sizeof file, "/")) continue;
		if (!text_add(file, sizeof file, name)) continue;
		long error = call(NR_execve, file, start->words, start->environment);
		if (error == -EACCES) found = error;
		else if (error != -ENOENT && error != -ENOTDIR) return error;
	}
	return found;
}

static void __attribute__((noreturn)) child_run(struct start *start) {
	uint64_t none = 0;
	long error = call(NR_setsid);
	if (error < 0) child_failed(start, error, STEP_SESSION);
	for (int i = 0; i < 3; i++) {
		error = call(NR_dup3, start->descriptors[i], i, 0);
		if (error < 0) child_failed(start, error, STEP_PIPE);
	}
	if (start->has_terminal && (error = call(NR_ioctl, 0, TIOCSCTTY, 0)) < 0) child_failed(start, error, STEP_TERMINAL);
	call(NR_prlimit64, 0, RLIMIT_NOFILE, &first_file_limit, 0);
	if (start->changes_identity) {
		const struct user *user = start->user;
		if ((error = call(NR_setgroups, user->group_count, user->groups)) < 0 || (error = call(NR_setgid, user->gid)) < 0 ||
		    (error = call(NR_setuid, user->uid)) < 0)
			child_failed(start, error, STEP_IDENTITY);
	}
	error = call(NR_chdir, start->folder);
	if (error < 0 && !start->is_folder_asked) error = call(NR_chdir, "/");
	if (error < 0) child_failed(start, error, STEP_FOLDER);
	call(NR_rt_sigprocmask, SIG_SETMASK, &none, 0, 8);
	child_failed(start, execute(start), STEP_EXEC);
}

/* The child goes on in this frame's callees, and the agent only when it has executed or ended: what it overwrites is below this frame. */
static long __attribute__((noinline)) child_start(struct start *start) {
	long pid = call(NR_clone, CLONE_VM | CLONE_VFORK | SIGCHLD, 0, 0, 0, 0);
	if (pid == 0) child_run(start);
	return pid;
}

/* Reads words into the common room for texts. */
static bool read_words(struct reader *reader, uint32_t *pointer, size_t *text) {
	uint16_t count = read16(reader);
	for (unsigned i = 0; i < count; i++) {
		if (*pointer >= MOST_WORDS || !read_text(reader, texts + *text, sizeof texts - *text)) return false;
		pointers[(*pointer)++] = texts + *text;
		*text += text_length(texts + *text) + 1;
	}
	return !reader->is_bad;
}

static bool has_variable(char **environment, char **end, const char *name) {
	for (char **one = environment; one < end; one++) {
		const char *rest = text_after(*one, name);
		if (rest != NULL && *rest == '=') return true;
	}
	return false;
}

static void add_variable(char **environment, uint32_t *pointer, size_t *text, const char *name, const char *value) {
	char *at = texts + *text;
	size_t room = sizeof texts - *text;
	if (room < 2 || has_variable(environment, &pointers[*pointer], name)) return;
	*at = 0;
	if (!text_add(at, room, name) || !text_add(at, room, "=") || !text_add(at, room, value)) return;
	pointers[(*pointer)++] = at;
	*text += text_length(at) + 1;
}

static void input_over(struct input *input, long error) {
	struct channel *channel = input->channel;
	if (error == 0 && channel->has_terminal) {
		/* The end of input of a terminal is a character; it stays open. */
		static const char end_of_input = 4;
		call(NR_write, input->source.fd, &end_of_input, 1);
		return;
	}
	input_close(input);
	/* Nobody reads it: what the host still has is of no use. */
	if (error < 0) send_frame(channel->connection, channel->number, FRAME_END, STREAM_INPUT, NULL, 0);
}

/* Ends of pipes: the command's and the agent's, which never blocks. */
static long make_pipe(int *command, int *agent, bool is_input) {
	int ends[2];
	long error = call(NR_pipe2, ends, O_CLOEXEC);
	if (error < 0) return error;
	*command = ends[is_input ? 0 : 1];
	*agent = ends[is_input ? 1 : 0];
	call(NR_fcntl, *agent, F_SETFL, O_NONBLOCK | (is_input ? O_WRONLY : O_RDONLY));
	return 0;
}

static void close_all(const int *descriptors, unsigned count) {
	for (unsigned i = 0; i < count; i++)
		if (descriptors[i] >= 0) call(NR_close, descriptors[i]);
}

void process_spawn(struct channel *channel, struct reader *reader) {
	static struct user user;
	char wanted[128], folder[MOST_PATH + 1];
	uint32_t pointer = 0;
	size_t text = 0;
	uint8_t flags = read8(reader);
	uint16_t columns = read16(reader), rows = read16(reader);
	bool is_good = read_text(reader, wanted, sizeof wanted) && read_text(reader, folder, sizeof folder);
	is_good = is_good && read_words(reader, &pointer, &text) && pointer > 0;
	pointers[pointer++] = NULL;
	char **environment = &pointers[pointer];
	is_good = is_good && read_words(reader, &pointer, &text);
	if (!is_good || reader->left > 0) {
		channel_fail(channel, -EINVAL, STEP_DECODE);
		return;
	}
	long error = find_user(wanted, &user);
	if (error < 0) {
		channel_fail(channel, error, STEP_USER);
		return;
	}
	if ((flags & SPAWN_CLEAR_ENVIRONMENT) == 0) {
		add_variable(environment, &pointer, &text, "PATH", default_path);
		add_variable(environment, &pointer, &text, "HOME", user.home);
		add_variable(environment, &pointer, &text, "SHELL", user.shell);
		add_variable(environment, &pointer, &text, "USER", *user.name == 0 ? "root" : user.name);
		add_variable(environment, &pointer, &text, "LOGNAME", *user.name == 0 ? "root" : user.name);
		if ((flags & SPAWN_TERMINAL) != 0) add_variable(environment, &pointer, &text, "TERM", "xterm-256color");
	}
	pointers[pointer] = NULL;

	/* Of the command: input, output, errors. Of the agent: the same. */
	int ends[6] = {-1, -1, -1, -1, -1, -1};
	enum step step = STEP_PIPE;
	if ((flags & SPAWN_TERMINAL) != 0) {
		step = STEP_TERMINAL;
		error = terminal_open(&ends[4], &ends[0], columns, rows);
		if (error == 0 && (error = ends[3] = (int)call(NR_fcntl, ends[4], F_DUPFD_CLOEXEC, 3)) > 0) error = 0;
	} else {
		if ((flags & SPAWN_NO_INPUT) != 0) {
			error = ends[0] = (int)call(NR_openat, AT_FDCWD, "/dev/null", O_RDONLY | O_CLOEXEC | O_NOCTTY, 0);
			if (error > 0) error = 0;
		} else error = make_pipe(&ends[0], &ends[3], true);
		if (error == 0) error = make_pipe(&ends[1], &ends[4], false);
		if (error == 0) error = make_pipe(&ends[2], &ends[5], false);
	}
	if (error < 0) {
		close_all(ends, 6);
		channel_fail(channel, error, step);
		return;
	}
	channel->has_terminal = (flags & SPAWN_TERMINAL) != 0;
	struct start start = {
		.words = pointers,
		.environment = environment,
		.folder = *folder == 0 ? user.home : folder,
		.is_folder_asked = *folder != 0,
		.changes_identity = *wanted != 0,
		.user = &user,
		.descriptors = {ends[0], channel->has_terminal ? ends[0] : ends[1], channel->has_terminal ? ends[0] : ends[2]},
		.has_terminal = channel->has_terminal,
	};
	long pid = child_start(&start);
	if (pid < 0) {
		start.error = pid;
		start.step = STEP_FORK;
	}
	close_all(ends, 3);
	if (start.error < 0) {
		close_all(ends + 3, 3);
		if (pid > 0) call(NR_wait4, pid, 0, 0, 0);
		channel_fail(channel, start.error, start.step);
		return;
	}
	channel->pid = (int)pid;
	channel->is_running = true;
	if (ends[3] >= 0) input_open(channel, ends[3], input_over);
	uint8_t payload[4];
	put32(payload, (uint32_t)pid);
	channel_reply(channel, payload, sizeof payload);
	output_open(channel, 0, ends[4], pull_bytes);
	if (ends[5] >= 0) output_open(channel, 1, ends[5], pull_bytes);
}

void process_signal(struct channel *channel, uint32_t signal) {
	if (channel->operation == OPERATION_SPAWN && channel->is_running) call(NR_kill, -channel->pid, signal);
}

void process_resize(struct channel *channel, uint16_t columns, uint16_t rows) {
	if (channel->has_terminal && channel->outputs[0].source.fd >= 0)
		terminal_resize(channel->outputs[0].source.fd, columns, rows);
}

void job_start(struct channel *channel, long (*work)(struct reader *, enum step *), struct reader *reader) {
	int ends[2];
	long error = call(NR_pipe2, ends, O_CLOEXEC | O_NONBLOCK);
	if (error < 0) {
		channel_fail(channel, error, STEP_PIPE);
		return;
	}
	long pid = call(NR_clone, SIGCHLD, 0, 0, 0, 0);
	if (pid == 0) {
		/* The host's connection has to end with the agent's descriptor, not with this one. */
		call(NR_close_range, 3, ends[1] - 1, 0);
		call(NR_close_range, ends[1] + 1, ~0u, 0);
		enum step step = STEP_DECODE;
		int32_t result[2] = {(int32_t)work(reader, &step), 0};
		result[1] = (int32_t)step;
		call(NR_write, ends[1], result, sizeof result);
		for (;;) call(NR_exit_group, 0);
	}
	call(NR_close, ends[1]);
	if (pid < 0) {
		call(NR_close, ends[0]);
		channel_fail(channel, pid, STEP_FORK);
		return;
	}
	channel->pid = (int)pid;
	channel->result = ends[0];
	channel->is_running = true;
}

static void command_ended(struct channel *channel, int status) {
	uint8_t payload[5];
	int signal = status & 0x7f;
	payload[0] = signal == 0 ? EXIT_STATUS : EXIT_SIGNAL;
	put32(payload + 1, (uint32_t)(signal == 0 ? status >> 8 & 0xff : signal));
	send_frame(channel->connection, channel->number, FRAME_EXIT, 0, payload, sizeof payload);
	input_close(&channel->input);
	/* A terminal ends by itself, since its session has. */
	for (unsigned i = 0; i < 2 && !channel->has_terminal; i++) output_limit(&channel->outputs[i]);
	channel_settle(channel);
}

static void job_ended(struct channel *channel) {
	int32_t result[2];
	long size = call(NR_read, channel->result, result, sizeof result);
	if (size == (long)sizeof result) channel_finish(channel, result[0], (enum step)result[1]);
	else channel_fail(channel, -EINTR, STEP_FORK);
}

/* Takes the ends of all children there are, of others' too where the agent is their init. */
static void processes_reap(void) {
	for (;;) {
		int status = 0;
		long pid = call(NR_wait4, -1, &status, WNOHANG, 0);
		if (pid <= 0) return;
		struct channel *channel = channel_of_pid((int)pid);
		if (channel == NULL) continue;
		channel->is_running = false;
		if (channel->is_over) continue;
		if (channel->operation == OPERATION_SPAWN) command_ended(channel, status);
		else job_ended(channel);
	}
}
