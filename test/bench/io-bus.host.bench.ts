/**
 * Measures what finding a device costs an exit as their number grows: ports, fixed addresses, and BARs behind root ports, 10
 * and 1000 of each. The accesses go round eight regions, so that none is found by being the last one. Each kind has a thread of
 * its own, as a processor has: code that was compiled for another kind would cost this one up to a sixth. Needs no KVM.
 */

import {once} from 'node:events';
import {isMainThread, Worker, workerData} from 'node:worker_threads';
import type {AnyDeviceModel, DeclaredModel, DeviceInstance} from '#devices/device';
import {completeModel} from '#devices/pci/function';
import {rootPortKind} from '#devices/pci/port';
import {bytesPerBus, type RootComplexConfig, rootComplexKind} from '#devices/pci/root-complex';
import {findDeviceModel} from '#devices/registry';
import {oneThreadMachine} from '#devices/testing';
import {type FieldsView, f64, wire} from '#support/wire';
import {report} from './report.ts';

const accesses = 1_000_000;
const rounds = 7;
const around = 8;

const State = wire('counting', {accesses: f64});

/** Counts accesses where it is attached. */
const counting = (kind: string, attach: DeclaredModel['attach']): AnyDeviceModel =>
	completeModel({
		kind,
		attach,
		state: State,
		front: (_config: number, state: FieldsView<typeof State.fields>) => ({
			read: () => {
				state.accesses++;
				return 0;
			},
			write() {},
		}),
	} as never);

const ports = counting('ports', {
	regions: (index: number) => [{space: 'pio', name: 'ports', base: 0x1000 + 16 * index, length: 16}],
});
const fixed = counting('fixed', {
	regions: (index: number) => [{space: 'mmio', name: 'memory', base: 0xd000_0000 + 0x1_0000 * index, length: 0x1000}],
});
const barsEach = 5;
const endpoint = counting('endpoint', {
	pci: {vendor: 1, device: 2, class: 0xff_0000, bars: [0, 1, 2, 3, 4].map((index) => ({index, size: 0x1000}))},
});
const models = [ports, fixed, endpoint];
const findModel = (kind: string) => models.find((model) => model.kind === kind) ?? findDeviceModel(kind);

function machineOf(devices: readonly DeviceInstance[]) {
	return oneThreadMachine(devices, {findModel}).bus;
}

const many = (kind: string, count: number): DeviceInstance[] =>
	Array.from({length: count}, (_, index) => ({name: `${kind}${index}`, kind, config: index}));

const low = {gpa: 0xc000_0000, length: 2 ** 28};
const complex: RootComplexConfig = {
	segment: 0,
	startBus: 0,
	endBus: 255,
	ecam: {gpa: 2 ** 33, length: 256 * bytesPerBus},
	lowMmio: low,
	highMmio: {gpa: 0, length: 0},
	ports: {base: 0, length: 0},
	preserveBars: false,
};

/** As many root ports as it takes, each with an endpoint. */
function behindPorts(bars: number): DeviceInstance[] {
	const port = {acs: 0, prefixes: false};
	const each = Array.from({length: bars / barsEach}, (_, index): DeviceInstance[] => [
		{name: `rp${index}`, kind: rootPortKind, config: port, place: {on: 'rc', devfn: index}},
		{name: `ep${index}`, kind: endpoint.kind, config: 0, place: {on: `rp${index}`, devfn: 0}},
	]);
	return [{name: 'rc', kind: rootComplexKind, config: complex}, ...each.flat()];
}

/** Addresses that are spread over `count` regions from `base` on, `stride` apart. */
const spread = (count: number, base: number, stride: number) =>
	Array.from({length: around}, (_, step) => base + Math.floor((step * count) / around) * stride);

/** Nanoseconds of one access, going round the addresses. */
function time(read: (address: number) => number, addresses: readonly number[]): number {
	const start = process.hrtime.bigint();
	for (let index = 0; index < accesses; index++) read(addresses[index % around] as number);
	return Number(process.hrtime.bigint() - start) / accesses;
}

/** Windows of ports are 1 MiB; the first BAR of an endpoint begins its port's. */
const kinds = {
	port: (count: number) => {
		const bus = machineOf(many(ports.kind, count));
		const addresses = spread(count, 0x1000, 16);
		return () => time((address) => bus.readPort(address, 4), addresses);
	},
	'fixed address': (count: number) => {
		const bus = machineOf(many(fixed.kind, count));
		const addresses = spread(count, 0xd000_0000, 0x1_0000);
		return () => time((address) => bus.readMmio(address, 4), addresses);
	},
	BAR: (count: number) => {
		const bus = machineOf(behindPorts(count));
		const addresses = spread(count / barsEach, low.gpa, 2 ** 20);
		return () => time((address) => bus.readMmio(address, 4), addresses);
	},
};

/** Prints what an access costs in a machine of one kind of regions. */
function measure(kind: keyof typeof kinds): void {
	const few = kinds[kind](10);
	const lots = kinds[kind](1000);
	const samples = {'10 regions': [] as number[], '1000 regions': [] as number[]};
	// The first round compiles.
	for (let round = -1; round < rounds; round++) {
		const values = [few(), lots()] as const;
		if (round < 0) continue;
		samples['10 regions'].push(values[0]);
		samples['1000 regions'].push(values[1]);
	}
	const figures = Object.entries(samples).map(([name, values]) => ({name, unit: 'ns', samples: values}));
	report(`An access to a ${kind}`, figures, '10 regions');
}

if (isMainThread) {
	for (const kind of Object.keys(kinds)) {
		await once(new Worker(new URL(import.meta.url), {workerData: kind}), 'exit');
	}
} else {
	measure(workerData);
}
