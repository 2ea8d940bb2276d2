/* Terminals of commands. */
#include "agent.h"

struct window_size {
	uint16_t rows, columns, width, height;
};

void terminal_resize(int master, uint16_t columns, uint16_t rows) {
	struct window_size size = {rows, columns, 0, 0};
	call(NR_ioctl, master, TIOCSWINSZ, &size);
}

/* Opens the other end by the first one, so that it does not matter where, or whether, devpts is mounted besides. */
long terminal_open(int *master, int *slave, uint16_t columns, uint16_t rows) {
	int unlocked = 0;
	long fd = call(NR_openat, AT_FDCWD, "/dev/ptmx", O_RDWR | O_NOCTTY | O_CLOEXEC | O_NONBLOCK, 0);
	if (fd < 0) return fd;
	long error = call(NR_ioctl, fd, TIOCSPTLCK, &unlocked);
	long peer = error < 0 ? error : call(NR_ioctl, fd, TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC);
	if (peer < 0) {
		call(NR_close, fd);
		return peer;
	}
	terminal_resize((int)fd, columns, rows);
	*master = (int)fd;
	*slave = (int)peer;
	return 0;
}
