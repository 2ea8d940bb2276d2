/* Interfaces, by what the kernel's command line says (Linux, Documentation/admin-guide/nfs/nfsroot.rst: ip=). */
#include "agent.h"

/* ip=CLIENT:SERVER:GATEWAY:NETMASK:HOST NAME:DEVICE:HOW:DNS:DNS */
enum { CLIENT, SERVER, GATEWAY, NETMASK, HOST_NAME, DEVICE, HOW, DNS_FIRST, DNS_SECOND, FIELDS };

static void set_up(int socket, const char *name) {
	struct interface_request request = {0};
	text_add(request.name, sizeof request.name, name);
	long error = call(NR_ioctl, socket, SIOCGIFFLAGS, &request);
	request.flags |= IFF_UP;
	if (error >= 0) error = call(NR_ioctl, socket, SIOCSIFFLAGS, &request);
	if (error < 0) say("cannot bring up ", name, error);
}

static long set_address(int socket, const char *name, unsigned long what, uint32_t address) {
	struct interface_request request = {0};
	text_add(request.name, sizeof request.name, name);
	request.address = (struct sockaddr_in){.family = AF_INET, .address = address};
	return call(NR_ioctl, socket, what, &request);
}

void network_loopback(void) {
	long fd = call(NR_socket, AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0) return;
	set_up((int)fd, "lo");
	call(NR_close, fd);
}

/* The first interface that is not the loopback. */
static bool find_interface(char *name, size_t room) {
	uint8_t entries[1024] __attribute__((aligned(8)));
	bool is_found = false;
	long size, folder = call(NR_openat, AT_FDCWD, "/sys/class/net", O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0);
	while (folder >= 0 && !is_found && (size = call(NR_getdents64, folder, entries, sizeof entries)) > 0)
		for (long at = 0; at < size && !is_found;) {
			const struct directory_entry *entry = (const struct directory_entry *)(entries + at);
			at += entry->size;
			if (*entry->name == '.' || text_is(entry->name, "lo")) continue;
			*name = 0;
			is_found = text_add(name, room, entry->name);
		}
	if (folder >= 0) call(NR_close, folder);
	return is_found;
}

/*
 * Opens a file of /etc that programs look names up in. One that is a link leads to what a service would write, which does not run where this is the
 * init: it gets its place. Nothing here waits for a reader of a pipe.
 */
static long open_names(const char *path, long how) {
	char target[MOST_PATH + 1];
	call(NR_mkdirat, AT_FDCWD, "/etc", 0755);
	long size = call(NR_readlinkat, AT_FDCWD, path, target, sizeof target - 1);
	if (size > 0) {
		while (size > 0 && target[size - 1] != '/') size--;
		target[size] = 0;
		call(NR_chdir, "/etc");
		if (size > 1) make_folders(target, 0755);
		call(NR_chdir, "/");
	}
	return call(NR_openat, AT_FDCWD, path, O_WRONLY | O_CREAT | O_CLOEXEC | O_NONBLOCK | how, 0644);
}

static void write_resolvers(const char (*fields)[64]) {
	char text[200] = "";
	for (unsigned i = DNS_FIRST; i <= DNS_SECOND; i++) {
		if (*fields[i] == 0) continue;
		text_add(text, sizeof text, "nameserver ");
		text_add(text, sizeof text, fields[i]);
		text_add(text, sizeof text, "\n");
	}
	if (*text == 0) return;
	long fd = open_names("/etc/resolv.conf", O_TRUNC);
	if (fd < 0) return;
	call(NR_write, fd, text, text_length(text));
	call(NR_close, fd);
}

/* A root that has its own keeps it; images of containers have none, or an empty one. */
void network_hosts(const char *host, const char *words) {
	char text[300] = "127.0.0.1\tlocalhost\n::1\tlocalhost ip6-localhost ip6-loopback\n", address[64];
	uint32_t parsed;
	text_field(words, ':', address, sizeof address);
	if (*host != 0) {
		/* What Debian has for a machine without an address of its own. */
		text_add(text, sizeof text, parse_ipv4(address, &parsed) ? address : "127.0.1.1");
		text_add(text, sizeof text, "\t");
		text_add(text, sizeof text, host);
		text_add(text, sizeof text, "\n");
	}
	long fd = open_names("/etc/hosts", 0);
	if (fd < 0) return;
	if (call(NR_lseek, fd, 0, SEEK_END) == 0) call(NR_write, fd, text, text_length(text));
	call(NR_close, fd);
}

void network_configure(const char *words) {
	char fields[FIELDS][64] = {{0}};
	for (unsigned i = 0; i < FIELDS && words != NULL; i++) words = text_field(words, ':', fields[i], sizeof fields[i]);
	uint32_t address, gateway, mask;
	if (!parse_ipv4(fields[CLIENT], &address)) {
		say("ip= has no address: ", fields[CLIENT], 0);
		return;
	}
	if (*fields[DEVICE] == 0 && !find_interface(fields[DEVICE], sizeof fields[DEVICE])) {
		say("ip= has no interface to be for", "", 0);
		return;
	}
	long fd = call(NR_socket, AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0) return;
	long error = set_address((int)fd, fields[DEVICE], SIOCSIFADDR, address);
	if (error >= 0 && parse_ipv4(fields[NETMASK], &mask)) error = set_address((int)fd, fields[DEVICE], SIOCSIFNETMASK, mask);
	set_up((int)fd, fields[DEVICE]);
	if (error >= 0 && parse_ipv4(fields[GATEWAY], &gateway)) {
		struct route_request route = {.flags = RTF_UP | RTF_GATEWAY};
		route.destination.family = route.gateway.family = route.mask.family = AF_INET;
		route.gateway.address = gateway;
		error = call(NR_ioctl, fd, SIOCADDRT, &route);
	}
	if (error < 0) say("cannot configure ", fields[DEVICE], error);
	call(NR_close, fd);
	if (*fields[HOST_NAME] != 0) call(NR_sethostname, fields[HOST_NAME], text_length(fields[HOST_NAME]));
	write_resolvers((const char (*)[64])fields);
}
