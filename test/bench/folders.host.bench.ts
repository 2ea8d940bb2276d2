/**
 * What the server of a shared folder takes, without a guest's processor: files made, looked at and removed, and a file read and written, by drivers of
 * both protocols. On a device worker, whose driver on this thread spins, the worker looking for work or asleep before each request; on this thread, which says
 * what the requests cost without anybody waiting; and beside them the same by system calls of the host, which are called from here as the server calls them. All is in the host's page cache.
 * Needs no KVM, and two processors that are free.
 */
import {mkdirSync, mkdtempSync, readSync, rmSync, writeFileSync, writeSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {isMainThread, workerData} from 'node:worker_threads';
import type {DeclaredModel} from '#devices/device';
import {folderSource} from '#devices/folder/source';
import {completeModel} from '#devices/pci/function';
import {virtio9pMmioType} from '#devices/virtio/9p';
import {virtioFsMmioType} from '#devices/virtio/fs';
import {TestDriver, VirtioMachine} from '#devices/virtio/testing';
import {close, O, OAt, openAt, statOpen, unlinkAt} from '#support/ffi';
import {startMachine, type WorkerShare, work} from './device-worker.ts';
import {
	dataBytes,
	type FolderClient,
	type FolderDriver,
	fuseClient,
	type MakeClient,
	p9Client,
} from './folder-client.ts';
import {report} from './report.ts';

/** They compile, and are not counted. */
const firstRounds = 4;
const rounds = firstRounds + Number(process.env['OPENVMM_BENCH_ROUNDS'] ?? 5);
const [files, bigBytes] = [200, 32 * 2 ** 20];
const polling = 200_000;

const protocols = {
	'virtio-fs': {type: virtioFsMmioType, client: fuseClient},
	'9p': {type: virtio9pMmioType, client: p9Client},
} as const;
type Protocol = keyof typeof protocols;

const findModel = (kind: string) => {
	const found = Object.values(protocols).find(({type}) => type.kind === kind);
	return completeModel(found?.type as DeclaredModel);
};

interface Running {
	readonly client: Omit<FolderClient, 'requests'>;
	end(): Promise<void>;
}

const configOf = (folder: string): object => {
	const options = {
		owner: 'host',
		cache: 'auto',
		xattrs: false,
		locks: false,
		readOnly: false,
		submounts: false,
	} as const;
	return {tag: 'host', folder: folderSource({folder, ...options}), windowBytes: 0};
};

/** The device path: rings, doorbell, a worker's thread, calls of the host, and back. */
async function startDevice(protocol: Protocol, folder: string, pollNs: number): Promise<Running> {
	const {type, client} = protocols[protocol];
	const thread = new URL(import.meta.url);
	const options = {workers: 2, pollNs, thread};
	const machine = await startMachine(type.kind, configOf(folder), findModel, options);
	return {client: client(machine.driver(128), () => {}), end: machine.end};
}

/** The same on this thread, in turns of a reactor that never waits. */
async function startAlone(protocol: Protocol, folder: string): Promise<Running> {
	const {type, client} = protocols[protocol];
	const model = {...completeModel(type as DeclaredModel), workers: () => 1};
	const machine = await VirtioMachine.opened(model as never, 'mmio', configOf(folder));
	const driver: FolderDriver = new TestDriver(machine, 128);
	return {
		client: (client as MakeClient)(driver, () => machine.turn(0)),
		async end() {
			await machine.stop();
			await machine.dispose();
		},
	};
}

/** By system calls, as the server makes them for a file in the folder itself. */
function plainCalls(folder: string): Running {
	const at = openAt(-100, Buffer.from(`${folder}\0`), OAt.PATH | OAt.DIRECTORY, 0, 0);
	const path = (name: string) => Buffer.from(`${name}\0`);
	const status = new Uint8Array(256);
	const data = Buffer.alloc(dataBytes);
	let fd = -1;
	const done = (result: number) => {
		if (result < 0) throw new Error(`a call gave ${result}`);
		return result;
	};
	const look = (name: string) => {
		const found = done(openAt(at, path(name), OAt.PATH | OAt.NOFOLLOW, 0, 0));
		done(statOpen(found, status));
		close(found);
	};
	return {
		client: {
			make: (name) => void close(done(openAt(at, path(name), O.CREAT | O.EXCL | O.RDWR, 0o644, 0))),
			look,
			remove: (name) => void done(unlinkAt(at, path(name), 0)),
			open: (name) => {
				fd = done(openAt(at, path(name), O.RDWR, 0, 0));
			},
			read: (offset) => void readSync(fd, data, 0, dataBytes, offset),
			write: (offset) => void writeSync(fd, data, 0, dataBytes, offset),
		},
		async end() {
			close(fd);
			close(at);
		},
	};
}

/** Microseconds of each. */
function timed(count: number, each: (index: number) => void): number {
	const begin = process.hrtime.bigint();
	for (let index = 0; index < count; index++) each(index);
	return Number(process.hrtime.bigint() - begin) / 1000 / count;
}

const pieces = bigBytes / dataBytes;
const name = (index: number) => `file-${index}`;
/** What is measured. */
const works: Readonly<Record<string, (client: Running['client']) => number>> = {
	'a file made': (client) => timed(files, (index) => client.make(name(index))),
	'a file looked at': (client) => timed(files, (index) => client.look(name(index))),
	'a file removed': (client) => timed(files, (index) => client.remove(name(index))),
	'512 KiB read': (client) => timed(pieces, (index) => client.read(dataBytes * index)),
	'512 KiB written': (client) => timed(pieces, (index) => client.write(dataBytes * index)),
};

if (isMainThread) {
	const above = mkdtempSync(join(tmpdir(), 'openvmm-folders-bench-'));
	const subjects: [string, Running][] = [];
	const folderOf = (index: number) => {
		const path = join(above, `${index}`);
		mkdirSync(path);
		writeFileSync(join(path, 'big'), Buffer.alloc(bigBytes, 'data'));
		return path;
	};
	subjects.push(['system calls', plainCalls(folderOf(0))]);
	for (const protocol of Object.keys(protocols) as Protocol[]) {
		const next = () => folderOf(subjects.length);
		subjects.push([`${protocol}, on this thread`, await startAlone(protocol, next())]);
		subjects.push([`${protocol}, polling`, await startDevice(protocol, next(), polling)]);
		subjects.push([`${protocol}, from sleep`, await startDevice(protocol, next(), 0)]);
	}
	const samples = new Map<string, number[]>();
	for (const [, {client}] of subjects) client.open('big');
	for (let round = 0; round < rounds; round++)
		for (const [who, {client}] of subjects)
			for (const [what, measure] of Object.entries(works)) {
				const micros = measure(client);
				const key = `${what} ${who}`;
				if (round >= firstRounds) samples.set(key, [...(samples.get(key) ?? []), micros]);
			}
	for (const [, {end}] of subjects) await end();
	rmSync(above, {recursive: true});
	for (const what of Object.keys(works)) {
		const figures = subjects.map(([who]) => ({name: who, unit: 'µs', samples: samples.get(`${what} ${who}`) ?? []}));
		report(what, figures, 'system calls');
	}
} else {
	await work(workerData as WorkerShare, findModel);
}
