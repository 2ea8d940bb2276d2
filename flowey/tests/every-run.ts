/** Picks the tests of machines that are worth their time in every run; the others wait for `--all`. */

/** A built test file as a person names it: its source's path with dots. */
export const builtTestName = (file: string): string => file.slice(file.lastIndexOf('/') + 1).replace(/\.test\.js$/, '');

/** Starts of the names of tests, by where they run. */
const choices = {
	/** On the software processor all but what takes minutes of two cores. */
	software: {
		without: [
			'test.guests.api-snapshot-',
			'test.guests.debian-',
			'test.guests.folder-9p-linux.',
			'test.guests.folder-posix-linux.',
			'test.guests.generations.',
			'test.guests.guest-panics.',
			'test.guests.hanging-disk.',
			'test.guests.hardware-kernels.',
			'test.guests.many-processors.',
			'test.guests.net-amid-linux.',
			'test.guests.net-control-linux.',
			'test.guests.net-datagrams-linux.',
			'test.guests.networkd-linux.',
			'test.guests.parallel-connections.',
			'test.guests.run-background.',
			'test.guests.run-packages.',
			'test.guests.runtimes.',
			'test.guests.suspend.',
			'test.guests.switch-peers.',
			'test.guests.tools-',
		],
	},
	/** Where KVM is emulated only what is about KVM itself, the incubator, the language of guest programs or moves between back ends, and one boot of Linux. */
	emulatedKvm: {
		with: [
			'src.vcpu-worker.',
			'test.incubator.',
			'test.vmm.guest-program.',
			'test.guests.moves.',
			'test.guests.stock-linux.',
		],
	},
} as const;

/** Starts of the names of those that take longest, the longest first. */
const longest = [
	'test.guests.stock-linux.',
	'test.guests.moves.',
	'src.vcpu-worker.kvm.kick.',
	'test.guests.disk-linux.',
	'test.guests.chipset-linux.',
	'test.guests.hot-disks-linux.',
	'test.guests.irqchips-linux.',
	'test.guests.disk-clones.',
	'test.guests.memtest.',
	'test.guests.snapshot-linux.',
];

/** Orders built tests such that those that take longest start first: one that starts last would leave the other processors idle. */
export function longestFirst(files: readonly string[]): readonly string[] {
	const isOf = (start: string) => (file: string) => builtTestName(file).startsWith(start);
	const first = longest.flatMap((start) => files.filter(isOf(start)));
	return [...first, ...files.filter((file) => !first.includes(file))];
}

/** Built tests in two parts: what runs every time, and what waits for `--all`. */
export interface TestChoice {
	readonly now: readonly string[];
	readonly later: readonly string[];
}

/** Splits built tests. */
export function everyRun(on: keyof typeof choices, files: readonly string[]): TestChoice {
	const choice = choices[on];
	const isIn = (starts: readonly string[], file: string) =>
		starts.some((start) => builtTestName(file).startsWith(start));
	const isNow = (file: string) => ('with' in choice ? isIn(choice.with, file) : !isIn(choice.without, file));
	return {now: files.filter(isNow), later: files.filter((file) => !isNow(file))};
}

const has = (start: string, files: readonly string[]): boolean =>
	files.some((file) => builtTestName(file).startsWith(start));

/** Tells whether any of these tests boots kernels that are made for hardware: those for virtual machines have no 9P. */
export const needsHardwareKernels = (files: readonly string[]): boolean =>
	['hardware-kernels', 'folder-9p-linux', 'folder-posix-linux'].some((name) => has(`test.guests.${name}.`, files));

/** Tells whether any of these tests boots a whole Debian. */
export const bootsUserLand = (files: readonly string[]): boolean => has('test.guests.debian-', files);

/** Tells whether any of these tests runs Node.js and Java in a guest. */
export const needsRuntimes = (files: readonly string[]): boolean => has('test.guests.runtimes.', files);

/** Tells whether any of these tests runs curl, ssh, git and their like in a guest. */
export const needsGuestTools = (files: readonly string[]): boolean => has('test.guests.tools-', files);
