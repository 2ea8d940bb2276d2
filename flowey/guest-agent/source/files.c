/* Files by their paths, which are absolute. */
#include "agent.h"

static bool read_path(struct reader *reader, char *path) {
	return read_text(reader, path, MOST_PATH + 1) && *path == '/';
}

/* Fails the channel where operands are missing or left over. */
static bool is_decoded(struct channel *channel, const struct reader *reader, bool is_good) {
	if (is_good && !reader->is_bad && reader->left == 0) return true;
	channel_fail(channel, -EINVAL, STEP_DECODE);
	return false;
}

static long status_of(int folder, const char *path, int flags, struct statx *status) {
	return call(NR_statx, folder, path, flags, STATX_BASIC_STATS, status);
}

void file_read(struct channel *channel, struct reader *reader) {
	char path[MOST_PATH + 1];
	struct statx status = {0};
	uint64_t offset = read64(reader);
	if (!is_decoded(channel, reader, read_path(reader, path))) return;
	/* A pipe without a writer would hold the agent. */
	long fd = call(NR_openat, AT_FDCWD, path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY, 0);
	long error = fd < 0 ? fd : status_of((int)fd, "", 0x1000, &status);
	enum step step = fd < 0 ? STEP_OPEN : STEP_STAT;
	if (error >= 0 && (status.mode & S_IFMT) == S_IFDIR) error = -EISDIR;
	if (error >= 0 && offset > 0) {
		error = offset > INT64_MAX ? -EINVAL : call(NR_lseek, fd, offset, 0);
		step = STEP_READ;
	}
	if (error < 0) {
		if (fd >= 0) call(NR_close, fd);
		channel_fail(channel, error, step);
		return;
	}
	uint8_t size[8];
	put64(size, status.size);
	channel_reply(channel, size, sizeof size);
	output_open(channel, 0, (int)fd, pull_bytes);
}

/* Names of a file that is written beside its place: the temporary one, and the one that it gets. */
enum { NAME_ROOM = MOST_PATH + 33 };

void file_give_up(struct channel *channel) {
	if (channel->names == NULL) return;
	if (*channel->names != 0) call(NR_unlinkat, AT_FDCWD, channel->names, 0);
	release(channel->names, 2 * NAME_ROOM);
	channel->names = NULL;
}

static void written(struct input *input, long error) {
	struct channel *channel = input->channel;
	if (error < 0) {
		channel_fail(channel, error, STEP_WRITE);
		return;
	}
	input_close(input);
	if (channel->names != NULL) {
		error = call(NR_renameat2, AT_FDCWD, channel->names, AT_FDCWD, channel->names + NAME_ROOM, 0);
		if (error < 0) {
			channel_fail(channel, error, STEP_RENAME);
			return;
		}
		*channel->names = 0;
	}
	channel_settle(channel);
}

static bool name_temporary(char *names, const char *path) {
	uint8_t random[8] = {0};
	char digits[17] = "";
	const char *folder_end = path;
	for (const char *at = path; *at != 0; at++)
		if (*at == '/') folder_end = at + 1;
	call(NR_getrandom, random, sizeof random, 0);
	for (unsigned i = 0; i < 16; i++) digits[i] = "0123456789abcdef"[random[i / 2] >> (i % 2 * 4) & 15];
	memcpy(names, path, (size_t)(folder_end - path));
	names[folder_end - path] = 0;
	return text_add(names, NAME_ROOM, ".openvmm-") && text_add(names, NAME_ROOM, digits) &&
	       text_add(names + NAME_ROOM, NAME_ROOM, path);
}

void file_write(struct channel *channel, struct reader *reader) {
	char path[MOST_PATH + 1];
	uint8_t flags = read8(reader);
	uint32_t mode = read32(reader) & 07777;
	if (!is_decoded(channel, reader, read_path(reader, path))) return;
	long how = O_WRONLY | O_CREAT | O_CLOEXEC | O_NONBLOCK | O_NOCTTY;
	const char *name = path;
	if ((flags & WRITE_ATOMIC) != 0) {
		channel->names = allocate(2 * NAME_ROOM);
		if (channel->names == NULL || !name_temporary(channel->names, path)) {
			channel_fail(channel, -ENOMEM, STEP_MEMORY);
			return;
		}
		name = channel->names;
		how |= O_EXCL | O_NOFOLLOW;
	} else how |= (flags & WRITE_APPEND) != 0 ? O_APPEND : O_TRUNC;
	long fd = call(NR_openat, AT_FDCWD, name, how, mode);
	if (fd < 0) {
		/* There is no temporary file to remove, and one of that name would be somebody else's. */
		if (channel->names != NULL) *channel->names = 0;
		channel_fail(channel, fd, STEP_OPEN);
		return;
	}
	channel->needs_input = true;
	input_open(channel, (int)fd, written);
	channel_reply(channel, NULL, 0);
}

