/* The first program of a guest: it makes one of the machine, and goes on as the agent, or beside the guest's own init. */
#include "agent.h"

bool is_init;

/* What the kernel's command line says. Names that Linux or initial file systems have, where there are such. */
static struct {
	char agent[256], root[256], type[64], flags[256], overlay[128], init[256], host[64], ip[256], modules[512];
	bool is_read_only;
} options;

static const struct {
	const char *prefix;
	char *value;
	size_t room;
} words[] = {
	{"openvmm.agent=", options.agent, sizeof options.agent},
	{"openvmm.overlay=", options.overlay, sizeof options.overlay},
	{"openvmm.modules=", options.modules, sizeof options.modules},
	{"openvmm.hostname=", options.host, sizeof options.host},
	{"root=", options.root, sizeof options.root},
	{"rootfstype=", options.type, sizeof options.type},
	{"rootflags=", options.flags, sizeof options.flags},
	{"init=", options.init, sizeof options.init},
	{"ip=", options.ip, sizeof options.ip},
};

static void read_options(void) {
	static char line[4096];
	char word[512];
	if (!read_small_file("/proc/cmdline", line, sizeof line)) return;
	for (const char *rest = line; rest != NULL;) {
		rest = text_field(rest, ' ', word, sizeof word);
		if (text_is(word, "ro")) options.is_read_only = true;
		if (text_is(word, "rw")) options.is_read_only = false;
		/* What is behind it is of the guest's init. */
		if (text_is(word, "--")) break;
		for (unsigned i = 0; i < sizeof words / sizeof *words; i++) {
			const char *value = text_after(word, words[i].prefix);
			if (value != NULL) text_field(value, 0, words[i].value, words[i].room);
		}
	}
}

static void mount_at(const char *type, const char *target, long flags, const char *data) {
	call(NR_mkdirat, AT_FDCWD, target, 0755);
	call(NR_mount, type, target, type, flags, data);
}

static bool ends_with(const char *text, const char *end) {
	size_t length = text_length(text), size = text_length(end);
	return length >= size && text_is(text + length - size, end);
}

static char module_list[65536], module_folder[160];
/* Paths of modules that did not load, a space behind each. */
static char absent[4096];

static void load_module(const char *name) {
	char path[700] = "";
	text_add(path, sizeof path, module_folder);
	text_add(path, sizeof path, name);
	long fd = call(NR_openat, AT_FDCWD, path, O_RDONLY | O_CLOEXEC, 0);
	long error = fd < 0 ? fd : call(NR_finit_module, fd, "", ends_with(path, ".ko") ? 0 : MODULE_INIT_COMPRESSED_FILE);
	if (fd >= 0) call(NR_close, fd);
	if (error < 0 && error != -EEXIST && text_add(absent, sizeof absent, name)) text_add(absent, sizeof absent, " ");
	/* A driver for what this machine does not have says so; it need not be heard. */
	if (error < 0 && error != -EEXIST && error != -ENODEV) say("cannot load ", path, error);
}

/* The kernel would say of each symbol of theirs that it is unknown. */
static bool needs_absent(const char *needed) {
	char path[512], missing[512];
	while (needed != NULL) {
		needed = text_field(needed, ' ', path, sizeof path);
		for (const char *rest = absent; rest != NULL && *path != 0;) {
			rest = text_field(rest, ' ', missing, sizeof missing);
			if (text_is(path, missing)) return true;
		}
	}
	return false;
}

/* A file's name without what is behind the module's, and with dashes that the kernel takes for the same as underscores. */
static bool is_module(const char *path, const char *name) {
	for (const char *at = path; *at != 0; at++)
		if (*at == '/') path = at + 1;
	for (; *name != 0; path++, name++)
		if ((*path == '-' ? '_' : *path) != (*name == '-' ? '_' : *name)) return false;
	return text_after(path, ".ko") != NULL;
}

/* What a module needs is named nearest first, and loaded last first. */
static void load_needed(const char *needed, unsigned depth) {
	char path[512];
	if (needed == NULL || depth > 64) return;
	while (*needed == ' ') needed++;
	const char *rest = text_field(needed, ' ', path, sizeof path);
	load_needed(rest, depth + 1);
	if (*path != 0) load_module(path);
}

