import {mkdtempSync, openSync, readFileSync, rmSync, statSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {crc32} from 'node:zlib';
import test, {type ExecutionContext} from 'ava';
import {MappedMemory, WriteLog} from '#devices/guest-memory';
import {vmConfig} from '#main/config';
import {chunkBytes, createJobPool} from '#main/jobs';
import {allocateRam} from '#main/memory';
import {MemoryCopy} from './memory-copy.ts';

const chunks = 40;
const length = chunks * chunkBytes;

/**
 * Copies memory that a guest writes to: before each look at what it has written, one word in each of so many chunks, from the
 * first on.
 * @param isAllWritten - all of memory counts as written, as where a processor does not answer in time
 * @returns how often the copy has looked while the guest ran, and the bytes that the file takes
 */
async function copied(t: ExecutionContext, writes: readonly number[], isAllWritten = false) {
	const folder = mkdtempSync(join(tmpdir(), 'openvmm-copy-'));
	t.teardown(() => rmSync(folder, {recursive: true}));
	const ram = allocateRam([{memory: vmConfig({memory: {sizeBytes: length}}).memory, ranges: [{gpa: 0, length}]}]);
	t.teardown(() => ram.dispose());
	const memory = new MappedMemory(ram.memory);
	const bytes = Buffer.from(ram.ranges[0]?.memory.buffer as SharedArrayBuffer, 0, length);
	let looks = 0;
	const log = new WriteLog(memory, {
		start() {},
		stop() {},
		collect(visit) {
			const written = writes[looks] ?? 0;
			looks++;
			// As a guest does, past our own writers.
			for (let at = 0; at < written * chunkBytes; at += chunkBytes) {
				bytes.writeUInt32LE(looks, at + 4096 * looks);
				visit(at + 4096 * looks, 4096);
			}
			if (isAllWritten) visit(0, length);
		},
	});
	const path = join(folder, 'memory');
	const pool = await createJobPool(1);
	t.teardown(() => pool.close());
	const copy = new MemoryCopy(pool, ram, openSync(path, 'w'), {});
	await copy.whileWritten(log);
	const looksWhileRunning = looks;
	// Of ours, after the guest has come to rest.
	memory.writeU32(length - 4, 0xfeed);
	// Zeros over what has been copied.
	memory.writeU32(4096, 0);
	await copy.finish();
	const saved = readFileSync(path);
	t.true(saved.equals(bytes));
	t.is(saved.readUInt32LE(length - 4), 0xfeed);
	const checksums = new Uint32Array(new Uint8Array(Buffer.from(copy.checksums, 'base64')).buffer);
	const wanted = Array.from({length: chunks}, (_, at) => crc32(saved.subarray(at * chunkBytes, (at + 1) * chunkBytes)));
	t.deepEqual([...checksums], wanted);
	return {looks: looksWhileRunning, bytes: statSync(path).blocks * 512};
}

test('what is written while memory is copied is copied again, until little is left', async (t) => {
	t.is((await copied(t, [40, 28, 20, 3, 9])).looks, 4);
});

test('a guest that writes as fast as it is copied has the rest copied while it stands still', async (t) => {
	t.is((await copied(t, [40, 28, 28, 28])).looks, 3);
});

test('what never had memory stays a hole where all of it counts as written', async (t) => {
	const {looks, bytes} = await copied(t, [5, 7, 9], true);
	t.is(looks, 2);
	t.true(bytes < 11 * chunkBytes, `${bytes}`);
});
