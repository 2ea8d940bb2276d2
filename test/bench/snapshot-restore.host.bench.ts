/** Measures what restoring costs this program without KVM: snapshot, memory, devices; for machines of several sizes. */

import {mkdtempSync, rmSync} from 'node:fs';
import {join} from 'node:path';
import {serialPorts} from '#devices/chipset/serial-16550';
import {MappedMemory, type MemoryRange} from '#devices/guest-memory';
import {tellingInterrupts} from '#devices/interrupts/testing';
import {AttachedMachine, layOutMachine, type SavedDevices} from '#devices/machine';
import {deviceRegistry, findDeviceModel} from '#devices/registry';
import {vmConfig} from '#main/config';
import {describeDevices, randomGenerationId} from '#main/machine';
import {allocateRam} from '#main/memory';
import {openSnapshot, saveSnapshot, stateLimits} from '#main/snapshot';
import {restingMachine} from '#main/snapshot/testing';
import {mailboxBytes, WakerState} from '#support/mailbox';
import {hostCpu, needsOf} from '#vcpu-worker/cpuid';
import {report} from './report.ts';

const MiB = 2 ** 20;
const sizes = [256 * MiB, 1024 * MiB, 4096 * MiB];
const usedBytes = 128 * MiB;
const rounds = 30;

const interrupts = tellingInterrupts();
const configOf = (sizeBytes: number) =>
	vmConfig({memory: {sizeBytes}, irqchip: 'split', devices: serialPorts({com1: {kind: 'stderr'}})});
const layoutOf = (sizeBytes: number): MemoryRange[] =>
	[
		{gpa: 0, length: Math.min(sizeBytes, 3072 * MiB)},
		{gpa: 2 ** 32, length: Math.max(sizeBytes - 3072 * MiB, 0)},
	].filter(({length}) => length > 0);

function attach(sizeBytes: number, memory: MappedMemory): AttachedMachine {
	const birth = {timeMs: Date.now(), generationId: randomGenerationId()};
	const types = {...deviceRegistry, own: []};
	const {devices} = describeDevices(configOf(sizeBytes), layoutOf(sizeBytes), birth, types);
	const waker = {buffer: new SharedArrayBuffer(WakerState.byteLength), wakeFd: -1};
	const mailbox = {buffer: new SharedArrayBuffer(mailboxBytes(1)), callers: 1, waker};
	const layout = layOutMachine(devices, findDeviceModel, {modules: [], wakers: [waker], mailbox});
	const machine = new AttachedMachine(layout, {findModel: findDeviceModel, interrupts, memory});
	machine.reset();
	return machine;
}

async function save(directory: string, sizeBytes: number): Promise<void> {
	const ram = allocateRam([{memory: configOf(sizeBytes).memory, ranges: layoutOf(sizeBytes)}]);
	const memory = new MappedMemory(ram.memory);
	memory.fill(16 * MiB, usedBytes, 0x5a);
	const units = {devices: attach(sizeBytes, memory).save()};
	const topology = {smt: 'auto', x2apic: 'auto', apicIdOffset: 0};
	const shape = {processors: 1, memoryBytes: sizeBytes, topology, irqchip: 'split', devices: {}};
	const hypervisor = {kind: 'kvm', units: [], needs: needsOf([])};
	await saveSnapshot(directory, restingMachine({shape, hypervisor, boot: {kind: 'none'}, cpu: hostCpu, units, ram}));
	await ram.dispose();
}

async function restoreMs(directory: string, sizeBytes: number): Promise<number> {
	const start = performance.now();
	const snapshot = openSnapshot(directory);
	const contents = {fd: snapshot.memoryFd, what: directory};
	const ram = allocateRam([{memory: configOf(sizeBytes).memory, ranges: layoutOf(sizeBytes)}], contents);
	const memory = new MappedMemory(ram.memory);
	const machine = attach(sizeBytes, memory);
	const devices = machine.devices.map(({placed: instance, model}) => ({instance, model}));
	const units = await snapshot.readUnits(stateLimits(1, {bytes: 2 ** 16, values: 2 ** 10}, devices));
	machine.restore(units['devices'] as SavedDevices);
	memory.writeU32(16 * MiB, 1);
	const taken = performance.now() - start;
	await ram.dispose();
	snapshot.close();
	return taken;
}

const folder = mkdtempSync(join(process.cwd(), '.build', 'bench-snapshot-'));
try {
	const figures = [];
	for (const sizeBytes of sizes) {
		const directory = join(folder, `${sizeBytes / MiB}`);
		await save(directory, sizeBytes);
		for (let round = 0; round < 3; round++) await restoreMs(directory, sizeBytes);
		const samples: number[] = [];
		for (let round = 0; round < rounds; round++) samples.push(await restoreMs(directory, sizeBytes));
		figures.push({name: `${sizeBytes / MiB} MiB`, unit: 'ms', samples});
	}
	report('Restoring without KVM', figures, '256 MiB');
} finally {
	rmSync(folder, {recursive: true});
}
