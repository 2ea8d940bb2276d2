/**
 * Measures what a clone of a machine with a disk of 10 GiB takes, in time and in memory, beside one without a disk: on the software
 * processor, in a process that is warm, made and at rest. The disk is a `memdiff` over a file, in which nothing was written, or 64 MiB.
 */
import {closeSync, mkdtempSync, openSync, readFileSync, rmSync, truncateSync, writeFileSync, writeSync} from 'node:fs';
import {join} from 'node:path';
import {Overlay} from '#devices/storage/memdiff';
import {vmConfig} from '#main/config';
import {openSnapshot} from '#main/snapshot';
import {createVm, type Vm} from '#main/vm';
import {WorkerStock} from '#main/workers';
import {allocateSharedPages} from '#support/shared-memory';
import {nowMs, sleep} from './guest-process.ts';
import {report} from './report.ts';

const [MiB, GiB] = [2 ** 20, 2 ** 30];
const rounds = Number(process.env['OPENVMM_BENCH_ROUNDS'] ?? 5);
const clonesEach = 10;
const limit = GiB;
/** A thread that has been started and has nothing to do is warm after this long. */
const warmMs = 2000;
const folder = mkdtempSync(join(process.cwd(), '.build', 'bench-clones-'));
const [image, disk] = [join(folder, 'idle.bin'), join(folder, 'disk.img')];
/** CLI; HLT. */
writeFileSync(image, Uint8Array.of(0xfa, 0xf4));
writeFileSync(disk, '');
truncateSync(disk, 10 * GiB);

const configOf = (hasDisk: boolean) =>
	vmConfig({
		memory: {sizeBytes: 256 * MiB},
		boot: {kind: 'flat', image, address: 0x10_0000, mode: 'long'},
		devices: hasDisk
			? [
					{
						kind: 'virtio-blk-mmio',
						options: {base: 0xd000_0000, disk: {kind: 'memdiff', disk: {kind: 'file', path: disk}, limit}},
					},
				]
			: [],
		hypervisor: 'software',
	});

/** Makes a snapshot. @returns its folder */
async function save(name: string, hasDisk: boolean): Promise<string> {
	const directory = join(folder, name);
	const vm = await createVm(configOf(hasDisk), {start: true});
	await vm.saveSnapshot(directory);
	await vm.stop();
	return directory;
}

/** Has a snapshot's disk hold so many pieces of 1 MiB, as a guest would have written them. */
function write(directory: string, pieces: number): void {
	const memory = allocateSharedPages(Overlay.sharedBytes(limit));
	const overlay = new Overlay(memory, 0, limit);
	overlay.lock();
	for (let piece = 0; piece < pieces; piece++) {
		for (let done = 0; done < MiB; ) {
			const count = overlay.claim(piece * 160 * MiB + done, MiB - done);
			overlay.chunk.fill(0x5a, overlay.start, overlay.start + count);
			done += count;
		}
	}
	overlay.unlock();
	const {offset, length} = Overlay.savedPart(0, limit);
	const fd = openSync(join(directory, 'disks.bin'), 'r+');
	for (let at = 0; at < length; at += MiB) {
		const bytes = Buffer.from(memory, offset + at, Math.min(MiB, length - at));
		if (bytes.some((byte) => byte !== 0)) writeSync(fd, bytes, 0, bytes.length, at);
	}
	closeSync(fd);
}

/** This process's share of memory, in MiB (proc(5), smaps_rollup). */
const ownMiB = (): number => Number(/^Pss:\s+(\d+)/m.exec(readFileSync('/proc/self/smaps_rollup', 'utf8'))?.[1]) / 1024;

const stock = new WorkerStock();
/** Declarations leave it out. */
const internal: object = {stock};

async function clones(directory: string, hasDisk: boolean): Promise<{readonly ms: number[]; readonly mib: number}> {
	stock.warm(clonesEach);
	await sleep(warmMs);
	const snapshot = openSnapshot(directory);
	const machines: Vm[] = [];
	const ms: number[] = [];
	const before = ownMiB();
	for (let clone = 0; clone < clonesEach; clone++) {
		const start = nowMs();
		machines.push(await createVm(configOf(hasDisk), {...internal, snapshot}));
		ms.push(nowMs() - start);
	}
	const mib = (ownMiB() - before) / clonesEach;
	await Promise.all(machines.map((machine) => machine.stop()));
	snapshot.close();
	return {ms, mib};
}

const idle = await createVm(configOf(false), {start: true});
try {
	const kinds = [
		{name: 'no disk', directory: await save('none', false), hasDisk: false},
		{name: '10 GiB, nothing written', directory: await save('empty', true), hasDisk: true},
		{name: '10 GiB, 64 MiB written', directory: await save('written', true), hasDisk: true},
	];
	write(join(folder, 'written'), 64);
	const samples = kinds.map(() => ({ms: [] as number[], mib: [] as number[]}));
	for (let round = -1; round < rounds; round++)
		for (const [index, {directory, hasDisk}] of kinds.entries()) {
			const {ms, mib} = await clones(directory, hasDisk);
			if (round < 0) continue;
			samples[index]?.ms.push(...ms);
			samples[index]?.mib.push(mib);
		}
	for (const unit of ['ms', 'mib'] as const)
		report(
			`A clone's ${unit === 'ms' ? 'time' : 'memory'}, software processor`,
			kinds.map(({name}, index) => ({
				name,
				unit: unit === 'ms' ? 'ms' : 'MiB',
				samples: samples[index]?.[unit] ?? [],
			})),
			'no disk',
		);
} finally {
	await idle.stop();
	await stock.dispose();
	rmSync(folder, {recursive: true, force: true});
}
process.exit(0);
