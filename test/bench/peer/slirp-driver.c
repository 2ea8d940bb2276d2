/*
 * A guest's network by libslirp, as QEMU drives it: its own poll loop, on one thread with the driver that plays the guest frame by frame. The driver
 * does what `test/bench/frame-driver.ts` does for ours, and nothing that costs: its payloads are zeros, so that no checksum needs a look at them, and it
 * looks at none. What comes is answered once all that came with it has been taken. Prints seconds.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <dlfcn.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/types.h>
#include <time.h>

/* The library's interface, version 4 (libslirp.h of 4.7.0). */
struct callbacks {
	ssize_t (*send_packet)(const void *bytes, size_t length, void *opaque);
	void (*guest_error)(const char *message, void *opaque);
	int64_t (*clock_get_ns)(void *opaque);
	void *(*timer_new)(void (*expired)(void *), void *argument, void *opaque);
	void (*timer_free)(void *timer, void *opaque);
	void (*timer_mod)(void *timer, int64_t at_ms, void *opaque);
	void (*register_poll_fd)(int fd, void *opaque);
	void (*unregister_poll_fd)(int fd, void *opaque);
	void (*notify)(void *opaque);
	void (*init_completed)(void *slirp, void *opaque);
	void *(*timer_new_opaque)(int id, void *argument, void *opaque);
};
struct config {
	uint32_t version;
	int restricted;
	bool in_enabled;
	struct in_addr network, mask, host;
	bool in6_enabled;
	struct in6_addr prefix6;
	uint8_t prefix6_length;
	struct in6_addr host6;
	const char *host_name, *tftp_name, *tftp_path, *boot_file;
	struct in_addr dhcp_start, name_server;
	struct in6_addr name_server6;
	const char **dns_search, *domain;
	size_t mtu, mru;
	bool no_host_loopback, emulation;
	void *outbound, *outbound6;
	bool no_dns, no_dhcp;
};
enum { IN = 1, OUT = 2, PRI = 4, ERR = 8, HUP = 16 };

static void (*fill)(void *, uint32_t *, int (*)(int, int, void *), void *);
static void (*polled)(void *, int, int (*)(int, void *), void *);
static void (*input)(void *, const uint8_t *, int);

enum { FIN = 1, SYN = 2, RST = 4, PSH = 8, ACK = 16 };
enum { HEADERS = 14 + 20 + 20, UDP_HEADERS = 14 + 20 + 8, CONNECTIONS = 8, DATAGRAMS = 64, DATAGRAM_BYTES = 1200 };

struct connection {
	bool is_used, is_open, has_ended, has_their_end, owes;
	uint16_t port;
	uint32_t next, acknowledged, expected, window;
	uint64_t left;
};

static const uint8_t host_mac[6] = {0x52, 0x55, 10, 0, 2, 2}, guest_mac[6] = {0x52, 0x54, 0, 0x12, 0x34, 0x56};
static const uint8_t host_ip[4] = {10, 0, 2, 2}, guest_ip[4] = {10, 0, 2, 15};

static void *slirp;
static struct connection connections[CONNECTIONS];
static uint16_t remote, next_port = 1024;
static uint32_t mss;
static uint64_t taken, answers;
static bool has_arp_due, was_heard, was_silent;
static uint8_t frame[65600];

static void put16(uint8_t *at, unsigned value) { at[0] = value >> 8, at[1] = value; }
static void put32(uint8_t *at, uint32_t value) { put16(at, value >> 16), put16(at + 2, value & 0xffff); }
static unsigned get16(const uint8_t *at) { return at[0] << 8 | at[1]; }
static uint32_t get32(const uint8_t *at) { return (uint32_t)get16(at) << 16 | get16(at + 2); }

static unsigned checksum(const uint8_t *at, int length, uint32_t sum)
{
	for (int i = 0; i < length; i += 2)
		sum += get16(at + i);
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return ~sum & 0xffff;
}

/* The payload is zeros: it adds nothing. */
static void ip(int protocol, int header, int checksum_at, unsigned payload)
{
	uint8_t *packet = frame + 14, *transport = packet + 20;
	memcpy(frame, host_mac, 6);
	memcpy(frame + 6, guest_mac, 6);
	put16(frame + 12, 0x0800);
	memset(packet, 0, 20);
	packet[0] = 0x45;
	put16(packet + 2, 20 + header + payload);
	packet[8] = 64;
	packet[9] = protocol;
	memcpy(packet + 12, guest_ip, 4);
	memcpy(packet + 16, host_ip, 4);
	put16(packet + 10, checksum(packet, 20, 0));
	put16(transport + checksum_at, 0);
	unsigned pseudo = get16(packet + 12) + get16(packet + 14) + get16(packet + 16) + get16(packet + 18);
	put16(transport + checksum_at, checksum(transport, header, pseudo + protocol + header + payload));
}