static void put_time(uint8_t *at, const struct statx_time *time) {
	put64(at, (uint64_t)time->seconds);
	put32(at + 8, time->nanoseconds);
}

void file_stat(struct channel *channel, struct reader *reader) {
	char path[MOST_PATH + 1];
	struct statx status;
	uint8_t flags = read8(reader), payload[70];
	if (!is_decoded(channel, reader, read_path(reader, path))) return;
	long error = status_of(AT_FDCWD, path, (flags & PATH_NO_FOLLOW) != 0 ? AT_SYMLINK_NOFOLLOW : 0, &status);
	if (error < 0) {
		channel_fail(channel, error, STEP_STAT);
		return;
	}
	put16(payload, status.mode);
	put32(payload + 2, status.links);
	put32(payload + 6, status.uid);
	put32(payload + 10, status.gid);
	put64(payload + 14, status.inode);
	put64(payload + 22, status.size);
	put_time(payload + 30, &status.atime);
	put_time(payload + 42, &status.mtime);
	put_time(payload + 54, &status.ctime);
	channel_reply(channel, payload, 66);
	channel_settle(channel);
}

void file_rename(struct channel *channel, struct reader *reader) {
	char from[MOST_PATH + 1], to[MOST_PATH + 1];
	bool is_good = read_path(reader, from) && read_path(reader, to);
	if (!is_decoded(channel, reader, is_good)) return;
	channel_finish(channel, call(NR_renameat2, AT_FDCWD, from, AT_FDCWD, to, 0), STEP_RENAME);
}

void file_symlink(struct channel *channel, struct reader *reader) {
	char target[MOST_PATH + 1], path[MOST_PATH + 1];
	bool is_good = read_text(reader, target, sizeof target) && read_path(reader, path);
	if (!is_decoded(channel, reader, is_good)) return;
	channel_finish(channel, call(NR_symlinkat, target, AT_FDCWD, path), STEP_LINK);
}

void file_readlink(struct channel *channel, struct reader *reader) {
	char path[MOST_PATH + 1], target[MOST_PATH + 1];
	if (!is_decoded(channel, reader, read_path(reader, path))) return;
	long size = call(NR_readlinkat, AT_FDCWD, path, target, sizeof target);
	if (size < 0) {
		channel_fail(channel, size, STEP_LINK);
		return;
	}
	channel_reply(channel, target, (uint32_t)size);
	channel_settle(channel);
}

void file_chmod(struct channel *channel, struct reader *reader) {
	char path[MOST_PATH + 1];
	uint32_t mode = read32(reader) & 07777;
	if (!is_decoded(channel, reader, read_path(reader, path))) return;
	channel_finish(channel, call(NR_fchmodat, AT_FDCWD, path, mode), STEP_ATTRIBUTES);
}

void file_chown(struct channel *channel, struct reader *reader) {
	char path[MOST_PATH + 1];
	uint8_t flags = read8(reader);
	uint32_t uid = read32(reader), gid = read32(reader);
	if (!is_decoded(channel, reader, read_path(reader, path))) return;
	long how = (flags & PATH_NO_FOLLOW) != 0 ? AT_SYMLINK_NOFOLLOW : 0;
	channel_finish(channel, call(NR_fchownat, AT_FDCWD, path, uid, gid, how), STEP_ATTRIBUTES);
}

void file_utimes(struct channel *channel, struct reader *reader) {
	char path[MOST_PATH + 1];
	struct time_spec times[2];
	uint8_t flags = read8(reader);
	for (unsigned i = 0; i < 2; i++) {
		times[i].seconds = (int64_t)read64(reader);
		times[i].nanoseconds = read32(reader);
		/* UTIME_NOW and UTIME_OMIT are no times. */
		if (times[i].nanoseconds >= 1000000000) reader->is_bad = true;
	}
	if (!is_decoded(channel, reader, read_path(reader, path))) return;
	long how = (flags & PATH_NO_FOLLOW) != 0 ? AT_SYMLINK_NOFOLLOW : 0;
	channel_finish(channel, call(NR_utimensat, AT_FDCWD, path, times, how), STEP_ATTRIBUTES);
}
