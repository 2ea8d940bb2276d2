import {once} from 'node:events';
import {mkdtempSync, rmSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {Worker} from 'node:worker_threads';
import test from 'ava';
import {DiskError} from '#devices/storage/disk';
import {diskOption} from '#devices/storage/source';
import type {DiskPolicy} from './policy.ts';
import type {FoundGarbage, GarbageSubject} from './testing/garbage-thread.ts';

/** Of disks in files, and where in it the requests are. */
const [farBytes, far] = [2 ** 34, 2 ** 33];
const folder = mkdtempSync(join(tmpdir(), 'openvmm-disk-garbage-'));
test.after.always(() => rmSync(folder, {recursive: true, force: true}));
const unlimited = 2 ** 40;
const limits = {bps: unlimited, iops: unlimited, iops_wr: unlimited, bps_rd: unlimited};

const subjects: Readonly<Record<string, readonly [disk: string, policy: DiskPolicy]>> = {
	'a file by io_uring': ['file:%raw;engine=io_uring', {}],
	'a qcow2 image by io_uring': ['file:%qcow2;engine=io_uring', {}],
	'a VHDX image by io_uring': ['file:%vhdx;engine=io_uring', {}],
	'a fixed VHD, with data far in its file': ['file:%vmgs;engine=io_uring', {}],
	'a file with limits': ['file:%raw;engine=io_uring', {limits}],
	'a file with a timeout': ['file:%raw;engine=io_uring', {timeout: 3600}],
	'a disk in RAM with limits': ['mem:1M', {limits}],
	'a disk in RAM with a timeout': ['mem:1M', {timeout: 3600}],
};

for (const [index, [name, [text, policy]]] of Object.entries(subjects).entries())
	test.serial(`a request leaves nothing in the heap, once it is compiled: ${name}`, async (t) => {
		t.timeout(900_000);
		const path = text.replace('%', join(folder, `${index}.`));
		const source = diskOption.parse(path.startsWith('mem') ? path : `${path};create=${farBytes}`, '--disk');
		const subject: GarbageSubject = {source, policy, start: source.kind === 'file' ? far : 0};
		const worker = new Worker(new URL('./testing/garbage-thread.ts', import.meta.url), {
			workerData: subject,
			trackUnmanagedFds: false,
		});
		const [{operations, error, underWay}] = (await once(worker, 'message')) as [FoundGarbage];
		for (const {operation, isNone, last} of operations) t.true(isNone, `${operation}, bytes a request: ${last.join()}`);
		t.is(error, DiskError.NONE);
		t.is(underWay, 0);
		await worker.terminate();
	});
