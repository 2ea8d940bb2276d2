/* The guest's root: found, mounted, with an overlay if asked for, and put in place of the initial file system. */
#include "agent.h"

enum { WAIT_MS = 20, MOST_WAITS = 1500 };

static const char *const block_types[] = {"ext4", "xfs", "btrfs", "squashfs", "erofs", "iso9660", "vfat"};

static long mount_device(const char *device, const char *target, const char *type, const char *flags, long how) {
	if (*type != 0) return call(NR_mount, device, target, type, how, flags);
	long error = -ENODEV;
	for (unsigned i = 0; i < sizeof block_types / sizeof *block_types && error < 0; i++) {
		long now = call(NR_mount, device, target, block_types[i], how, flags);
		/* A kernel without one of them says ENODEV, and another one's file system EINVAL. */
		if (now != -ENODEV && now != -EINVAL) return now;
		if (now == -EINVAL) error = now;
	}
	return error;
}

/* Devices come when their drivers have found them: half a minute, for a host that is very busy. */
static long mount_when_there(const char *device, const char *target, const char *type, const char *flags, long how) {
	long error = -ENOENT;
	for (unsigned i = 0; i < MOST_WAITS; i++) {
		error = mount_device(device, target, type, flags, how);
		/* A tag that no device has yet: EINVAL of virtiofs, ENOENT or ENODEV of 9p. */
		bool is_tag = text_is(type, "virtiofs") || text_is(type, "9p");
		if (error != -ENOENT && error != -6 && !(is_tag && (error == -EINVAL || error == -ENODEV))) return error;
		wait_ms(WAIT_MS);
	}
	return error;
}

static long mount_overlay(const char *device) {
	static char writable[] = "/openvmm/writable", upper[] = "/openvmm/writable/upper", work[] = "/openvmm/writable/work";
	make_folders(writable, 0755);
	const char *size = text_after(device, "tmpfs:");
	char data[64] = "mode=755";
	if (size != NULL && text_add(data, sizeof data, ",size=")) text_add(data, sizeof data, size);
	long error = size != NULL || text_is(device, "tmpfs") ? call(NR_mount, "overlay", writable, "tmpfs", 0, data)
							      : mount_when_there(device, writable, "", "", 0);
	if (error < 0) return error;
	make_folders(upper, 0755);
	make_folders(work, 0755);
	return call(NR_mount, "overlay", "/openvmm/root", "overlay", 0,
		    "lowerdir=/openvmm/lower,upperdir=/openvmm/writable/upper,workdir=/openvmm/writable/work");
}

static void move_mount(const char *from, const char *below) {
	char target[64] = "/openvmm/root";
	text_add(target, sizeof target, below);
	call(NR_mkdirat, AT_FDCWD, target, 0755);
	long error = call(NR_mount, from, target, NULL, MS_MOVE, NULL);
	if (error < 0) say("the root has no place for ", from, error);
}

/* False, after having said why, where there is no such root. The machine goes on in its initial file system then. */
bool root_mount(const char *device, const char *type, const char *flags, bool is_read_only, const char *overlay) {
	static char root[] = "/openvmm/root", lower[] = "/openvmm/lower";
	bool has_overlay = *overlay != 0;
	make_folders(root, 0755);
	if (has_overlay) make_folders(lower, 0755);
	long how = is_read_only || has_overlay ? MS_RDONLY : 0;
	long error = mount_when_there(device, has_overlay ? lower : root, type, flags, how);
	if (error < 0) {
		say("cannot mount the root ", device, error);
		return false;
	}
	if (has_overlay && (error = mount_overlay(overlay)) < 0) {
		say("cannot mount the overlay ", overlay, error);
		return false;
	}
	/* Modules are of no more use; nothing else is mounted below them. */
	remove_tree(AT_FDCWD, "/lib", 0);
	move_mount("/proc", "/proc");
	move_mount("/sys", "/sys");
	move_mount("/dev", "/dev");
	move_mount("/run", "/run");
	call(NR_chdir, root);
	error = call(NR_mount, root, "/", NULL, MS_MOVE, NULL);
	if (error >= 0) error = call(NR_chroot, ".");
	call(NR_chdir, "/");
	if (error < 0) say("cannot take as root ", device, error);
	return error >= 0;
}
