/** Shell by which Linux guests wait. No fixed time is long enough on a busy host. */

/** Waits until a command succeeds. */
export const until = (condition: string): string => `until ${condition}; do sleep 0.1; done`;

/** Waits until all these files are there, by name or pattern of one file each. */
export const untilThere = (...paths: readonly string[]): string =>
	until(paths.map((path) => `[ -e ${path} ]`).join(' && '));

/** Waits until all these disks can be read, which is a while after they have a node in /dev. Nothing of them is cached. */
export const untilReadable = (...disks: readonly string[]): string =>
	disks.map((disk) => until(`dd if=${disk} of=/dev/null bs=4k count=1 iflag=direct 2>/dev/null`)).join('; ');

/** Loads what counts how often a test presses the power button. */
export const hearButton = 'modprobe button';

/** Succeeds once a test has pressed the power button so often: by that a test tells a guest to go on. See {@link hearButton}. */
export const pressed = (times = 1): string => `grep -q '^ *${times} ' /sys/firmware/acpi/interrupts/ff_pwr_btn`;
