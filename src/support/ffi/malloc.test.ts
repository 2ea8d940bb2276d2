import test from 'ava';
import {libc} from './libc.ts';
import {giveBackFreeMemory, limitFreeMemory} from './malloc.ts';

const malloc = libc('intptr_t malloc(size_t length)');
const calloc = libc('intptr_t calloc(size_t count, size_t length)');
const memset = libc('intptr_t memset(intptr_t target, int value, size_t length)');
const free = libc('void free(intptr_t address)');

const MiB = 2 ** 20;
/** Less than what the library maps by itself. */
const pieceBytes = 64 * 1024;
const pieces = 512;
const resident = () => process.memoryUsage.rss();

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
	const before = resident();
	const all = allocate();
	t.true(resident() - before > 24 * MiB);
	for (const address of all) free(address);
	t.true(resident() - before < 8 * MiB);
});

test.serial('so does what lies between what is in use', async (t) => {
	const before = resident();
	const all = allocate();
	const last = malloc(pieceBytes);
	for (const address of all) free(address);
	t.true(resident() - before > 24 * MiB);
	await giveBackFreeMemory();
	t.true(resident() - before < 8 * MiB);
	free(last);
});