static void send_segment(struct connection *c, int flags, unsigned payload)
{
	uint8_t *tcp = frame + 34;
	int header = flags & SYN ? 24 : 20;
	put16(tcp, c->port);
	put16(tcp + 2, remote);
	put32(tcp + 4, c->next);
	put32(tcp + 8, flags & ACK ? c->expected : 0);
	tcp[12] = header / 4 << 4;
	tcp[13] = flags;
	put16(tcp + 14, 65535);
	put32(tcp + 16, 0);
	memset(tcp + 20, 0, 4);
	if (flags & SYN)
		put32(tcp + 20, 0x02040000 | mss);
	ip(6, header, 16, payload);
	c->next += payload + (flags & (SYN | FIN) ? 1 : 0);
	c->owes = false;
	input(slirp, frame, 34 + header + payload);
}

static void send_datagram(void)
{
	uint8_t *udp = frame + 34;
	memset(udp + 8, 0, DATAGRAM_BYTES);
	put16(udp, 1024);
	put16(udp + 2, remote);
	put16(udp + 4, 8 + DATAGRAM_BYTES);
	ip(17, 8, 6, DATAGRAM_BYTES);
	input(slirp, frame, UDP_HEADERS + DATAGRAM_BYTES);
}

/* Who has the address: the library asks before it sends. */
static void send_arp(void)
{
	static const uint8_t fixed[8] = {0, 1, 8, 0, 6, 4, 0, 2};
	uint8_t reply[42];
	memcpy(reply, host_mac, 6);
	memcpy(reply + 6, guest_mac, 6);
	put16(reply + 12, 0x0806);
	memcpy(reply + 14, fixed, 8);
	memcpy(reply + 22, guest_mac, 6);
	memcpy(reply + 28, guest_ip, 4);
	memcpy(reply + 32, host_mac, 6);
	memcpy(reply + 38, host_ip, 4);
	has_arp_due = false;
	input(slirp, reply, sizeof(reply));
}

static void take_segment(const uint8_t *tcp, int length)
{
	struct connection *c = connections;
	int flags = tcp[13], payload = length - (tcp[12] >> 4) * 4;
	while (c < connections + CONNECTIONS && !(c->is_used && c->port == get16(tcp + 2)))
		c++;
	if (c == connections + CONNECTIONS)
		return;
	if (flags & RST) {
		fprintf(stderr, "reset\n");
		exit(1);
	}
	if (flags & SYN) {
		c->expected = get32(tcp + 4) + 1;
		c->is_open = c->owes = true;
	} else if (payload > 0 || flags & FIN) {
		c->owes = true;
		if (get32(tcp + 4) == c->expected) {
			c->expected += payload + (flags & FIN ? 1 : 0);
			c->has_their_end |= flags & FIN;
			taken += payload;
		}
	}
	c->acknowledged = get32(tcp + 8);
	c->window = get16(tcp + 14);
}

static ssize_t send_packet(const void *bytes, size_t length, void *opaque)
{
	const uint8_t *packet = (const uint8_t *)bytes + 14;
	(void)opaque;
	was_heard = true;
	if (get16(packet - 2) == 0x0806)
		has_arp_due = true;
	else if (packet[9] == 6)
		take_segment(packet + 20, get16(packet + 2) - 20);
	else if (packet[9] == 17)
		answers++;
	return length;
}

/* Sends what the window has room for, the end behind it, and else what is owed. */
static void pump(struct connection *c)
{
	if (!c->is_open)
		return;
	while (c->left > 0) {
		int32_t room = c->acknowledged + c->window - c->next;
		uint32_t whole = c->left < mss ? c->left : mss, payload = room < (int32_t)whole ? room : (int32_t)whole;
		/* A part of a segment waits for room for more, unless nothing is under way or it is much (RFC 9293, 3.8.6.2.1). */
		if (room <= 0 || (payload < whole && payload < 32768 && c->next != c->acknowledged))
			break;
		c->left -= payload;
		send_segment(c, ACK | PSH, payload);
	}
	if (c->owes)
		send_segment(c, ACK, 0);
}

static void finish(struct connection *c)
{
	if (c->is_open && c->left == 0 && !c->has_ended) {
		c->has_ended = true;
		send_segment(c, ACK | FIN, 0);
	}
}

static void open_connection(struct connection *c, uint64_t left)
{
	*c = (struct connection){.is_used = true, .port = next_port, .left = left};
	next_port = next_port == 65535 ? 1024 : next_port + 1;
	send_segment(c, SYN, 0);
}

static int64_t now_ns(void *opaque)
{
	struct timespec t;
	(void)opaque;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000000000ll + t.tv_nsec;
}

static double processor_seconds(void)
{
	struct rusage used;
	getrusage(RUSAGE_SELF, &used);
	return used.ru_utime.tv_sec + used.ru_stime.tv_sec + (used.ru_utime.tv_usec + used.ru_stime.tv_usec) / 1e6;
}

