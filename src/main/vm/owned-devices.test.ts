import {mkdtempSync, readFileSync, rmSync, writeFileSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import test, {type ExecutionContext} from 'ava';
import {type OpenSnapshot, openSnapshot} from '#main/snapshot';
import {toJson} from '#support/inspect';
import {
	Gate,
	type Guest,
	type GuestScript,
	load,
	readPort,
	relax,
	store,
	writePort,
} from '#vcpu-worker/hypervisor/testing';
import {fakeMachine} from './testing/index.ts';

const folder = mkdtempSync(join(tmpdir(), 'openvmm-owned-'));
test.after.always(() => rmSync(folder, {recursive: true}));

/** The guide's example, which imports the package where it is built. */
const module = join(folder, 'variables.ts');
const example = readFileSync('guide/examples/variables.ts', 'utf8');
writeFileSync(module, example.replace("'openvmm/devices'", `'${import.meta.resolve('#devices/device-type')}'`));

const [number, value] = [0x620, 0x624];
const exitPort = 0xf4;
const config = {devices: [{module}, {kind: 'debug-exit', options: {port: exitPort}}]};
const turn = 0x20_0000;

/** Two processors that set a variable each, one after the other, wait, and end with the sum of what they read. */
const work = (gate: Gate): GuestScript[] => [
	function* (): Guest {
		yield writePort(number, 4, 1);
		yield writePort(value, 4, 0x8000_0003);
		yield store(turn, 4, 1);
		while ((yield load(turn, 4)) !== 2) yield relax();
		yield gate.pass;
		yield writePort(number, 4, 1);
		const own = yield readPort(value, 4);
		yield writePort(number, 4, 2);
		yield writePort(exitPort, 1, own - 0x8000_0000 + (yield readPort(value, 4)));
	},
	function* (): Guest {
		while ((yield load(turn, 4)) !== 1) yield relax();
		yield writePort(number, 4, 2);
		yield writePort(value, 4, 4);
		yield store(turn, 4, 2);
	},
];
const exit = (status: number) => ({kind: 'exit', status: (status << 1) | 1});
const openGate = () => {
	const gate = new Gate();
	gate.open();
	return gate;
};

async function saved(t: ExecutionContext, name: string) {
	const gate = new Gate();
	const {vm} = await fakeMachine(t, work(gate), {config, start: true});
	await gate.reached;
	const directory = join(folder, name);
	await vm.saveSnapshot(directory);
	const snapshot = openSnapshot(directory);
	t.teardown(() => snapshot.close());
	return {vm, gate, snapshot};
}

test('both processors reach the example’s map; a snapshot has it, and so has every machine made from that', async (t) => {
	const {vm, gate, snapshot} = await saved(t, 'goes-on');
	t.deepEqual(toJson(await vm.inspect('vm/devices/variables/owned', {depth: 2})), {
		$sensitive: true,
		number: 2,
		values: {1: 0x8000_0003, 2: 4},
	});
	for (let clone = 0; clone < 2; clone++) {
		const restored = await fakeMachine(t, work(openGate()), {config, snapshot});
		await restored.vm.start();
		t.deepEqual(await restored.vm.ended, exit(7));
	}
	gate.open();
	t.deepEqual(await vm.ended, exit(7), 'so does the one that was saved');
});

test('a reset empties the map', async (t) => {
	const gate = new Gate();
	function* guest(): Guest {
		yield writePort(number, 4, 1);
		const before = yield readPort(value, 4);
		yield writePort(value, 4, before + 5);
		yield gate.pass;
		yield writePort(exitPort, 1, yield readPort(value, 4));
	}
	const {vm} = await fakeMachine(t, [guest], {config, start: true});
	await gate.reached;
	await vm.reset();
	gate.open();
	t.deepEqual(await vm.ended, exit(5));
});

type Owned = {version: number; bytes: string};

/** The snapshot with another state of the example. */
const withState = (snapshot: OpenSnapshot, change: (owned: Owned) => Owned): OpenSnapshot => ({
	...snapshot,
	readUnits: async (most) => {
		const units = structuredClone(await snapshot.readUnits(most)) as {devices: {devices: {variables: {owned: Owned}}}};
		const {variables} = units.devices.devices;
		variables.owned = change(variables.owned);
		return units;
	},
});

test('a state of a version to come, and bytes that the device has not written, refuse the machine by the device’s name', async (t) => {
	const {snapshot} = await saved(t, 'refused');
	const future = withState(snapshot, ({bytes}) => ({version: 2, bytes}));
	await t.throwsAsync(fakeMachine(t, work(new Gate()), {config, snapshot: future}), {
		code: 'STATE_VERSION_UNKNOWN',
		message: 'The saved state of variables has version 2; this program reads up to 1',
	});
	const cut = withState(snapshot, ({version, bytes}) => ({version, bytes: bytes.slice(0, 8)}));
	await t.throwsAsync(fakeMachine(t, work(new Gate()), {config, snapshot: cut}), {
		code: 'DEVICE_STATE_REFUSED',
		message: 'The device variables refuses its saved state: it ends amid a variable',
	});
	const long = withState(snapshot, ({version}) => ({version, bytes: 'A'.repeat(11_000)}));
	await t.throwsAsync(fakeMachine(t, work(new Gate()), {config, snapshot: long}), {code: 'STATE_FIELD_WRONG'});
});

test('a device that cannot be saved refuses the snapshot, and the guest goes on', async (t) => {
	const broken = join(folder, 'broken.ts');
	const source = readFileSync(module, 'utf8').replace("kind: 'variables'", "kind: 'broken'");
	writeFileSync(
		broken,
		source.replace(
			'return new Uint8Array(Uint32Array',
			"throw new Error('no power');\n\t\treturn new Uint8Array(Uint32Array",
		),
	);
	const gate = new Gate();
	const {vm} = await fakeMachine(t, work(gate), {
		config: {devices: [{module: broken}, config.devices[1] as never]},
		start: true,
	});
	await gate.reached;
	await t.throwsAsync(vm.saveSnapshot(join(folder, 'none')), {
		code: 'DEVICE_NOT_SAVED',
		message: 'The state of the device broken cannot be saved: no power',
	});
	gate.open();
	t.deepEqual(await vm.ended, exit(7));
});

for (const deviceFailure of ['machine', 'device'] as const) {
	test(`a read that throws fails the device while its guest runs, the policy being ${deviceFailure}`, async (t) => {
		const kind = `throws-${deviceFailure}`;
		const path = join(folder, `${kind}.ts`);
		const source = readFileSync(module, 'utf8').replace("kind: 'variables'", `kind: '${kind}'`);
		writeFileSync(
			path,
			source.replace(
				'return offset === Register.VALUE',
				"throw new Error('a bug');\n\t\treturn offset === Register.VALUE",
			),
		);
		const gate = new Gate();
		const seen: number[] = [];
		function* guest(): Guest {
			seen.push(yield readPort(value, 4));
			yield gate.pass;
			seen.push(yield readPort(value, 2));
			yield writePort(exitPort, 1, 6);
		}
		const message = `The device ${kind} failed (read): a bug`;
		const devices = [{module: path}, {kind: 'debug-exit', options: {port: exitPort}}];
		const {vm} = await fakeMachine(t, [guest], {config: {deviceFailure, devices}, start: true});
		await gate.reached;
		if (deviceFailure === 'machine') {
			t.like(await vm.ended, {kind: 'error', error: {code: 'DEVICE_FAILED', message}});
			return;
		}
		t.like(toJson(await vm.inspect(`vm/devices/${kind}`, {depth: 2})), {
			failed: message,
			owned: {$error: `The device ${kind} does not say what it is doing: it has failed`},
		});
		await t.throwsAsync(vm.saveSnapshot(join(folder, 'failed')), {code: 'DEVICE_NOT_SAVED', message: /it has failed$/});
		gate.open();
		t.deepEqual(await vm.ended, exit(6));
		t.deepEqual(seen, [0xffff_ffff, 0xffff]);
	});
}
