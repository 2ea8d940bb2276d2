import {type KeyTable, type KeyValues, parseKeyValues, parseNumber, parseSize} from '#support/options';
import {configError} from './errors.ts';
import type {
	PcieGenericInitiatorConfig,
	PcieRootComplexConfig,
	PcieRootPortConfig,
	PcieSwitchConfig,
} from './pcie-config.ts';

const mib = 2 ** 20;
const widestAddress = 2 ** 52 - 1;
/** OpenVMM's: all services but egress control and enhanced ones. */
const defaultAcs = 0x5f;

/** A proximity domain is 32 bits wide (ACPI 6.5, 5.2.16). */
const highestNode = 0xffff_ffff;

const complexKeys: KeyTable = {
	segment: 'value',
	start_bus: 'value',
	end_bus: 'value',
	low_mmio: 'value',
	high_mmio: 'value',
	low_mmio_base: 'value',
	high_mmio_base: 'value',
	preserve_bars: 'flag',
	node: 'value',
};
const rootPortKeys: KeyTable = {addr: 'value', hotplug: 'flag', button: 'flag', acs: 'value', pasid: 'flag'};
const switchKeys: KeyTable = {
	num_downstream_ports: 'value',
	hotplug: 'flag',
	button: 'flag',
	acs: 'value',
	pasid: 'flag',
};

/**
 * Parses `--pcie-root-complex`: `NAME[,segment=0][,start_bus=0][,end_bus=255][,low_mmio=64M][,high_mmio=1G]
 * [,low_mmio_base=0x…][,high_mmio_base=0x…][,preserve_bars][,node=N]`.
 * @throws CONFIG_VALUE_INVALID, CONFIG_NUMBER_RANGE, CONFIG_KEY_UNKNOWN, CONFIG_KEY_REPEATED
 */
export function parsePcieRootComplex(text: string, option = '--pcie-root-complex'): PcieRootComplexConfig {
	const {head: name, keys} = split(text, option, complexKeys);
	if (name === '' || name.includes('=')) throw invalid(option, text, 'a name, then options: rc0,start_bus=0');
	const number = (key: string, fallback: number, max: number) => numberOf(keys, option, key, max) ?? fallback;
	const size = (key: string, fallback: number) => {
		const value = keys.value(key);
		return value === undefined ? fallback : parseSize(value, `${option} ${key}`);
	};
	const [lowMmioBase, highMmioBase] = ['low_mmio_base', 'high_mmio_base'].map((key) =>
		numberOf(keys, option, key, widestAddress),
	);
	const node = numberOf(keys, option, 'node', highestNode);
	return {
		name,
		segment: number('segment', 0, 0xffff),
		startBus: number('start_bus', 0, 0xff),
		endBus: number('end_bus', 0xff, 0xff),
		lowMmioBytes: size('low_mmio', 64 * mib),
		highMmioBytes: size('high_mmio', 1024 * mib),
		...(lowMmioBase !== undefined && {lowMmioBase}),
		...(highMmioBase !== undefined && {highMmioBase}),
		preserveBars: keys.flag('preserve_bars') ?? false,
		...(node !== undefined && {node}),
	};
}

/** Parses `--pcie-root-port`: `RC:NAME[,addr=DEVICE[.FUNCTION]][,hotplug][,button][,acs=MASK][,pasid]`. @throws as above */
export function parsePcieRootPort(text: string, option = '--pcie-root-port'): PcieRootPortConfig {
	const {head, keys} = split(text, option, rootPortKeys);
	const [rootComplex, name] = pair(head, option, text, 'RC:NAME, a root complex and a new name: rc0:rp0');
	const addr = keys.value('addr');
	return {
		rootComplex,
		name,
		...(addr !== undefined && {devfn: parseAddress(addr, option)}),
		...portOptions(keys, option),
	};
}

/** Parses `--pcie-switch`: `PORT:NAME[,num_downstream_ports=4][,hotplug][,button][,acs=MASK][,pasid]`. @throws as above */
export function parsePcieSwitch(text: string, option = '--pcie-switch'): PcieSwitchConfig {
	const {head, keys} = split(text, option, switchKeys);
	const [port, name] = pair(head, option, text, 'PORT:NAME, a port and a new name: rp0:sw0');
	const downstreamPorts = numberOf(keys, option, 'num_downstream_ports', 0xff) ?? 4;
	return {port, name, downstreamPorts, ...portOptions(keys, option)};
}

/** Parses `--pcie-generic-initiator`: `port=PORT,node=N`. @throws as above */
export function parsePcieGenericInitiator(
	text: string,
	option = '--pcie-generic-initiator',
): PcieGenericInitiatorConfig {
	const keys = parseKeyValues(text, option, {port: 'value', node: 'value'});
	const port = keys.value('port');
	const node = numberOf(keys, option, 'node', highestNode);
	if (port === undefined || node === undefined) throw invalid(option, text, 'a port and a node: port=rp0,node=1');
	return {port, node};
}

function portOptions(keys: KeyValues, option: string) {
	const hotplug = keys.flag('hotplug') ?? false;
	const button = keys.flag('button') ?? false;
	if (button && !hotplug) throw configError('CONFIG_REQUIRES', {option, first: 'button', needed: 'hotplug'});
	return {
		hotplug,
		...(button && {button}),
		acs: numberOf(keys, option, 'acs', 0xffff) ?? defaultAcs,
		pasid: keys.flag('pasid') ?? false,
	};
}

function split(text: string, option: string, table: KeyTable): {head: string; keys: KeyValues} {
	const comma = text.indexOf(',');
	if (comma < 0) return {head: text, keys: {value: () => undefined, flag: () => undefined}};
	return {head: text.slice(0, comma), keys: parseKeyValues(text.slice(comma + 1), option, table)};
}

function pair(head: string, option: string, text: string, expected: string): [string, string] {
	const [first, second, ...rest] = head.split(':');
	if (!first || !second || rest.length > 0) throw invalid(option, text, expected);
	return [first, second];
}

function parseAddress(text: string, option: string): number {
	const [device = '', fun = '0', ...rest] = text.split('.');
	if (rest.length > 0) throw invalid(option, `addr=${text}`, 'DEVICE or DEVICE.FUNCTION, such as addr=5.1');
	return parseNumber(device, `${option} device`, 0, 31) * 8 + parseNumber(fun, `${option} function`, 0, 7);
}

function numberOf(keys: KeyValues, option: string, key: string, max: number): number | undefined {
	const value = keys.value(key);
	return value === undefined ? undefined : parseNumber(value, `${option} ${key}`, 0, max);
}

const invalid = (option: string, value: string, expected: string) =>
	configError('CONFIG_VALUE_INVALID', {option, value, expected});