static void guest_error(const char *message, void *opaque) { (void)opaque, fprintf(stderr, "%s\n", message); }
static void *timer_new(void (*expired)(void *), void *argument, void *opaque)
{
	(void)expired, (void)argument, (void)opaque;
	return frame;
}
static void timer_free(void *timer, void *opaque) { (void)timer, (void)opaque; }
static void timer_mod(void *timer, int64_t at_ms, void *opaque) { (void)timer, (void)at_ms, (void)opaque; }
static void ignore_fd(int fd, void *opaque) { (void)fd, (void)opaque; }
static void notify(void *opaque) { (void)opaque; }

static struct pollfd fds[4096];
static int fd_count;

static int add_poll(int fd, int events, void *opaque)
{
	(void)opaque;
	short wanted = (events & IN ? POLLIN : 0) | (events & OUT ? POLLOUT : 0) | (events & PRI ? POLLPRI : 0);
	fds[fd_count] = (struct pollfd){.fd = fd, .events = wanted};
	return fd_count++;
}

static int get_revents(int index, void *opaque)
{
	(void)opaque;
	short found = fds[index].revents;
	return (found & POLLIN ? IN : 0) | (found & POLLOUT ? OUT : 0) | (found & POLLPRI ? PRI : 0) |
	       (found & POLLERR ? ERR : 0) | (found & POLLHUP ? HUP : 0);
}

/* One round of the loop. */
static void turn(void)
{
	uint32_t timeout = 5000;
	fd_count = 0;
	fill(slirp, &timeout, add_poll, NULL);
	/* What was answered at once is answered in turn, before anybody sleeps. */
	int count = poll(fds, fd_count, was_heard ? 0 : timeout);
	was_silent = count == 0 && !was_heard;
	was_heard = false;
	polled(slirp, count < 0, get_revents, NULL);
	if (has_arp_due)
		send_arp();
}

static void start(size_t mtu)
{
	static const struct callbacks callbacks = {send_packet, guest_error, now_ns, timer_new, timer_free, timer_mod,
	                                           ignore_fd, ignore_fd, notify, NULL, NULL};
	struct config config = {.version = 1, .in_enabled = true, .mtu = mtu, .mru = mtu};
	void *library = dlopen("libslirp.so.0", RTLD_NOW);
	void *(*make)(const struct config *, const struct callbacks *, void *);
	if (library == NULL) {
		fprintf(stderr, "%s\n", dlerror());
		exit(2);
	}
	make = dlsym(library, "slirp_new");
	fill = dlsym(library, "slirp_pollfds_fill");
	polled = dlsym(library, "slirp_pollfds_poll");
	input = dlsym(library, "slirp_input");
	inet_aton("10.0.2.0", &config.network);
	inet_aton("255.255.255.0", &config.mask);
	inet_aton("10.0.2.2", &config.host);
	inet_aton("10.0.2.15", &config.dhcp_start);
	inet_aton("10.0.2.3", &config.name_server);
	slirp = make(&config, &callbacks, NULL);
	send_arp();
}

static void download(uint64_t bytes)
{
	struct connection *c = connections;
	for (open_connection(c, 0); taken < bytes; turn(), pump(c))
		;
}

static void upload(uint64_t bytes)
{
	struct connection *c = connections;
	for (open_connection(c, bytes); !c->has_their_end; turn(), pump(c), finish(c))
		;
}

static void round_trips(uint64_t count)
{
	struct connection *c = connections;
	open_connection(c, 1);
	while (taken < count) {
		uint64_t before = taken;
		turn();
		if (taken > before && taken < count)
			c->left = 1;
		pump(c);
	}
}

static void connect_often(uint64_t count)
{
	uint64_t begun = 0, done = 0;
	while (done < count) {
		for (struct connection *c = connections; c < connections + CONNECTIONS; c++) {
			pump(c);
			finish(c);
			if (c->is_used && c->has_their_end) {
				c->is_used = false;
				done++;
			}
			if (!c->is_used && begun < count) {
				begun++;
				open_connection(c, 0);
			}
		}
		turn();
	}
}

static void send_datagrams(uint64_t count)
{
	uint64_t sent = 0;
	while (answers < count) {
		for (; sent < count && sent - answers < DATAGRAMS; sent++)
			send_datagram();
		turn();
		/* What was lost, of which nothing else tells. */
		if (was_silent)
			answers = sent;
	}
}

int main(int argc, char **argv)
{
	if (argc != 5)
		return 2;
	uint64_t amount = strtoull(argv[3], NULL, 10);
	size_t mtu = strtoull(argv[4], NULL, 10);
	remote = atoi(argv[2]);
	mss = mtu - 40;
	start(mtu);
	int64_t begin = now_ns(NULL);
	double used = processor_seconds();
	switch (argv[1][0]) {
	case 'd': download(amount); break;
	case 'u': upload(amount); break;
	case 'r': round_trips(amount); break;
	case 'c': connect_often(amount); break;
	case 'p': send_datagrams(amount); break;
	default: return 2;
	}
	printf("%.9f %.9f\n", (now_ns(NULL) - begin) / 1e9, processor_seconds() - used);
	return 0;
}
