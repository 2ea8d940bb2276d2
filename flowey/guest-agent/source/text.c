/* Memory, texts and numbers: what a C library would have. */
#include "agent.h"

void *memcpy(void *to, const void *from, size_t size) {
#if defined(__x86_64__)
	/* Processors copy faster by this than by a loop, and the software processor knows it too. */
	void *at = to;
	__asm__ volatile("rep movsb" : "+D"(at), "+S"(from), "+c"(size) : : "memory");
#else
	for (size_t i = 0; i < size; i++) ((uint8_t *)to)[i] = ((const uint8_t *)from)[i];
#endif
	return to;
}

void *memmove(void *to, const void *from, size_t size) {
	if ((uintptr_t)to <= (uintptr_t)from || (uintptr_t)to >= (uintptr_t)from + size) return memcpy(to, from, size);
	while (size-- > 0) ((uint8_t *)to)[size] = ((const uint8_t *)from)[size];
	return to;
}

void *memset(void *to, int byte, size_t size) {
	for (size_t i = 0; i < size; i++) ((volatile uint8_t *)to)[i] = (uint8_t)byte;
	return to;
}

int memcmp(const void *a, const void *b, size_t size) {
	const uint8_t *left = a, *right = b;
	for (size_t i = 0; i < size; i++)
		if (left[i] != right[i]) return left[i] - right[i];
	return 0;
}

size_t text_length(const char *text) {
	size_t length = 0;
	while (text[length] != 0) length++;
	return length;
}

bool text_is(const char *a, const char *b) {
	size_t length = text_length(a);
	return length == text_length(b) && memcmp(a, b, length) == 0;
}

const char *text_after(const char *text, const char *prefix) {
	size_t length = text_length(prefix);
	for (size_t i = 0; i < length; i++)
		if (text[i] != prefix[i]) return NULL;
	return text + length;
}

bool text_add(char *text, size_t room, const char *more) {
	size_t at = text_length(text), length = text_length(more);
	if (at + length >= room) return false;
	memcpy(text + at, more, length + 1);
	return true;
}

bool text_add_number(char *text, size_t room, uint64_t number) {
	char digits[21];
	size_t at = sizeof digits - 1;
	digits[at] = 0;
	do {
		digits[--at] = (char)('0' + number % 10);
		number /= 10;
	} while (number > 0);
	return text_add(text, room, digits + at);
}

bool text_number(const char *text, uint32_t *number) {
	uint64_t value = 0;
	if (*text == 0) return false;
	for (; *text != 0; text++) {
		if (*text < '0' || *text > '9') return false;
		value = value * 10 + (uint64_t)(*text - '0');
		if (value > UINT32_MAX) return false;
	}
	*number = (uint32_t)value;
	return true;
}

const char *text_field(const char *text, char separator, char *field, size_t room) {
	size_t length = 0;
	for (; *text != 0 && *text != separator; text++)
		if (length + 1 < room) field[length++] = *text;
	field[length] = 0;
	return *text == 0 ? NULL : text + 1;
}

uint16_t get16(const uint8_t *at) { return (uint16_t)(at[0] | at[1] << 8); }

uint32_t get32(const uint8_t *at) { return get16(at) | (uint32_t)get16(at + 2) << 16; }

void put16(uint8_t *at, uint16_t value) {
	at[0] = (uint8_t)value;
	at[1] = (uint8_t)(value >> 8);
}

void put32(uint8_t *at, uint32_t value) {
	put16(at, (uint16_t)value);
	put16(at + 2, (uint16_t)(value >> 16));
}

void put64(uint8_t *at, uint64_t value) {
	put32(at, (uint32_t)value);
	put32(at + 4, (uint32_t)(value >> 32));
}

static const uint8_t *read_bytes(struct reader *reader, uint32_t size) {
	static const uint8_t nothing[8];
	if (reader->left < size) {
		reader->is_bad = true;
		reader->left = 0;
		return nothing;
	}
	const uint8_t *at = reader->at;
	reader->at += size;
	reader->left -= size;
	return at;
}

uint8_t read8(struct reader *reader) { return *read_bytes(reader, 1); }

uint16_t read16(struct reader *reader) { return get16(read_bytes(reader, 2)); }

uint32_t read32(struct reader *reader) { return get32(read_bytes(reader, 4)); }

uint64_t read64(struct reader *reader) {
	const uint8_t *at = read_bytes(reader, 8);
	return get32(at) | (uint64_t)get32(at + 4) << 32;
}

bool read_text(struct reader *reader, char *text, size_t room) {
	uint16_t length = read16(reader);
	*text = 0;
	if (reader->is_bad || length >= room || length > reader->left) {
		reader->is_bad = true;
		return false;
	}
	memcpy(text, read_bytes(reader, length), length);
	text[length] = 0;
	if (text_length(text) != length) reader->is_bad = true;
	return !reader->is_bad;
}

bool read_small_file(const char *path, char *text, size_t room) {
	*text = 0;
	long fd = call(NR_openat, AT_FDCWD, path, O_RDONLY | O_CLOEXEC, 0);
	if (fd < 0) return false;
	long size = 0, more;
	while ((size_t)size < room - 1 && (more = call(NR_read, fd, text + size, room - 1 - (size_t)size)) > 0) size += more;
	call(NR_close, fd);
	if (size > 0 && text[size - 1] == '\n') size--;
	text[size] = 0;
	return true;
}

/* Says it in the kernel's log, which the console shows, and on standard error where there is none. */
void say(const char *what, const char *which, long error) {
	char line[512] = "";
	/* Levels of the kernel's log: errors are shown on a quiet console too. */
	if (is_init) text_add(line, sizeof line, error < 0 ? "<3>" : "<6>");
	text_add(line, sizeof line, "openvmm-agent: ");
	text_add(line, sizeof line, what);
	text_add(line, sizeof line, which);
	if (error < 0) {
		text_add(line, sizeof line, ": errno ");
		text_add_number(line, sizeof line, (uint64_t)-error);
	}
	text_add(line, sizeof line, "\n");
	long fd = is_init ? call(NR_openat, AT_FDCWD, "/dev/kmsg", O_WRONLY | O_CLOEXEC | O_NOCTTY, 0) : -ENODEV;
	call(NR_write, fd < 0 ? 2 : fd, line, text_length(line));
	if (fd >= 0) call(NR_close, fd);
}
