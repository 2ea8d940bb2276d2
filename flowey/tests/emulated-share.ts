/** Picks the tests of machines that are worth their time in every run: on the software processor, and where KVM itself is emulated. */

/** Built test files about KVM itself, the incubator, the language of guest programs or moves between back ends, and one that boots Linux once. */
const SHARE = [
	'src.vcpu-worker.',
	'test.incubator.',
	'test.vmm.guest-program.',
	'test.guests.moves.',
	'test.guests.stock-linux.',
] as const;

/** A built test file as a person names it: its source's path with dots. */
export const kvmTestName = (file: string): string => file.slice(file.lastIndexOf('/') + 1).replace(/\.test\.js$/, '');

/** Built files of machines that are quick on the software processor; the others take minutes on two cores. */
const MACHINE_SHARE = [
	'test.vmm.',
	'test.guests.acpi-events.',
	'test.guests.command-line.',
	'test.guests.container.',
	'test.guests.control.',
	'test.guests.lost-memory.',
	'test.guests.small-guests.',
	'test.guests.stock-linux.',
] as const;

/** True for a built test file whose machines boot a whole Debian. */
export const bootsUserLand = (file: string): boolean => kvmTestName(file).startsWith('test.guests.debian-user-land.');

const inShare = (share: readonly string[], file: string): boolean =>
	share.some((start) => kvmTestName(file).startsWith(start));

/** Built tests of machines on the software processor in two parts: what always runs, and what waits for `--all`. */
export function machineShare(files: readonly string[]): {now: readonly string[]; later: readonly string[]} {
	return {
		now: files.filter((file) => inShare(MACHINE_SHARE, file)),
		later: files.filter((file) => !inShare(MACHINE_SHARE, file)),
	};
}

/** Built KVM tests in two parts: what always runs, and what waits for `--all`. */
export function emulatedShare(files: readonly string[]): {now: readonly string[]; later: readonly string[]} {
	return {now: files.filter((file) => inShare(SHARE, file)), later: files.filter((file) => !inShare(SHARE, file))};
}
