/* Where hosts come from: a port of the vsock device, ports of virtio consoles by their names, and descriptors that are inherited. */
#include "agent.h"

enum { MOST_LISTENERS = 4, MOST_PORTS = 4 };

struct listener {
	struct source source;
	bool is_vsock;
};

struct named_port {
	char name[64];
	/* Of the connection, or -1 where there is none. */
	int fd;
};

static struct listener listeners[MOST_LISTENERS];
static struct named_port ports[MOST_PORTS];
static unsigned listener_count, port_count, descriptor_count;

static void listener_ready(struct source *source, uint32_t events) {
	struct listener *listener = (struct listener *)source;
	(void)events;
	struct sockaddr_vsock peer;
	for (;;) {
		uint32_t size = sizeof peer;
		memset(&peer, 0, sizeof peer);
		long fd = call(NR_accept4, source->fd, &peer, &size, SOCK_CLOEXEC | SOCK_NONBLOCK);
		if (fd < 0) return;
		/* A program of the guest's would be root by this. */
		if (listener->is_vsock && peer.cid != CID_HOST) call(NR_close, fd);
		else connection_add((int)fd, false);
	}
}

static bool add_listener(int fd, bool is_vsock) {
	if (listener_count == MOST_LISTENERS) return false;
	struct listener *listener = &listeners[listener_count++];
	listener->source = (struct source){.fd = fd, .ready = listener_ready};
	listener->is_vsock = is_vsock;
	call(NR_fcntl, fd, F_SETFD, FD_CLOEXEC);
	call(NR_fcntl, fd, F_SETFL, O_NONBLOCK);
	return watch_source(&listener->source, EPOLLIN);
}

static bool listen_vsock(uint32_t port) {
	struct sockaddr_vsock address = {.family = AF_VSOCK, .port = port, .cid = CID_ANY};
	long fd = call(NR_socket, AF_VSOCK, SOCK_STREAM | SOCK_CLOEXEC, 0);
	long error = fd < 0 ? fd : call(NR_bind, fd, &address, sizeof address);
	if (error >= 0) error = call(NR_listen, fd, MOST_CONNECTIONS);
	if (error >= 0) return add_listener((int)fd, true);
	say("cannot listen at vsock", "", error);
	if (fd >= 0) call(NR_close, fd);
	return false;
}

/* The device of a port, vport0p1 say, has its name in /sys. */
static long open_port(const char *name) {
	uint8_t entries[1024] __attribute__((aligned(8)));
	long found = -ENOENT, size;
	long folder = call(NR_openat, AT_FDCWD, "/sys/class/virtio-ports", O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0);
	if (folder < 0) return folder;
	while (found < 0 && (size = call(NR_getdents64, folder, entries, sizeof entries)) > 0)
		for (long at = 0; at < size && found < 0;) {
			const struct directory_entry *entry = (const struct directory_entry *)(entries + at);
			char path[320] = "/sys/class/virtio-ports/", has[64];
			at += entry->size;
			if (!text_add(path, sizeof path, entry->name) || !text_add(path, sizeof path, "/name")) continue;
			if (!read_small_file(path, has, sizeof has) || !text_is(has, name)) continue;
			memcpy(path, "/dev/", 6);
			text_add(path, sizeof path, entry->name);
			found = call(NR_openat, AT_FDCWD, path, O_RDWR | O_CLOEXEC | O_NONBLOCK | O_NOCTTY, 0);
		}
	call(NR_close, folder);
	return found;
}

/* Ports that are not there yet, or no more, are looked for again and again. */
void transports_retry(void) {
	for (unsigned i = 0; i < port_count; i++) {
		if (ports[i].fd >= 0) continue;
		long fd = open_port(ports[i].name);
		if (fd >= 0 && connection_add((int)fd, true) != NULL) ports[i].fd = (int)fd;
	}
}

bool transports_wait(void) {
	for (unsigned i = 0; i < port_count; i++)
		if (ports[i].fd < 0) return true;
	return false;
}

void transport_lost(int fd) {
	for (unsigned i = 0; i < port_count; i++)
		if (ports[i].fd == fd) ports[i].fd = -1;
	if (descriptor_count == 0 || listener_count + port_count > 0) return;
	/* Its only host is gone. */
	descriptor_count--;
	if (descriptor_count == 0) call(NR_exit_group, 0);
}

static bool add_one(const char *word) {
	uint32_t number;
	const char *rest;
	if ((rest = text_after(word, "vsock:")) != NULL) return text_number(rest, &number) && listen_vsock(number);
	if ((rest = text_after(word, "console:")) != NULL) {
		if (port_count == MOST_PORTS || *rest == 0) return false;
		text_field(rest, 0, ports[port_count].name, sizeof ports[port_count].name);
		ports[port_count++].fd = -1;
		return true;
	}
	if ((rest = text_after(word, "listen:")) != NULL)
		return text_number(rest, &number) && add_listener((int)number, false);
	if ((rest = text_after(word, "fd:")) != NULL && text_number(rest, &number)) {
		call(NR_fcntl, number, F_SETFD, FD_CLOEXEC);
		call(NR_fcntl, number, F_SETFL, O_NONBLOCK | O_RDWR);
		descriptor_count++;
		return connection_add((int)number, false) != NULL;
	}
	return false;
}

/* One transport, or several with commas between them. False where none of them can be. */
bool transport_add(const char *words) {
	char word[128];
	bool any = false;
	while (words != NULL) {
		words = text_field(words, ',', word, sizeof word);
		if (add_one(word)) any = true;
		else say("no such transport, or it cannot be: ", word, 0);
	}
	return any;
}
