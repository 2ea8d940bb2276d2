import test from 'ava';
import {libc} from './libc.ts';
import {giveBackFreeMemory, limitFreeMemory} from './malloc.ts';

const malloc = libc('intptr_t malloc(size_t length)');
const calloc = libc('intptr_t calloc(size_t count, size_t length)');
const memset = libc('intptr_t memset(intptr_t target, int value, size_t length)');
const mincore = libc('int mincore(intptr_t address, size_t length, uint8_t *residency)');
const free = libc('void free(intptr_t address)');

const MiB = 2 ** 20;
/** Less than what the library maps by itself. */
const pieceBytes = 64 * 1024;
const pieces = 512;
const pageBytes = 4096;
const residency = new Uint8Array(pieceBytes / pageBytes);

/** Bytes of these pieces that the host has memory for. What else the process needs meanwhile does not count. */
function resident(addresses: readonly number[]): number {
	let pages = 0;
	for (const address of addresses) {
		const first = Math.ceil(address / pageBytes) * pageBytes;
		const isMapped = mincore(first, pieceBytes - pageBytes, residency) === 0;
		for (let page = 0; isMapped && page < pieceBytes / pageBytes - 1; page++) pages += (residency[page] as number) & 1;
	}
	return pages * pageBytes;
}

/** Memory that has been written to. */
function allocate(): readonly number[] {
	return Array.from({length: pieces}, () => {
		const address = malloc(pieceBytes);
		memset(address, 1, pieceBytes);
		return address;
	});
}

test.serial('free memory at the end of a heap goes back, whatever has been freed before', (t) => {
	t.true(limitFreeMemory(MiB));
	// By which the library would keep 40 MiB from now on.
	free(calloc(20, MiB));
	// What somebody else has allocated meanwhile may lie at the end: then nothing goes back, and the next pieces lie behind it.
	const kept: number[] = [];
	let left = Number.POSITIVE_INFINITY;
	for (let attempt = 0; attempt < 20 && left >= 8 * MiB; attempt++) {
		const all = allocate();
		for (const address of all) free(address);
		left = resident(all);
		if (left >= 8 * MiB) kept.push(...allocate());
	}
	for (const address of kept) free(address);
	t.true(left < 8 * MiB, `${left}`);
});

test.serial('so does what lies between what is in use', async (t) => {
	const all = allocate();
	const last = malloc(pieceBytes);
	for (const address of all) free(address);
	t.true(resident(all) > 24 * MiB);
	await giveBackFreeMemory();
	t.true(resident(all) < 8 * MiB, `${resident(all)}`);
	free(last);
});
