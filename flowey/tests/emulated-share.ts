/** Picks the tests on KVM that are worth their time where KVM itself is emulated. */

/** Built test files about KVM itself, the incubator or the language of guest programs, and one that boots Linux once. */
const SHARE = ['src.vcpu-worker.', 'test.incubator.', 'test.vmm.guest-program.', 'test.guests.stock-linux.'] as const;

/** A built test file as a person names it: its source's path with dots. */
export const kvmTestName = (file: string): string => file.slice(file.lastIndexOf('/') + 1).replace(/\.test\.js$/, '');

/** Built files that take minutes on the software processor. */
const LONG = ['test.guests.lifecycle-rounds.'] as const;

/** Built tests of machines on the software processor in two parts: what always runs, and what waits for `--all`. */
export function machineShare(files: readonly string[]): {now: readonly string[]; later: readonly string[]} {
	const isLong = (file: string) => LONG.some((start) => kvmTestName(file).startsWith(start));
	return {now: files.filter((file) => !isLong(file)), later: files.filter(isLong)};
}

/** Built KVM tests in two parts: what always runs, and what waits for `--all`. */
export function emulatedShare(files: readonly string[]): {now: readonly string[]; later: readonly string[]} {
	const isShared = (file: string) => SHARE.some((start) => kvmTestName(file).startsWith(start));
	return {now: files.filter(isShared), later: files.filter((file) => !isShared(file))};
}
