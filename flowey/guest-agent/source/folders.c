/* Folders: what is in them, and whole trees of them. */
#include "agent.h"

enum {
	/* Each level has a descriptor, and 2 KiB of the stack. What lies deeper is moved up first. */
	MOST_DEPTH = 200,
	RECORD = 3,
};

/* Of file_kind: as d_type of getdents64(2), which is the kind's bits of a mode, shifted. */
static long pull_entries(struct output *output, uint8_t *bytes, uint32_t most) {
	static uint8_t entries[32768] __attribute__((aligned(8)));
	uint32_t used = 0;
	/* What is sent of an entry is shorter than the entry. */
	long size = call(NR_getdents64, output->source.fd, entries, most < sizeof entries ? most : sizeof entries);
	if (size <= 0) return size;
	for (long at = 0; at < size;) {
		const struct directory_entry *entry = (const struct directory_entry *)(entries + at);
		size_t length = text_length(entry->name);
		at += entry->size;
		if (text_is(entry->name, ".") || text_is(entry->name, "..")) continue;
		bytes[used] = entry->kind;
		put16(bytes + used + 1, (uint16_t)length);
		memcpy(bytes + used + RECORD, entry->name, length);
		used += RECORD + (uint32_t)length;
	}
	/* Two entries that are of no interest are no end. */
	return used == 0 ? pull_entries(output, bytes, most) : used;
}

void folder_read(struct channel *channel, struct reader *reader) {
	char path[MOST_PATH + 1];
	if (!read_text(reader, path, sizeof path) || *path != '/' || reader->left > 0) {
		channel_fail(channel, -EINVAL, STEP_DECODE);
		return;
	}
	long fd = call(NR_openat, AT_FDCWD, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0);
	if (fd < 0) {
		channel_fail(channel, fd, STEP_OPEN);
		return;
	}
	channel_reply(channel, NULL, 0);
	output_open(channel, 0, (int)fd, pull_entries);
	/* An entry has to fit. */
	channel->outputs[0].least = 512;
}

/* Makes a folder and those above it. One that is there is none to make. */
long make_folders(char *path, uint32_t mode) {
	for (char *at = path + 1;; at++) {
		if (*at != '/' && *at != 0) continue;
		char end = *at;
		*at = 0;
		long error = call(NR_mkdirat, AT_FDCWD, path, end == 0 ? mode : 0777);
		*at = end;
		if (error < 0 && error != -EEXIST) return error;
		if (end == 0) break;
	}
	/* A file of that name is no folder. */
	long fd = call(NR_openat, AT_FDCWD, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0);
	if (fd >= 0) call(NR_close, fd);
	return fd < 0 && fd != -EACCES ? fd : 0;
}

long folder_make(struct reader *reader, enum step *step) {
	char path[MOST_PATH + 1];
	uint8_t flags = read8(reader);
	uint32_t mode = read32(reader) & 07777;
	if (!read_text(reader, path, sizeof path) || *path != '/' || reader->left > 0) return -EINVAL;
	*step = STEP_MKDIR;
	return (flags & PATH_RECURSIVE) != 0 ? make_folders(path, mode) : call(NR_mkdirat, AT_FDCWD, path, mode);
}

/* The folder that is removed with all below it. What lies too deep in it is put there, where the loop over it comes by again. */
static int top;

static long move_up(int folder, const char *name) {
	char place[32] = ".openvmm-";
	uint32_t random = 0;
	call(NR_getrandom, &random, sizeof random, 0);
	text_add_number(place, sizeof place, random);
	return call(NR_renameat2, folder, name, top, place, RENAME_NOREPLACE);
}

static long empty_folder(int folder, unsigned depth) {
	uint8_t entries[1024] __attribute__((aligned(8)));
	for (;;) {
		bool removed = false;
		long size;
		/* Again from the front: what a folder says that is changed while it is read is not certain. */
		call(NR_lseek, folder, 0, 0);
		while ((size = call(NR_getdents64, folder, entries, sizeof entries)) > 0)
			for (long at = 0; at < size;) {
				const struct directory_entry *entry = (const struct directory_entry *)(entries + at);
				at += entry->size;
				if (text_is(entry->name, ".") || text_is(entry->name, "..")) continue;
				long error = remove_tree(folder, entry->name, depth + 1);
				if (error < 0 && error != -ENOENT) return error;
				/* One that is named and not there is no progress. */
				if (error >= 0) removed = true;
			}
		if (size < 0) return size;
		if (!removed) return 0;
	}
}

/* Follows no link: a folder is opened as one, by its name in the one above it. */
long remove_tree(int folder, const char *name, unsigned depth) {
	long error = call(NR_unlinkat, folder, name, 0);
	if (error != -EISDIR && error != -EPERM) return error;
	if (depth > MOST_DEPTH) return move_up(folder, name);
	long fd = call(NR_openat, folder, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC, 0);
	if (fd < 0) return fd == -ENOTDIR ? error : fd;
	if (depth == 0) top = (int)fd;
	error = empty_folder((int)fd, depth);
	call(NR_close, fd);
	return error < 0 ? error : call(NR_unlinkat, folder, name, AT_REMOVEDIR);
}

long folder_remove(struct reader *reader, enum step *step) {
	char path[MOST_PATH + 1];
	uint8_t flags = read8(reader);
	if (!read_text(reader, path, sizeof path) || *path != '/' || reader->left > 0) return -EINVAL;
	*step = STEP_REMOVE;
	long error;
	if ((flags & PATH_RECURSIVE) != 0) error = remove_tree(AT_FDCWD, path, 0);
	else {
		error = call(NR_unlinkat, AT_FDCWD, path, 0);
		if (error == -EISDIR) error = call(NR_unlinkat, AT_FDCWD, path, AT_REMOVEDIR);
	}
	return error == -ENOENT && (flags & PATH_FORCE) != 0 ? 0 : error;
}
