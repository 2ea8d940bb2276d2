import test from 'ava';
import {
	checkConfig,
	type PcieConfig,
	parsePcieRootComplex,
	parsePcieRootPort,
	parsePcieSwitch,
	vmConfig,
} from './index.ts';

const mib = 2 ** 20;

test('a root complex has OpenVMM`s defaults', (t) => {
	t.deepEqual(parsePcieRootComplex('rc0'), {
		name: 'rc0',
		segment: 0,
		startBus: 0,
		endBus: 255,
		lowMmioBytes: 64 * mib,
		highMmioBytes: 1024 * mib,
		preserveBars: false,
	});
	t.like(
		parsePcieRootComplex(
			'rc1,node=2,segment=3,start_bus=16,end_bus=31,low_mmio=4M,high_mmio=2G,low_mmio_base=0xe0000000,high_mmio_base=0x4000000000,preserve_bars',
		),
		{
			segment: 3,
			startBus: 16,
			endBus: 31,
			lowMmioBytes: 4 * mib,
			highMmioBytes: 2048 * mib,
			lowMmioBase: 0xe000_0000,
			highMmioBase: 0x40_0000_0000,
			preserveBars: true,
			node: 2,
		},
	);
});

test('ports and switches are read', (t) => {
	t.deepEqual(parsePcieRootPort('rc0:rp0'), {rootComplex: 'rc0', name: 'rp0', hotplug: false, acs: 0x5f, pasid: false});
	t.like(parsePcieRootPort('rc0:rp0,hotplug,button'), {hotplug: true, button: true});
	t.throws(() => parsePcieRootPort('rc0:rp0,button'), {code: 'CONFIG_REQUIRES', message: /button needs hotplug/});
	t.like(parsePcieRootPort('rc0:rp0,addr=5.1,hotplug,acs=0x1f,pasid'), {
		devfn: 41,
		hotplug: true,
		acs: 0x1f,
		pasid: true,
	});
	t.like(parsePcieRootPort('rc0:rp0,addr=5'), {devfn: 40});
	t.deepEqual(parsePcieSwitch('rp0:sw0'), {
		port: 'rp0',
		name: 'sw0',
		downstreamPorts: 4,
		hotplug: false,
		acs: 0x5f,
		pasid: false,
	});
});

const refused: [string, () => unknown, string][] = [
	['a complex without a name', () => parsePcieRootComplex('segment=1'), 'CONFIG_VALUE_INVALID'],
	['a bus that is none', () => parsePcieRootComplex('a,end_bus=256'), 'CONFIG_NUMBER_RANGE'],
	['an unknown key', () => parsePcieRootComplex('a,hdm=1G'), 'CONFIG_KEY_UNKNOWN'],
	['a port without a complex', () => parsePcieRootPort('rp0'), 'CONFIG_VALUE_INVALID'],
	['three names', () => parsePcieRootPort('a:b:c'), 'CONFIG_VALUE_INVALID'],
	['a device number of 32', () => parsePcieRootPort('a:b,addr=32'), 'CONFIG_NUMBER_RANGE'],
	['an address of three parts', () => parsePcieRootPort('a:b,addr=1.2.3'), 'CONFIG_VALUE_INVALID'],
	['a switch without a port', () => parsePcieSwitch(':sw'), 'CONFIG_VALUE_INVALID'],
];
for (const [what, parse, code] of refused) {
	test(`${what} is refused`, (t) => {
		t.throws(parse, {code});
	});
}

const rootComplexes = [parsePcieRootComplex('rc0,end_bus=15')];
const rootPorts = [parsePcieRootPort('rc0:rp0')];
const problems = (pcie: Partial<PcieConfig>) =>
	checkConfig(vmConfig({pcie: {rootComplexes, rootPorts, ...pcie}})).map(({code}) => code);

test('switches may sit on switches that come before them', (t) => {
	const switches = [parsePcieSwitch('rp0:a'), parsePcieSwitch('a-downstream-3:b')];
	t.deepEqual(problems({switches}), []);
	t.deepEqual(problems({switches: switches.toReversed()}), ['PCIE_PARENT_UNKNOWN']);
});

test('names, parents, buses and counts are checked', (t) => {
	t.deepEqual(problems({rootPorts: [...rootPorts, ...rootPorts]}), ['PCIE_NAME_TAKEN']);
	t.deepEqual(problems({rootPorts: [parsePcieRootPort('rc9:rp0')]}), ['PCIE_PARENT_UNKNOWN']);
	t.deepEqual(problems({switches: [parsePcieSwitch('rp0:a,num_downstream_ports=0')]}), ['PCIE_PORT_COUNT']);
	t.deepEqual(problems({rootComplexes: [...rootComplexes, parsePcieRootComplex('b,start_bus=15')]}), [
		'PCIE_BUSES_OVERLAP',
	]);
	t.deepEqual(problems({rootComplexes: [...rootComplexes, parsePcieRootComplex('b,segment=1')]}), []);
	t.deepEqual(problems({rootComplexes: [parsePcieRootComplex('rc0,start_bus=9,end_bus=8')]}), ['PCIE_BUSES_EMPTY']);
});
