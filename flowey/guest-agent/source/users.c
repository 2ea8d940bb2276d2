/* Users and groups as /etc/passwd and /etc/group have them; other sources of users need a C library. */
#include "agent.h"

enum { MOST_LINE = 2048, MOST_FILE = 4 << 20 };

struct lines {
	long fd;
	uint32_t at, end, total;
	uint8_t bytes[4096];
};

static bool lines_open(struct lines *lines, const char *path) {
	lines->at = lines->end = lines->total = 0;
	lines->fd = call(NR_openat, AT_FDCWD, path, O_RDONLY | O_CLOEXEC | O_NONBLOCK, 0);
	return lines->fd >= 0;
}

/* What of a line is longer is left out. */
static bool next_line(struct lines *lines, char *line) {
	size_t length = 0;
	bool any = false;
	for (;;) {
		if (lines->at == lines->end) {
			long size = lines->total > MOST_FILE ? 0 : call(NR_read, lines->fd, lines->bytes, sizeof lines->bytes);
			if (size <= 0) break;
			lines->at = 0;
			lines->end = (uint32_t)size;
			lines->total += (uint32_t)size;
		}
		uint8_t byte = lines->bytes[lines->at++];
		any = true;
		if (byte == '\n') break;
		if (length + 1 < MOST_LINE) line[length++] = (char)byte;
	}
	line[length] = 0;
	return any;
}

/* name:password:uid:gid:comment:home:shell */
static bool find_password_entry(const char *name, bool by_number, uint32_t uid, struct user *user) {
	struct lines lines;
	char line[MOST_LINE], found[64], skipped[8], number[16], group[16];
	bool is_found = false;
	if (!lines_open(&lines, "/etc/passwd")) return false;
	while (!is_found && next_line(&lines, line)) {
		uint32_t found_uid, found_gid;
		const char *rest = text_field(line, ':', found, sizeof found);
		if (rest != NULL) rest = text_field(rest, ':', skipped, sizeof skipped);
		if (rest != NULL) rest = text_field(rest, ':', number, sizeof number);
		if (rest != NULL) rest = text_field(rest, ':', group, sizeof group);
		if (rest == NULL || !text_number(number, &found_uid) || !text_number(group, &found_gid)) continue;
		if (by_number ? found_uid != uid : !text_is(found, name)) continue;
		is_found = true;
		user->uid = found_uid;
		user->gid = found_gid;
		memcpy(user->name, found, sizeof found);
		rest = text_field(rest, ':', skipped, sizeof skipped);
		if (rest != NULL) rest = text_field(rest, ':', user->home, sizeof user->home);
		if (rest != NULL) text_field(rest, ':', user->shell, sizeof user->shell);
	}
	call(NR_close, lines.fd);
	return is_found;
}

/* name:password:gid:member,member. Gives the number of one group, or the numbers of those that have a member. */
static bool find_groups(const char *wanted, const char *member, struct user *user) {
	struct lines lines;
	char line[MOST_LINE], name[64], skipped[8], number[16], one[64];
	bool is_found = false;
	if (!lines_open(&lines, "/etc/group")) return false;
	while (!is_found && next_line(&lines, line)) {
		uint32_t gid;
		const char *rest = text_field(line, ':', name, sizeof name);
		if (rest != NULL) rest = text_field(rest, ':', skipped, sizeof skipped);
		if (rest != NULL) rest = text_field(rest, ':', number, sizeof number);
		if (rest == NULL || !text_number(number, &gid)) continue;
		if (wanted != NULL && text_is(name, wanted)) {
			user->gid = gid;
			is_found = true;
		}
		while (wanted == NULL && rest != NULL) {
			rest = text_field(rest, ',', one, sizeof one);
			if (!text_is(one, member) || user->group_count == sizeof user->groups / sizeof *user->groups) continue;
			user->groups[user->group_count++] = gid;
			break;
		}
	}
	call(NR_close, lines.fd);
	return is_found;
}

/* name, name:group, uid, uid:gid, or nothing, which is root. A number that nobody has is taken as it is. */
long find_user(const char *wanted, struct user *user) {
	char name[64], group[64] = "";
	uint32_t number;
	memset(user, 0, sizeof *user);
	const char *rest = text_field(*wanted == 0 ? "0" : wanted, ':', name, sizeof name);
	if (rest != NULL) text_field(rest, ':', group, sizeof group);
	bool by_number = text_number(name, &number);
	bool is_known = find_password_entry(name, by_number, by_number ? number : 0, user);
	if (!is_known && !by_number) return -ENOENT;
	if (!is_known) user->uid = number;
	if (*group != 0) {
		uint32_t gid;
		if (text_number(group, &gid)) user->gid = gid;
		else if (!find_groups(group, NULL, user)) return -ENOENT;
	} else if (is_known) find_groups(NULL, user->name, user);
	if (user->group_count == 0) user->groups[user->group_count++] = user->gid;
	if (*user->home == 0) text_add(user->home, sizeof user->home, "/");
	if (*user->shell == 0) text_add(user->shell, sizeof user->shell, "/bin/sh");
	return 0;
}
