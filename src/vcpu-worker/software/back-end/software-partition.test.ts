import {setImmediate} from 'node:timers/promises';
import test from 'ava';
import {type MappedRange, WriteLog} from '#devices/guest-memory';
import {plainMemory} from '#devices/guest-memory/testing';
import type {VmmError} from '#support/errors';
import {GuestThreads} from '#vcpu-worker/software/system/testing';
import {SoftwarePartition} from './software-partition.ts';

const codeAt = 0x20_0000;
const data = 0x40_0000;
const pageBytes = 4096;
const pages = 64;
const checkpoints = 300;
const word = (value: number): readonly number[] => [...new Uint8Array(Uint32Array.of(value).buffer)];

/** Counts RBX up and stores it to the first word of a page, another one each time, while [RSI] is 0. */
const program = [
	...[0x48, 0xff, 0xc3], // INC RBX
	...[0x89, 0xd8], // MOV EAX,EBX
	...[0x83, 0xe0, pages - 1], // AND EAX,pages-1
	...[0xc1, 0xe0, 12], // SHL EAX,12
	...[0x48, 0x89, 0x9c, 0x07, ...word(0)], // MOV [RDI+RAX],RBX
	...[0x83, 0x3e, 0], // CMP dword [RSI],0
	...[0x74, -(3 + 2 + 3 + 3 + 8 + 3 + 2) & 0xff], // JE
	0xf4,
];

test('what only KVM has is refused, with that as the remedy', (t) => {
	t.throws(() => new SoftwarePartition({irqchip: 'kernel', processors: 1}), {code: 'SOFTWARE_HAS_NO_CHIPS'});
	const partition = new SoftwarePartition({irqchip: 'split', processors: 1});
	const [first, second] = plainMemory({gpa: 0, length: pageBytes}, {gpa: 0x10_0000, length: pageBytes}).ranges;
	partition.map(first as MappedRange);
	const error = t.throws(() => partition.map(second as MappedRange), {code: 'SOFTWARE_MEMORY_TOO_LARGE'}) as VmmError;
	t.regex(error.message, /0x100000.*16 GiB.*huge pages/);
	t.regex(error.remedy ?? '', /one page less/);
});

test('no store of a processor is lost between two checkpoints', async (t) => {
	const partition = new SoftwarePartition({irqchip: 'split', processors: 2});
	const guest = new GuestThreads(2, partition.handle.shared);
	const {memory, ram} = guest.lone;
	for (const range of memory.ranges) partition.map(range);
	ram.set(program, codeAt);
	const general = [0n, 0n, 0n, 0n, 0n, 0n, BigInt(data - pageBytes)];
	const area = pages * pageBytes;
	const log = new WriteLog(memory, partition.dirty);
	const copy = new Uint8Array(2 * area);
	let copied = 0;
	const take = (gpa: number, length: number) => {
		copied += length / pageBytes;
		copy.set(ram.subarray(gpa, gpa + length), gpa - data);
	};
	const all = {gpa: data, length: 2 * area};
	let since = log.checkpoint();
	const starts = [0, 1].map((index) => ({entry: codeAt, general: [...general, BigInt(data + index * area)]}));
	guest.start(starts);
	const checkpoint = () => {
		const next = log.checkpoint();
		log.writtenAfter(since, all, take);
		since = next;
	};
	while (copied < checkpoints * pages) {
		await setImmediate();
		checkpoint();
	}
	ram[data - pageBytes] = 1;
	const ends = await guest.ends();
	checkpoint();
	log.writtenAfter(since, all, take);
	t.deepEqual(
		ends.map(({stop}) => stop),
		['halted', 'halted'],
	);
	t.true(Buffer.compare(copy, ram.subarray(data, data + 2 * area)) === 0);
});
