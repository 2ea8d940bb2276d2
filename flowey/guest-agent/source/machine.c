/* The machine as a whole: its clock, its random numbers, its file systems and its end. */
#include "agent.h"

void machine_set_clock(struct channel *channel, struct reader *reader) {
	struct time_spec time = {.seconds = (int64_t)read64(reader)};
	time.nanoseconds = read32(reader);
	if (reader->is_bad || reader->left > 0) channel_fail(channel, -EINVAL, STEP_DECODE);
	else channel_finish(channel, call(NR_clock_settime, CLOCK_REALTIME, &time), STEP_CLOCK);
}

/* Counts as entropy, and has the generator take it up at once: until then clones of a snapshot give the same numbers. */
void machine_reseed(struct channel *channel, struct reader *reader) {
	struct {
		int32_t bits, size;
		uint8_t bytes[MOST_ENTROPY];
	} entropy;
	if (reader->left == 0 || reader->left > sizeof entropy.bytes) {
		channel_fail(channel, -EINVAL, STEP_DECODE);
		return;
	}
	entropy.bits = (int32_t)reader->left * 8;
	entropy.size = (int32_t)reader->left;
	memcpy(entropy.bytes, reader->at, reader->left);
	long fd = call(NR_openat, AT_FDCWD, "/dev/urandom", O_RDWR | O_CLOEXEC, 0);
	long error = fd < 0 ? fd : call(NR_ioctl, fd, RNDADDENTROPY, &entropy);
	if (error >= 0) error = call(NR_ioctl, fd, RNDRESEEDCRNG, 0);
	if (fd >= 0) call(NR_close, fd);
	channel_finish(channel, error, STEP_ENTROPY);
}

long machine_mount(struct reader *reader, enum step *step) {
	char source[MOST_PATH + 1], target[MOST_PATH + 1], type[64], data[MOST_PATH + 1];
	uint8_t flags = read8(reader);
	bool is_good = read_text(reader, source, sizeof source) && read_text(reader, target, sizeof target) &&
		       read_text(reader, type, sizeof type) && read_text(reader, data, sizeof data);
	if (!is_good || *target != '/' || reader->left > 0) return -EINVAL;
	if ((flags & MOUNT_MAKE_TARGET) != 0) {
		*step = STEP_MKDIR;
		long error = make_folders(target, 0755);
		if (error < 0) return error;
	}
	*step = STEP_MOUNT;
	return call(NR_mount, source, target, type, (flags & MOUNT_READ_ONLY) != 0 ? MS_RDONLY : 0, data);
}

/* include/uapi/linux/reboot.h */
static const uint32_t magic1 = 0xfee1dead, magic2 = 0x28121969;
static const uint32_t ways[3] = {0x4321fedc, 0x01234567, 0xcdef0123};
/* systemd(1): SIGRTMIN+4, +5 and +3, from 34 on; busybox's init: SIGUSR2, SIGTERM, SIGUSR1. */
static const uint8_t systemd_signals[3] = {38, 39, 37};
static const uint8_t busybox_signals[3] = {12, 15, 10};

void machine_shut_down(struct channel *channel, struct reader *reader) {
	uint8_t how = read8(reader);
	if (reader->is_bad || reader->left > 0 || how > SHUTDOWN_HALT) {
		channel_fail(channel, -EINVAL, STEP_DECODE);
		return;
	}
	if (!is_init) {
		struct statx status;
		bool is_systemd = call(NR_statx, AT_FDCWD, "/run/systemd/system", 0, STATX_BASIC_STATS, &status) == 0;
		channel_finish(channel, call(NR_kill, 1, (is_systemd ? systemd_signals : busybox_signals)[how]), STEP_SHUTDOWN);
		return;
	}
	struct connection *connection = channel->connection;
	channel_finish(channel, 0, STEP_SHUTDOWN);
	connection_pump(connection);
	/* Commands may end in order; a second is enough for those that do, and the others do not hold the machine. */
	call(NR_kill, -1, 15);
	for (unsigned i = 0; i < 10 && call(NR_wait4, -1, 0, WNOHANG, 0) != -ECHILD; i++) wait_ms(100);
	call(NR_kill, -1, SIGKILL);
	call(NR_sync);
	say("shuts down", "", 0);
	long error = call(NR_reboot, magic1, magic2, ways[how], 0);
	say("the machine does not end", "", error);
}