static bool load_named(const char *name) {
	char line[4096], path[512];
	for (const char *rest = module_list; rest != NULL;) {
		rest = text_field(rest, '\n', line, sizeof line);
		const char *needed = text_field(line, ':', path, sizeof path);
		if (!is_module(path, name)) continue;
		load_needed(needed, 0);
		load_module(path);
		return true;
	}
	return false;
}

/*
 * By modules.dep, as src/main/images writes it for an initial file system: all that are in it, which are each behind what they need; or those that
 * openvmm.modules= names, with what they need.
 */
static void load_modules(void) {
	char line[4096], name[512];
	struct system_names names = {0};
	call(NR_uname, &names);
	text_add(module_folder, sizeof module_folder, "/lib/modules/");
	text_add(module_folder, sizeof module_folder, names.release);
	text_add(module_folder, sizeof module_folder, "/");
	char path[200] = "";
	text_add(path, sizeof path, module_folder);
	text_add(path, sizeof path, "modules.dep");
	if (!read_small_file(path, module_list, sizeof module_list)) return;
	const char *rest = *options.modules == 0 ? module_list : options.modules;
	char separator = *options.modules == 0 ? '\n' : ',';
	while (rest != NULL) {
		rest = text_field(rest, separator, line, sizeof line);
		if (separator == ',') {
			/* What the kernel has built in is not in the list. */
			load_named(line);
			continue;
		}
		const char *needed = text_field(line, ':', name, sizeof name);
		if (*name != 0 && !needs_absent(needed)) load_module(name);
	}
}

static void name_host(void) {
	char name[64];
	if (*options.host == 0 && read_small_file("/etc/hostname", name, sizeof name)) text_field(name, '\n', options.host, sizeof options.host);
	if (*options.host != 0) call(NR_sethostname, options.host, text_length(options.host));
}

/* The guest's init has to be process 1, so it is the agent that becomes another one. */
static void start_guest_init(char **environment) {
	char *const arguments[] = {options.init, NULL};
	long pid = call(NR_clone, SIGCHLD, 0, 0, 0, 0);
	if (pid == 0) {
		is_init = false;
		call(NR_setsid);
		return;
	}
	long error = call(NR_execve, options.init, arguments, environment);
	say("cannot run the guest's init ", options.init, error);
	/* The agent is there all the same, for whoever looks why. */
	for (;;) {
		call(NR_wait4, -1, 0, 0, 0);
		wait_ms(1000);
	}
}

const char *init_machine(void) {
	static char *environment[] = {"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "HOME=/", "TERM=linux", NULL};
	is_init = true;
	mount_at("proc", "/proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL);
	mount_at("sysfs", "/sys", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL);
	mount_at("devtmpfs", "/dev", MS_NOSUID, "mode=755");
	mount_at("tmpfs", "/run", MS_NOSUID | MS_NODEV, "mode=755");
	read_options();
	load_modules();
	network_loopback();
	bool is_mounted = *options.root == 0 ||
			  root_mount(options.root, options.type, options.flags, options.is_read_only, options.overlay);
	if (is_mounted && *options.init != 0) start_guest_init(environment);
	if (is_init) {
		mount_at("devpts", "/dev/pts", MS_NOSUID | MS_NOEXEC, "mode=620,gid=5,ptmxmode=666");
		mount_at("tmpfs", "/dev/shm", MS_NOSUID | MS_NODEV, "mode=1777");
		mount_at("tmpfs", "/tmp", MS_NOSUID | MS_NODEV, "mode=1777");
		call(NR_symlinkat, "/proc/self/fd", AT_FDCWD, "/dev/fd");
		call(NR_symlinkat, "/proc/self/fd/0", AT_FDCWD, "/dev/stdin");
		call(NR_symlinkat, "/proc/self/fd/1", AT_FDCWD, "/dev/stdout");
		call(NR_symlinkat, "/proc/self/fd/2", AT_FDCWD, "/dev/stderr");
		name_host();
		if (*options.ip != 0 && !text_is(options.ip, "off") && !text_is(options.ip, "none")) network_configure(options.ip);
		network_hosts(options.host, options.ip);
	}
	return *options.agent == 0 ? "vsock:4919" : options.agent;
}
