import {deviceType} from '#devices/device-type';
import {downstreamPortKind, type PciePortConfig, rootPortKind, upstreamPortKind} from './handle.ts';
import {downstreamPort, rootPort, upstreamPort} from './port-models.ts';

const example: PciePortConfig = {acs: 0x5f, prefixes: false};

/** Ports of root complexes, as machines have them. */
export const rootPortType = deviceType({
	...rootPort,
	kind: rootPortKind,
	summary: 'A port of a PCI Express root complex',
	machineOnly: {example: {...example, slot: 3, prefixes: true}},
});

/** Ports of switches that lead to the machine. */
export const upstreamPortType = deviceType({
	...upstreamPort,
	kind: upstreamPortKind,
	summary: 'The port of a PCI Express switch that leads to the machine',
	machineOnly: {example: {...example, acs: 0}},
});

/** Ports of switches that lead to devices. */
export const downstreamPortType = deviceType({
	...downstreamPort,
	kind: downstreamPortKind,
	summary: 'A port of a PCI Express switch that leads to a device',
	machineOnly: {example},
});
