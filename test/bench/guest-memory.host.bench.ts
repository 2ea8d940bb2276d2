/**
 * Measures what an access to guest memory costs a device, beside the same on an array of its own: copies of 16 bytes (a
 * descriptor) and 1500 (a packet), a 16-bit index of a queue by address and by window, an index published, and a request's
 * memory pinned and released. Needs no KVM.
 */
import {type GuestWindow, IoVectors, MappedMemory, type MemoryRange} from '#devices/guest-memory';
import {plainMemory} from '#devices/guest-memory/testing';
import {unchecked} from '#support/trust';
import {report} from './report.ts';

const accesses = 200_000;
const rounds = 9;
/** A small machine's memory, and a second range above 4 GiB. */
const ranges: readonly MemoryRange[] = [
	{gpa: 0, length: 2 ** 26},
	{gpa: 2 ** 32, length: 2 ** 26},
];

const memory = new MappedMemory(plainMemory(...ranges));
const own = new Uint8Array(2 ** 20);
const target = new Uint8Array(2048);
const window = memory.mapped(0x10000, 0x1000, 4096) as GuestWindow;
const vectors = new IoVectors(4);
let sum = 0;

/** Each goes round 4096 places, 64 bytes apart. */
const paths: Readonly<Record<string, (at: number) => void>> = {
	'own array, 16 bytes': (at) => {
		for (let index = 0; index < 16; index++) target[index] = own[at + index] as number;
	},
	'copyOut, 16 bytes': (at) => {
		memory.copyOut(at, target, 0, 16);
	},
	'copyOut, 16 bytes above 4 GiB': (at) => {
		memory.copyOut(2 ** 32 + at, target, 0, 16);
	},
	'copyOut, 1500 bytes': (at) => {
		memory.copyOut(at, target, 0, 1500);
	},
	'copyIn, 16 bytes': (at) => {
		memory.copyIn(at, target, 0, 16);
	},
	readU16: (at) => {
		sum += unchecked(memory.readU16(at)) ?? 0;
	},
	'window.readU16': (at) => {
		sum += unchecked(window.readU16(at & 0xfc0));
	},
	'window.acquireU16': (at) => {
		sum += unchecked(window.acquireU16(at & 0xfc0));
	},
	'window.releaseU16': (at) => {
		window.releaseU16(at & 0xfc0, at & 0xff);
	},
	'pin and release': (at) => {
		memory.pin(at, 4096, 'write', vectors);
		vectors.release();
	},
};

function nsPerAccess(access: (at: number) => void): number {
	const start = process.hrtime.bigint();
	for (let index = 0; index < accesses; index++) access((index & 0xfff) * 64);
	return Number(process.hrtime.bigint() - start) / accesses;
}

const samples = Object.entries(paths).map(([name, access]) => ({name, access, unit: 'ns', samples: [] as number[]}));
// The first rounds compile.
for (let round = -3; round < rounds; round++) {
	for (const {access, samples: list} of samples) {
		const ns = nsPerAccess(access);
		if (round >= 0) list.push(ns);
	}
}
if (sum < 0) throw new RangeError('memory held more than it can');
report('Guest memory', samples, 'own array, 16 bytes');
