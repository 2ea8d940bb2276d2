import type {AnyDeviceType} from '#devices/device-type';
import {downstreamPortKind, type PciePortConfig, rootPortKind, upstreamPortKind} from './handle.ts';
import {downstreamPort, rootPort, upstreamPort} from './port-models.ts';

const example: PciePortConfig = {acs: 0x5f, prefixes: false};

/** Ports of root complexes, as machines have them. */
export const rootPortType = {
	...rootPort,
	kind: rootPortKind,
	summary: 'A port of a PCI Express root complex',
	options: {},
	machineOnly: {example: {...example, slot: 3, prefixes: true}},
} as const satisfies AnyDeviceType;

/** Ports of switches that lead to the machine. */
export const upstreamPortType = {
	...upstreamPort,
	kind: upstreamPortKind,
	summary: 'The port of a PCI Express switch that leads to the machine',
	options: {},
	machineOnly: {example: {...example, acs: 0}},
} as const satisfies AnyDeviceType;

/** Ports of switches that lead to devices. */
export const downstreamPortType = {
	...downstreamPort,
	kind: downstreamPortKind,
	summary: 'A port of a PCI Express switch that leads to a device',
	options: {},
	machineOnly: {example},
} as const satisfies AnyDeviceType;
