/* The guest agent: as process 1 it is a guest's init, otherwise a service, with where to listen as its arguments. */
#include "agent.h"

ENTRY_POINT;

/* A descriptor below 3 that is closed would be given to something else, and then to a command. */
static void open_standard_files(void) {
	for (long fd = 0; fd < 3; fd++) {
		if (call(NR_fcntl, fd, F_GETFL) >= 0) continue;
		long null = call(NR_openat, AT_FDCWD, "/dev/null", O_RDWR | O_NOCTTY, 0);
		if (null >= 0 && null != fd) {
			call(NR_dup3, null, fd, 0);
			call(NR_close, null);
		}
	}
}

/* How the kernel starts a program: argument count, arguments. */
void __attribute__((noreturn, used)) start(long *stack) {
	long count = stack[0];
	char **arguments = (char **)(stack + 1);
	bool is_service = call(NR_getpid) != 1, any = false;
	const char *words = is_service ? NULL : init_machine();
	open_standard_files();
	/* What a service manager or a test left open is none of a command's. */
	call(NR_close_range, 3, ~0u, CLOSE_RANGE_CLOEXEC);
	loop_start();
	channels_start();
	start_children();
	if (words != NULL) any = transport_add(words);
	for (long i = 1; i < count && is_service; i++) any |= transport_add(arguments[i]);
	if (is_service && count < 2) any = transport_add("vsock:4919");
	if (!any && is_service) call(NR_exit_group, 2);
	if (is_init) say("is ready", "", 0);
	loop_forever();
}
