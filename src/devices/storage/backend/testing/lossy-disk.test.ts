import {mkdtempSync, readFileSync, rmSync, writeFileSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import test from 'ava';
import {HostMemory} from '#devices/guest-memory';
import {DiskError, DiskOperation, type DiskRequest} from '#devices/storage/disk';
import {AwaitedRequest} from '#devices/storage/disk/testing';
import {SeededRandom} from '#devices/storage/image/testing';
import {LossyDisk} from './lossy-disk.ts';

const [sectorBytes, sectors] = [512, 64];
const {READ, WRITE, FLUSH, DISCARD, WRITE_ZEROES} = DiskOperation;

test('a lossy disk reads as what was written last, and its file has what was flushed and any of the rest', async (t) => {
	const folder = mkdtempSync(join(tmpdir(), 'openvmm-lossy-'));
	t.teardown(() => rmSync(folder, {recursive: true}));
	const path = join(folder, 'disk');
	writeFileSync(path, new Uint8Array(sectors * sectorBytes));
	const random = new SeededRandom(7);
	const disk = new LossyDisk(path, false, 1);
	t.is(disk.bytes, sectors * sectorBytes);
	const run = async (values: Partial<DiskRequest>, bytes = new Uint8Array()) => {
		const room = new HostMemory(Math.max(1, bytes.length));
		room.bytes.set(bytes);
		const request = new AwaitedRequest();
		if (bytes.length > 0) request.vectors.addHost(room, 0, bytes.length);
		t.is(await Object.assign(request, values).submit(disk), DiskError.NONE);
		return room.bytes;
	};
	// What each sector may have in the file, the newest last: each is all of one byte.
	const possible = Array.from({length: sectors}, () => [0]);
	const filled = () => Buffer.from(readFileSync(path));
	const lost = {sectors: 0, torn: 0};
	for (let step = 1; step < 300; step++) {
		const operation = [WRITE, WRITE, WRITE, WRITE, FLUSH, DISCARD, WRITE_ZEROES][random.below(7)] as DiskOperation;
		const first = random.below(sectors);
		const count = 1 + random.below(Math.min(24, sectors - first));
		const isDurable = random.below(8) === 0;
		const [offset, length] = [first * sectorBytes, count * sectorBytes];
		const byte = operation === WRITE ? 1 + (step % 255) : 0;
		const data = operation === WRITE ? new Uint8Array(length).fill(byte) : new Uint8Array();
		await run(operation === FLUSH ? {operation} : {operation, offset, length, isDurable}, data);
		if (operation === FLUSH) for (const values of possible) values.splice(0, values.length - 1);
		else
			for (const values of possible.slice(first, first + count)) {
				if (operation === DISCARD || isDurable) values.length = 0;
				values.push(byte);
			}
		const read = await run({operation: READ, offset: 0, length: disk.bytes}, new Uint8Array(disk.bytes));
		const file = filled();
		let missing = 0;
		for (const [sector, values] of possible.entries()) {
			const [at, end] = [sector * sectorBytes, (sector + 1) * sectorBytes];
			t.true(read.subarray(at, end).every((each) => each === values.at(-1)));
			const inFile = file[at] as number;
			t.true(values.includes(inFile) && file.subarray(at, end).every((each) => each === inFile));
			if (sector >= first && sector < first + count && inFile !== byte) missing++;
		}
		if (operation !== WRITE) continue;
		lost.sectors += missing;
		if (missing > 0 && missing < count) lost.torn++;
	}
	t.true(lost.sectors > 100 && lost.torn > 10, JSON.stringify(lost));
	await run({operation: FLUSH});
	await disk.close();
	t.true(filled().every((byte, at) => byte === possible[Math.floor(at / sectorBytes)]?.at(-1)));
});
