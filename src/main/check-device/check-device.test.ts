import {mkdtempSync, readFileSync, rmSync, writeFileSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import test from 'ava';
import {checkDevice} from './index.ts';

const folder = mkdtempSync(join(tmpdir(), 'openvmm-check-device-'));
test.after.always(() => rmSync(folder, {recursive: true}));

const devices = new URL('../../devices/index.ts', import.meta.url).href;

/** Every rule that a module breaks, with its faults. */
async function brokenBy(name: string, text: string, options: Readonly<Record<string, string>> = {}) {
	const module = join(folder, name);
	writeFileSync(module, text.replace("'openvmm/devices'", `'${devices}'`));
	const broken: string[] = [];
	let rules = 0;
	for await (const {rule, faults} of checkDevice({module, options})) {
		rules++;
		broken.push(...faults.map((fault) => `${rule}: ${fault}`));
	}
	return {broken, rules};
}

for (const [name, options, count] of [
	['checksum.ts', {port: '0x600', log: join(folder, 'log')}, 7],
	['dma-engine.ts', {}, 6],
	['variables.ts', {}, 5],
] as const) {
	test(`the guide's ${name} keeps every rule`, async (t) => {
		const source = readFileSync(new URL(`../../../guide/examples/${name}`, import.meta.url), 'utf8');
		const {broken, rules} = await brokenBy(name, source, options);
		t.deepEqual(broken, []);
		t.is(rules, count);
	});
}

/** A module of four ports whose front is a counter, but for these parts. */
const shared = (kind: string, front: string, more = '') => `
	import {u32, wire} from 'openvmm/devices';
	let kept = 0;
	export default {
		kind: '${kind}',
		state: wire('${kind}', {value: u32}),
		attach: {regions: () => [{space: 'pio', name: 'port', base: 0x600, length: 4}]},
		front: (config, state, services) => ({
			read: (region, offset, size) => state.value % 2 ** (8 * size),
			write: (region, offset, size, value) => { state.value = value; },
			${front}
		}),
		${more}
	};`;
const back = (parts: string) =>
	`back: (config, state, services) => ({start() {}, stop: async () => {}, notified() {}, dispose() {}, ${parts}}),`;
const owned = (kind: string, parts: string) => `
	export default {
		kind: '${kind}',
		attach: {regions: () => [{space: 'pio', name: 'port', base: 0x600, length: 4}]},
		owned: {version: 1, mostBytes: 1, make: () => {
			let value = 0;
			return {
				read: () => value,
				write: (region, offset, size, written) => { value = written & 0x7f; },
				reset() { value = 0; },
				save: () => Uint8Array.of(value),
				restore(version, bytes) { value = bytes.length === 1 ? bytes[0] & 0x7f : 0; },
				${parts}
			};
		}},
	};`;
const bug = "throw new Error('a bug');";

const faulty: Readonly<Record<string, readonly [text: string, fault: RegExp]>> = {
	'a read that throws': [
		shared('throws', `read() { ${bug} },`),
		/^answers every access.*: a read of port\+0x\d \(\d bytes?\): The device throws failed \(read\): a bug$/,
	],
	'a value that is too wide': [
		shared('wide', 'read: () => 0x100,'),
		/^answers.*: a read of port\+0x\d \(1 byte\) gives 256, which does not fit$/,
	],
	'a line that stays high': [
		shared(
			'high',
			"write() { services.line('irq').setLevel(true); }, reset: () => services.line('irq').setLevel(true),",
			'lines: () => ({irq: 5}),',
		),
		/^is after a reset.*: a reset leaves lines high: irq$/,
	],
	'a reset that leaves something': [
		shared(
			'leaves',
			'reset() { state.value = kept; }, write: (region, offset, size, value) => { kept = state.value = value; },',
		),
		/^is after a reset.*: a reset leaves behind: value$/,
	],
	'state outside of the state': [
		shared(
			'outside',
			'...(() => { let own = 0; return {read: () => own % 256, write: (r, o, s, value) => { own = value; }}; })(),',
		),
		/^keeps all.*: a read of .* gives \d+ on two threads, and \d+ otherwise$/,
	],
	'a saved state that is too much for it': [
		shared('index', 'read: () => [1, 2][state.value > 0xffff ? 2 : 0].valueOf(), write() {},'),
		/^fails for no saved state.*: with the fields \{"value":\d+\}, a read of .*failed \(read\)/,
	],
	'words that throw': [shared('words', '', `words() { ${bug} },`), /^fails for no saved state.*: a bug$/],
	'a back that throws': [
		shared('back', 'write: () => services.notifyBack(),', back(`notified() { ${bug} }`)),
		/^starts.*failed \(notified\): a bug$/,
	],
	'a stop that fails': [shared('stop', '', back(`stop: async () => { ${bug} }`)), /^starts.*failed \(stop\): a bug$/],
	'an owned device that keeps something': [
		owned('keeps', 'reset() {},'),
		/^is after a reset.*: after a reset it saves other bytes than at power-on$/,
	],
	'an owned device that saves too much': [
		owned('much', 'save: () => new Uint8Array(2),'),
		/^is after a reset.*: The state of the device much cannot be saved: it has 2 bytes, and declares at most 1$/,
	],
	'an owned device that forgets': [
		owned('forgets', 'restore() {},'),
		/^goes on.*: restored, it saves other bytes than it was given$/,
	],
	'an owned device that believes bytes': [
		owned('believes', 'restore(version, bytes) { value = bytes[0]; }, read() { return value.valueOf(); },'),
		/^refuses bytes.*: restored from 0 bytes of anybody's, a read of .*failed \(read\)/,
	],
};
for (const [index, [what, [text, fault]]] of Object.entries(faulty).entries()) {
	test(`${what} is told in a line`, async (t) => {
		const {broken} = await brokenBy(`faulty-${index}.mjs`, text);
		t.true(
			broken.some((line) => fault.test(line)),
			broken.join('\n'),
		);
		t.false(broken.some((line) => line.includes('\n')));
	});
}

test('what no machine can have is refused as a machine refuses it', async (t) => {
	const at = (base: string) => shared('place', '').replace('0x600', base);
	await t.throwsAsync(brokenBy('taken.mjs', at('0x70')), {code: 'BUS_REGION_OVERLAP', message: /place\.port/});
	await t.throwsAsync(brokenBy('nowhere.mjs', at('NaN')), {code: 'DEVICE_MODULE_FAILED', message: /"attach"/});
	await t.throwsAsync(
		brokenBy(
			'front.mjs',
			shared('front', '').replace('front: (config', 'front: (config, state, services) => undefined, old: (config'),
		),
		{
			code: 'DEVICE_MODULE_FAILED',
			message: /"front": it gives undefined/,
		},
	);
});
