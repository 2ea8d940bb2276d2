import test from 'ava';
import {parsePcieRootComplex, parsePcieRootPort, parsePcieSwitch, vmConfig} from '#main/config';
import {describePcie, hostBridges, placeMachine} from './index.ts';

function describe(ports: readonly string[], switches: readonly string[] = []) {
	const {pcie} = vmConfig({
		pcie: {
			rootComplexes: [parsePcieRootComplex('rc0')],
			rootPorts: ports.map((text) => parsePcieRootPort(`rc0:${text}`)),
			switches: switches.map((text) => parsePcieSwitch(text)),
		},
	});
	return describePcie(pcie, placeMachine({size: 2 ** 30}, pcie).complexes);
}

test('ports take the lowest free numbers, or those asked for', (t) => {
	const places = describe(['a,addr=1', 'b,addr=0.1', 'c', 'd']).map(({name, place}) => [name, place?.devfn]);
	t.deepEqual(places, [
		['rc0', undefined],
		['a', 8],
		['b', 1],
		['c', 0],
		['d', 2],
	]);
});

test('slots are numbered through the machine', (t) => {
	const devices = describe(['a,addr=1,hotplug', 'b', 'c,hotplug'], ['b:sw,num_downstream_ports=2,hotplug']);
	const facts = devices.map(({name, config}) => {
		return [name, (config as {slot?: number}).slot];
	});
	t.deepEqual(facts.slice(1), [
		['a', 1],
		['b', undefined],
		['c', 2],
		['sw', undefined],
		['sw-downstream-0', 3],
		['sw-downstream-1', 4],
	]);
});

const refused: [string, readonly string[], string][] = [
	['a number twice', ['a', 'b,addr=0'], 'PCIE_NUMBER_TAKEN'],
	['a device without function 0', ['a,addr=3.1'], 'PCIE_FUNCTION_0_MISSING'],
	['more ports than numbers', Array.from({length: 257}, (_, index) => `p${index}`), 'PCIE_NUMBERS_SHORT'],
];
for (const [what, ports, code] of refused) {
	test(`${what} is refused`, (t) => {
		t.throws(() => describe(ports), {code});
	});
}

test('the pins of every device on a root bus lead to inputs 16 to 19 in turn', (t) => {
	const [bridge] = hostBridges(describe(['a', 'b,addr=3']));
	t.deepEqual(
		bridge?.interrupts?.map(({device, pin, input}) => `${device}.${pin}:${input}`),
		['0.0:16', '0.1:17', '0.2:18', '0.3:19', '3.0:19', '3.1:16', '3.2:17', '3.3:18'],
	);
});
