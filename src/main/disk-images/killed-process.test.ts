import {spawn} from 'node:child_process';
import {once} from 'node:events';
import {mkdtempSync, rmSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {createInterface} from 'node:readline';
import {fileURLToPath} from 'node:url';
import test from 'ava';
import {readImage} from '#devices/storage/image';
import {hasQemuImg, qemuImg} from '#devices/storage/image/testing';
import {openDisk} from '#devices/storage/image-formats';
import {isVmmError} from '#support/errors';
import {checkDisk, createDisk} from './index.ts';
import {changesOf} from './testing/written-rounds.ts';

const sizeBytes = 16 * 2 ** 20;
const sectorBytes = 512;
const kills = 3;
const writer = fileURLToPath(new URL('./testing/writing-process.ts', import.meta.url));

/** Has a process write the disk from a round on, and kills it amid what comes behind the third. @returns the last round that it has flushed */
async function writeUntilKilled(path: string, round: number): Promise<number> {
	const child = spawn(process.execPath, ['--import=tsx', writer, `file:${path}`, `${round}`], {
		stdio: ['ignore', 'pipe', 'inherit'],
	});
	const gone = once(child, 'exit');
	let last = round - 1;
	for await (const line of createInterface(child.stdout)) {
		last = Number(line);
		if (last === round + 2) child.kill('SIGKILL');
	}
	const [status, signal] = await gone;
	if (signal !== 'SIGKILL') throw new Error(`it ended by itself: ${status}`);
	return last;
}

/** Reads all of a disk, once the kernel has ended what the process had under way, and with it let go of the lock. */
async function contentOf(path: string): Promise<Uint8Array> {
	for (;;)
		try {
			const disk = await openDisk(path, {writable: false});
			const bytes = new Uint8Array(disk.image.sizeBytes);
			await readImage(disk.image, 0, bytes);
			await disk.close();
			return bytes;
		} catch (error) {
			if (!isVmmError(error, 'DISK_IMAGE_IN_USE')) throw error;
			await new Promise((resolve) => setTimeout(resolve, 5));
		}
}

function apply(round: number, bytes: Uint8Array): void {
	for (const {offset, length, bytes: written} of changesOf(round, sizeBytes))
		if (written === undefined) bytes.fill(0, offset, offset + length);
		else bytes.set(written, offset);
}

for (const format of ['qcow2', 'vhdx', 'vhd'])
	test(`a process that is killed amid its writes leaves an image with all that it has flushed: ${format}`, async (t) => {
		t.timeout(900_000);
		const folder = mkdtempSync(join(tmpdir(), 'openvmm-killed-'));
		t.teardown(() => rmSync(folder, {recursive: true, force: true}));
		const path = join(folder, `disk.${format}`);
		await createDisk({path, ...(format === 'vhdx' && {blockBytes: 2 ** 20})}, sizeBytes);
		let expected: Uint8Array = new Uint8Array(sizeBytes);
		for (let kill = 0, round = 1; kill < kills; kill++) {
			const last = await writeUntilKilled(path, round);
			for (; round <= last; round++) apply(round, expected);
			const after = expected.slice();
			// The one that was under way, of which any part may be there.
			apply(round++, after);
			const found = await contentOf(path);
			for (let at = 0; at < sizeBytes; at += sectorBytes) {
				const [sector, ...may] = [found, expected, after].map((bytes) => bytes.subarray(at, at + sectorBytes));
				if (!may.some((bytes) => Buffer.compare(bytes, sector as Uint8Array) === 0))
					t.fail(`kill ${kill}: what is at ${at} is neither what was flushed nor what was written since`);
			}
			expected = found;
			const {faults} = await checkDisk({path}, undefined);
			t.deepEqual(faults, [], `kill ${kill}`);
			if (!hasQemuImg || format === 'vhd') continue;
			const {status, said} = qemuImg('check', '-f', format, path);
			t.true(
				status === 0 || (format === 'qcow2' && status === 3),
				`qemu-img check, where 3 are leaks: ${status} ${said}`,
			);
		}
		await checkDisk({path}, 'leaks');
		t.like(await checkDisk({path}, undefined), {leaks: 0, faultCount: 0});
	});
