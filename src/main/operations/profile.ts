import {setTimeout as sleep} from 'node:timers/promises';
import {sampleHz} from '#main/config';
import {abortable} from '#support/abort';
import {file, integer, listOf, symbolFile} from './kinds.ts';
import {operation} from './operation.ts';

const hz = {
	kind: integer(1, sampleHz.most),
	placeholder: 'HZ',
	optional: true,
	help: `samples a second of each processor, ${sampleHz.usual} without this`,
} as const;

/** Files with symbols that one profile may have. */
const maxFiles = 32;
const defaultSeconds = 10;

export const profile = operation({
	name: 'profile',
	help: 'write a flame graph of what the processors execute in the next seconds, for speedscope',
	params: {
		path: {kind: file, placeholder: 'PATH', help: 'the file to write'},
		seconds: {
			kind: integer(1, 86_400),
			flag: 'time',
			placeholder: 'SECONDS',
			optional: true,
			help: `for so long, ${defaultSeconds} without this`,
		},
		hz: {...hz, flag: 'rate'},
		symbols: {
			kind: listOf(symbolFile, maxFiles),
			flag: 'symbols',
			placeholder: 'FILE[,offset=ADDRESS]',
			optional: true,
			help: "symbols beside those of a Linux kernel's own: an ELF file, a System.map, or the text of /proc/kallsyms; may be repeated",
		},
	},
	result: '`path`, and `samples`, how many it has',
	async run(vm, {path, seconds = defaultSeconds, hz: rate, symbols}, asked) {
		const request = {path, ...(rate !== undefined && {hz: rate}), ...(symbols !== undefined && {symbols})};
		const {profileFor} = await import('#main/profile');
		return {path, samples: await profileFor(vm, seconds, request, asked)};
	},
	say: ({path, samples}) => `The profile, of ${samples} samples, is in "${path}": npx speedscope ${path}`,
});

/** Addresses in an answer at most. */
const maxAddresses = 4096;

export const samples = operation({
	name: 'samples',
	help: 'tell at which addresses the processors execute most in the next moments',
	params: {
		timeMs: {kind: integer(1, 60_000), placeholder: 'MS', help: 'for so long, in milliseconds'},
		hz,
	},
	result:
		'`hottest`, of which each has `address` and the `ms` that were spent there; `ms` of all samples, and `waitingMs` of processors that waited',
	socketOnly: true,
	async run(vm, {timeMs, hz: rate = sampleHz.usual}, {signal}) {
		const {GuestProfile, leafTimes} = await import('#main/profile');
		const seen = new GuestProfile(vm.processors);
		const stop = vm.listenToSamples(rate, {sample: (sample) => seen.add(sample)});
		try {
			await abortable('samples', signal, () =>
				sleep(timeMs, undefined, signal && {signal}).catch(() => signal?.throwIfAborted()),
			);
		} finally {
			stop();
		}
		const {times, waitingMs, ms} = leafTimes(seen);
		const hottest = [...times].sort(([, a], [, b]) => b - a).slice(0, maxAddresses);
		return {
			hottest: hottest.map(([address, spent]) => ({address: `0x${address.toString(16)}`, ms: spent})),
			ms,
			waitingMs,
		};
	},
});

export const kernelSymbols = operation({
	name: 'kernel-symbols',
	help: "tell the symbols that a Linux guest's kernel has in its memory",
	params: {},
	result:
		'`stext`, the address of its code, and `symbols`, an array of addresses and names; nothing for a guest that has none',
	socketOnly: true,
	async run(vm, _values, {signal}) {
		const notes = await vm.kernelNotes({signal});
		const {readGuestKernel} = await import('#main/symbols');
		const kernel = notes === undefined ? undefined : readGuestKernel(vm.memory, notes);
		if (kernel === undefined) return {};
		const hex = (address: bigint) => `0x${address.toString(16)}`;
		return {stext: hex(kernel.stext), symbols: kernel.symbols.map(({address, name}) => [hex(address), name])};
	},
});
