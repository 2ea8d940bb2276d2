/**
 * Saving a snapshot of memory that is used to the last byte, beside writing as many bytes to the same disk; and how long the guest stands
 * still for it, paused from the beginning and running until nearly all is copied.
 */
import {mkdtempSync, rmSync} from 'node:fs';
import {open} from 'node:fs/promises';
import {join} from 'node:path';
import {MappedMemory, type MappedRange, WriteLog} from '#devices/guest-memory';
import {vmConfig} from '#main/config';
import {allocateRam, type GuestRam} from '#main/memory';
import {saveSnapshot} from '#main/snapshot';
import {restingMachine} from '#main/snapshot/testing';
import {hostCpu, needsOf} from '#vcpu-worker/cpuid';
import {report} from './report.ts';

const MiB = 2 ** 20;
const sizes = [256 * MiB, 1024 * MiB, 4096 * MiB];
const rounds = 3;
const stepBytes = 4 * MiB;

const seconds = async (action: () => Promise<void>): Promise<number> => {
	const start = performance.now();
	await action();
	return (performance.now() - start) / 1000;
};

/** Bytes of which no page is zero. */
function fill({memory}: MappedRange): void {
	const words = new Uint32Array(memory.buffer);
	for (let index = 0; index < words.length; index += 16) words[index] = index + 1;
}

/** Shows what the disk alone takes: one thread, one file, one sync. */
async function writePlainly(path: string, {memory, length}: MappedRange): Promise<void> {
	await using file = await open(path, 'w');
	for (let at = 0; at < length; at += stepBytes)
		await file.write(new Uint8Array(memory.buffer, at, stepBytes), 0, stepBytes, at);
	await file.sync();
}

/** A guest that has written to so many pages, one after the other, at each look. */
const pagesWritten = 64;
function busyGuest(ram: GuestRam, {memory, gpa}: MappedRange): WriteLog {
	const words = new Uint32Array(memory.buffer);
	return new WriteLog(new MappedMemory(ram.memory), {
		start() {},
		stop() {},
		collect(visit) {
			for (let page = 0; page < pagesWritten; page++) {
				const at = page * 4096;
				words[at / 4] = (words[at / 4] as number) + 1;
				visit(gpa + at, 4096);
			}
		},
	});
}

for (const sizeBytes of sizes) {
	const folder = mkdtempSync(join(process.cwd(), '.build', 'bench-snapshot-'));
	const ram = allocateRam([{memory: vmConfig({memory: {sizeBytes}}).memory, ranges: [{gpa: 0, length: sizeBytes}]}]);
	try {
		const [range] = ram.ranges as [MappedRange];
		fill(range);
		const shape = {processors: 1, memoryBytes: sizeBytes, irqchip: 'kernel'};
		const machine = restingMachine({
			shape,
			hypervisor: {kind: 'kvm', units: [], needs: needsOf([])},
			boot: {kind: 'none'},
			cpu: hostCpu,
			units: {},
			ram,
		});
		const samples = {save: [] as number[], plain: [] as number[]};
		const still = {paused: [] as number[], running: [] as number[]};
		for (let round = 0; round < rounds; round++) {
			samples.plain.push(await seconds(() => writePlainly(join(folder, 'plain'), range)));
			rmSync(join(folder, 'plain'));
			samples.save.push(await seconds(() => saveSnapshot(join(folder, 'snapshot'), machine)));
			rmSync(join(folder, 'snapshot'), {recursive: true});
			for (const guest of ['paused', 'running'] as const) {
				const source = {
					...machine,
					isRunning: () => guest === 'running',
					writeLog: () => busyGuest(ram, range),
					atRest: async (work: Parameters<typeof machine.atRest>[0]) =>
						void still[guest].push(await seconds(() => machine.atRest(work))),
				};
				await saveSnapshot(join(folder, 'snapshot'), source);
				rmSync(join(folder, 'snapshot'), {recursive: true});
			}
		}
		report(
			`Standing still while ${sizeBytes / MiB} MiB are saved`,
			[
				{name: 'paused guest', unit: 's', samples: still.paused},
				{name: 'running guest', unit: 's', samples: still.running},
			],
			'paused guest',
		);
		report(
			`Saving ${sizeBytes / MiB} MiB`,
			[
				{name: 'write and sync', unit: 's', samples: samples.plain},
				{name: 'snapshot', unit: 's', samples: samples.save},
			],
			'write and sync',
		);
	} finally {
		await ram.dispose();
		rmSync(folder, {recursive: true});
	}
}
