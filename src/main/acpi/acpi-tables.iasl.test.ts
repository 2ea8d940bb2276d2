import {execFileSync, spawnSync} from 'node:child_process';
import {mkdtempSync, readFileSync, rmSync, writeFileSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import test, {type ExecutionContext} from 'ava';
import {batteryAddress, batteryKind, defaultBattery} from '#devices/chipset/battery';
import {generationIdKind} from '#devices/chipset/generation-id';
import {guestWatchdogKind, guestWatchdogPort} from '#devices/chipset/guest-watchdog';
import {hpetAddress, hpetKind} from '#devices/chipset/hpet';
import {i8042Kind} from '#devices/chipset/i8042';
import {pvpanicKind} from '#devices/chipset/pvpanic';
import {createProcessorTopology} from '#main/topology';
import {buildAcpiTables} from './acpi-tables.ts';
import type {AcpiNuma} from './numa.ts';
import {pc} from './testing/pc.ts';

/** ACPICA's compiler and disassembler judge what we wrote; without them the golden bytes beside have to do. */
const iasl = spawnSync('iasl', ['-v']).error === undefined;
const check = iasl ? test : test.skip;
const needs = iasl ? '' : ' (skipped: iasl is missing, it comes with the package acpica-tools)';

/** Every device that the tables say something of. */
const kinds: readonly (readonly [kind: string, config: unknown])[] = [
	[generationIdKind, {address: 0xe_1000, id: ''}],
	[pvpanicKind, {port: 0x505}],
	['virtio-rng-mmio', {mmio: {base: 0xd000_0000, irq: 20}}],
	['virtio-blk-mmio', {mmio: {base: 0xd000_1000, irq: 21}}],
	['virtio-blk-mmio', {mmio: {base: 2 ** 40, irq: 5}}],
	[i8042Kind, {}],
	[hpetKind, {base: hpetAddress}],
	[guestWatchdogKind, {port: guestWatchdogPort}],
	[batteryKind, {base: batteryAddress, initial: defaultBattery}],
];

/** For the machine with PCIe: nodes with all, with parts and with nothing but a device. */
const fourNodes: AcpiNuma = {
	processors: [0, 0, 1, 1],
	memory: [[{gpa: 0, length: 2 ** 30}], [], [{gpa: 2 ** 32, length: 2 ** 34}], []],
	initiators: [{segment: 2, bus: 1, devfn: 0, node: 3}],
	distances: [10, 20, 30, 40].map((_, from) => [0, 1, 2, 3].map((to) => (from === to ? 10 : 20 + to))),
};

const machines = {
	'a small machine': {processors: 2, bridges: 0},
	'a machine with PCIe': {processors: 4, bridges: 12},
	'a machine of 1024 processors': {processors: 1024, bridges: 1},
} as const;

for (const [title, {processors, bridges}] of Object.entries(machines)) {
	check(`iasl disassembles and rebuilds every table of ${title} to the same bytes${needs}`, (t) => {
		const {pieces} = buildAcpiTables({
			topology: createProcessorTopology({processors, smt: 'off', x2apic: 'auto', apicIdOffset: 0}),
			devices: pc({comPorts: [1, 2, 3, 4], others: kinds}),
			hostBridges: Array.from({length: bridges}, (_, segment) => ({
				segment,
				startBus: 0,
				endBus: 255,
				ecam: {gpa: 2 ** 33 + segment * 2 ** 28, length: 2 ** 28},
				mmio: [{gpa: 0xf000_0000, length: 2 ** 20}],
				ports: {base: 0x1000, length: segment === 0 ? 0xf000 : 0},
				interrupts: [0, 1, 2, 3].map((pin) => ({device: 3, pin, input: 16 + ((3 + pin) % 4)})),
				preserveBars: segment === 1,
				...(bridges > 1 && {node: segment}),
			})),
			...(bridges > 1 && {numa: fourNodes}),
		});
		for (const {name, data} of pieces.filter((piece) => piece.name !== 'ACPI RSDP')) {
			const rebuilt = throughIasl(t, name, data);
			t.deepEqual(withoutCompiler(rebuilt), withoutCompiler(data), name);
		}
	});
}

/** Disassembles, and compiles the result without optimizing. Both must be free of complaints. */
function throughIasl(t: ExecutionContext, name: string, table: Uint8Array): Uint8Array {
	const folder = mkdtempSync(join(tmpdir(), 'acpi-'));
	t.teardown(() => rmSync(folder, {recursive: true}));
	const run = (...args: string[]) => execFileSync('iasl', args, {cwd: folder, encoding: 'utf8', stdio: 'pipe'});
	writeFileSync(join(folder, 'table.dat'), table);
	run('-d', 'table.dat');
	t.notRegex(readFileSync(join(folder, 'table.dsl'), 'utf8'), /error|invalid|incorrect|unknown/i, name);
	const summary = run('-oa', '-p', 'rebuilt', 'table.dsl');
	t.regex(summary, /0 Errors, 0 Warnings, 0 Remarks/, name);
	return readFileSync(join(folder, 'rebuilt.aml'));
}

/** The table without what names its compiler: checksum, creator id and creator revision. */
function withoutCompiler(table: Uint8Array): Uint8Array {
	const bytes = Uint8Array.from(table);
	bytes[9] = 0;
	return bytes.fill(0, 28, 36);
}
