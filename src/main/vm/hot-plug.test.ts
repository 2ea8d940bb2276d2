import {mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import test from 'ava';
import {parsePcieRootComplex, parsePcieRootPort} from '#main/config';
import {type Guest, halt, load, store} from '#vcpu-worker/hypervisor/testing';
import {fakeMachine} from './testing/index.ts';

const folder = mkdtempSync(join(tmpdir(), 'openvmm-hot-plug-'));
test.after.always(() => rmSync(folder, {recursive: true}));

const pcie = {
	rootComplexes: [parsePcieRootComplex('rc0,end_bus=15')],
	rootPorts: [parsePcieRootPort('rc0:rp0,hotplug')],
	switches: [],
	ecamBelow4Gb: true,
};
/** Function 0 of the bus behind the port: below the chipset there are 16 MiB of configuration space for 16 buses. */
const slot = 0xf700_0000 + 0x10_0000;
const [absent, present] = [0xffff_ffff, 0xc0de_1414];

/** State of a device that is plugged in. The module and the test share it by its global name. */
interface Backs {
	isBroken: boolean;
	/** What gets what it needs of the host resolves it. */
	opened?: Promise<void>;
	/** What lets go of that does. */
	released?: Promise<void>;
	readonly log: string[];
}
const name = 'openvmm.test.backs';
const backs: Backs = {isBroken: true, log: []};
Reflect.set(globalThis, Symbol.for(name), backs);

const module = join(folder, 'plugged.mjs');
writeFileSync(
	module,
	`import {u8, wire} from '${import.meta.resolve('#support/wire')}';
	const backs = globalThis[Symbol.for('${name}')];
	export default {
		kind: 'plugged',
		state: wire('plugged', {value: u8}),
		attach: {pci: {vendor: ${present & 0xffff}, device: ${present >>> 16}, class: 0xff0000, bars: [{index: 0, size: 0x1000}]}},
		front: () => ({read: () => 0, write: () => {}}),
		back() {
			if (backs.isBroken) throw new Error('no back');
			const note = (what) => () => void backs.log.push(what);
			note('made')();
			const dispose = () => {
				note('dispose')();
				return backs.released;
			};
			return {open: () => backs.opened, start: note('start'), stop: async () => note('stop')(), notified() {}, dispose};
		},
	};`,
);

test.serial('a device whose back cannot be made leaves all as it was; one that can comes and goes', async (t) => {
	const seen: number[] = [];
	let looked = Promise.withResolvers<void>();
	function* guest(): Guest {
		for (;;) {
			yield halt();
			seen.push(yield load(slot, 4));
			looked.resolve();
		}
	}
	const {vm, hypervisor, workers} = await fakeMachine(t, [guest, guest], {config: {pcie, devices: []}, start: true});
	const look = async () => {
		looked = Promise.withResolvers();
		hypervisor.vcpus[0]?.deliver(0x30);
		await looked.promise;
		return seen.pop();
	};
	t.is(await look(), absent);
	const devices = await vm.inspect('vm/devices');
	await t.throwsAsync(vm.addPcieDevice('rp0', {module}), {message: /no back/});
	t.is(vm.state, 'running');
	t.is(await look(), absent);
	t.deepEqual(await vm.inspect('vm/devices'), devices);
	t.deepEqual(backs.log, []);

	backs.isBroken = false;
	// Both at once: the second finds the port taken, whatever the first is about to do.
	const adds = await Promise.allSettled([vm.addPcieDevice('rp0', {module}), vm.addPcieDevice('rp0', {module})]);
	t.deepEqual(
		adds.map((add) => (add.status === 'fulfilled' ? add.value : add.reason.code)),
		['plugged', 'HOT_PLUG_SLOT_FULL'],
	);
	t.is(await look(), present);
	await vm.pause();
	await vm.reset();
	await vm.start();
	t.is(await look(), present, 'a reset does not pull it out');
	await vm.removePcieDevice('rp0');
	t.is(await look(), absent);
	t.is(backs.log[0], 'made');
	t.deepEqual(backs.log.slice(-2), ['stop', 'dispose']);
	t.is(backs.log.filter((what) => what === 'made').length, 1);

	workers.devices[0]?.die(new Error('dead'));
	await t.throwsAsync(vm.addPcieDevice('rp0', {module}));
	t.like(await vm.ended, {kind: 'error'});
	await t.throwsAsync(vm.addPcieDevice('rp0', {module}), {code: 'VM_STOPPED'});
});

test.serial(
	'a guest is asked for a device by the button of its port; one that keeps it keeps it, until it is not asked',
	async (t) => {
		backs.isBroken = false;
		function* guest(): Guest {
			for (;;) yield halt();
		}
		const rootPorts = ['rc0:rp0,hotplug,button', 'rc0:rp1,hotplug'].map((text) => parsePcieRootPort(text));
		const config = {pcie: {...pcie, rootPorts}, devices: []};
		const {vm} = await fakeMachine(t, [guest], {config, limits: {letGoMs: 100}, start: true});
		for (const port of ['rp0', 'rp1'])
			await vm.addPcieDevice(port, {module, name: port === 'rp0' ? 'first' : 'second'});
		await t.throwsAsync(vm.removePcieDevice('rp1', {asks: true}), {code: 'HOT_PLUG_NO_BUTTON', message: /rp1/});
		await t.throwsAsync(vm.removePcieDevice('rp2', {asks: true}), {code: 'HOT_PLUG_NO_SLOT'});
		await t.throwsAsync(vm.removePcieDevice('rp0', {asks: true}), {code: 'HOT_PLUG_KEPT', message: /rp0 within 0.1 s/});
		t.truthy(await vm.inspect('vm/devices/first'));
		await t.throwsAsync(vm.removePcieDevice('rp0', {asks: true, signal: AbortSignal.abort()}), {
			code: 'OPERATION_ABORTED',
		});
		const removing = vm.removePcieDevice('rp0', {asks: true});
		await vm.pause();
		await t.throwsAsync(removing, {code: 'HOT_PLUG_KEPT'});
		await vm.removePcieDevice('rp0');
		await t.throwsAsync(vm.inspect('vm/devices/first'), {code: 'INSPECT_PATH_NOT_FOUND'});
		await vm.stop();
		await t.throwsAsync(vm.removePcieDevice('rp1', {asks: true}), {code: 'VM_STOPPED'});
	},
);

/** A guest that does nothing. */
function* idle(): Guest {
	for (;;) yield halt();
}

test.serial('a controller takes a disk more and lets go of it, and what cannot be leaves all as it was', async (t) => {
	const diskOf = (path: string) => ({disk: {kind: 'file', path} as const, readOnly: false});
	const [one, two] = [diskOf(join(folder, 'one.img')), diskOf(join(folder, 'two.img'))];
	for (const {disk} of [one, two]) writeFileSync(disk.path, new Uint8Array(4096));
	const fast = {kind: 'nvme', name: 'fast', port: 'rp0', options: {serial: 'fast', workers: 2}};
	const {vm} = await fakeMachine(t, [idle], {config: {pcie, devices: [fast]}, start: true});
	const disks = async () => {
		const found = await vm.inspect('vm/devices/fast/disks');
		return found.kind === 'object' ? found.children.map(([name]) => name) : [];
	};
	t.is(await vm.addDisk('fast', {...one, policy: {limits: {iops: 5}}}), 1);
	t.is(await vm.addDisk('fast', {...two, number: 9}), 9);
	t.deepEqual(await disks(), ['1', '9']);
	t.like(await vm.inspect('vm/devices/fast/disks/1/limits/iops'), {value: 5});
	const wrong: [string, object, string][] = [
		['fast', {...one, number: 1}, 'DISK_NUMBER_TAKEN'],
		['fast', one, 'DISK_FILE_LOCKED'],
		['fast', {...one, disk: {kind: 'file', path: join(folder, 'none.img')}}, 'DISK_FILE_UNUSABLE'],
		['fast', {...one, disk: {kind: 'memory', bytes: 512}}, 'DISK_NO_ROOM'],
		['fast', {disk: one.disk}, 'CONFIG_VALUE_INVALID'],
		['rp0', one, 'HOT_PLUG_NO_CHANGE'],
		['slow', one, 'VM_DEVICE_UNKNOWN'],
	];
	for (const [device, disk, code] of wrong) {
		await t.throwsAsync(vm.addDisk(device, disk as never), {code}, code);
		t.is(vm.state, 'running');
	}
	await t.throwsAsync(vm.removeDisk('fast', 2), {code: 'DISK_NUMBER_UNKNOWN', message: /but 1, 9/});
	t.deepEqual(await disks(), ['1', '9']);
	await vm.pause();
	await vm.removeDisk('fast', 1);
	t.is(vm.state, 'paused');
	t.is(await vm.addDisk('fast', one), 10, 'the file is free again');
	await vm.resume();
	t.deepEqual(await disks(), ['9', '10']);
	await vm.stop();
	for (const asked of [vm.addDisk('fast', two), vm.removeDisk('fast', 9)])
		await t.throwsAsync(asked, {code: 'VM_STOPPED'});
});

test.serial('a device has let go of what it had of the host when its removal is done, or had time to', async (t) => {
	backs.isBroken = false;
	const {vm, workers} = await fakeMachine(t, [idle], {config: {pcie, devices: []}, start: true});
	for (const isLate of [false, true]) {
		const released = Promise.withResolvers<void>();
		backs.released = released.promise;
		await vm.addPcieDevice('rp0', {module});
		backs.log.length = 0;
		let isDone = false;
		const removing = vm.removePcieDevice('rp0').then(() => {
			isDone = true;
		});
		while (!backs.log.includes('dispose')) await new Promise(setImmediate);
		for (let turn = 0; turn < 100; turn++) await new Promise(setImmediate);
		t.false(isDone);
		if (isLate) for (const reactor of workers.reactors) reactor.turn(6e9);
		else released.resolve();
		await removing;
		released.resolve();
	}
	delete backs.released;
	t.is(vm.state, 'running');
});

test.serial(
	'a button is pressed once for all who ask, and nobody takes what has come in the place of what he asked for',
	async (t) => {
		backs.isBroken = false;
		const [slotControl, slotStatus, attention] = [0xf700_0058, 0xf700_005a, 1];
		const power = {on: 0x01c0, blinks: 0x02c0, off: 0x07c0};
		let [written, status] = [power.on, 0];
		let looked = Promise.withResolvers<void>();
		function* guest(): Guest {
			for (;;) {
				yield halt();
				yield store(slotControl, 2, written);
				status = yield load(slotStatus, 2);
				yield store(slotStatus, 2, attention);
				looked.resolve();
			}
		}
		const config = {pcie: {...pcie, rootPorts: [parsePcieRootPort('rc0:rp0,hotplug,button')]}, devices: []};
		const {vm, hypervisor} = await fakeMachine(t, [guest], {config, start: true});
		/** True when the button has been pressed since the last time. */
		const write = async (control: number) => {
			// What has been asked for has its turn before.
			await vm.pause();
			await vm.start();
			looked = Promise.withResolvers();
			written = control;
			hypervisor.vcpus[0]?.deliver(0x30);
			await looked.promise;
			return (status & attention) !== 0;
		};
		await vm.addPcieDevice('rp0', {module, name: 'first'});
		t.false(await write(power.on));
		const one = vm.removePcieDevice('rp0', {asks: true});
		t.true(await write(power.blinks));
		const two = vm.removePcieDevice('rp0', {asks: true});
		t.false(await write(power.blinks), 'it would be taken back');
		await write(power.off);
		await one;
		t.is(await vm.addPcieDevice('rp0', {module, name: 'second'}), 'second');
		await two;
		t.truthy(await vm.inspect('vm/devices/second'));
		t.true(await write(power.blinks), 'it is to be turned on');
		await vm.removePcieDevice('rp0');
		await vm.addPcieDevice('rp0', {module, name: 'third'});
		t.false(await write(power.on), 'it is about to be');

		const asked = new AbortController();
		const given = vm.removePcieDevice('rp0', {asks: true, signal: asked.signal});
		t.true(await write(power.on));
		asked.abort();
		await t.throwsAsync(given, {code: 'OPERATION_ABORTED'});
		t.truthy(await vm.inspect('vm/devices/third'));
	},
);

test.serial('a device that does not get what it needs of the host does not come, and is not waited for', async (t) => {
	const opened = Promise.withResolvers<void>();
	Object.assign(backs, {isBroken: false, opened: opened.promise});
	const {vm, workers} = await fakeMachine(t, [idle], {config: {pcie, devices: []}, start: true});
	backs.log.length = 0;
	const adding = vm.addPcieDevice('rp0', {module});
	const going = vm.removePcieDevice('rp0');
	while (!backs.log.includes('made')) await new Promise(setImmediate);
	for (const reactor of workers.reactors) reactor.turn(26e9);
	await t.throwsAsync(adding, {code: 'DEVICE_OPEN_TIMEOUT', message: /plugged/});
	await t.throwsAsync(going, {code: 'HOT_PLUG_SLOT_EMPTY'});
	t.deepEqual(backs.log, ['made', 'dispose']);
	opened.resolve();
	delete backs.opened;
	await vm.addPcieDevice('rp0', {module});
	t.truthy(await vm.inspect('vm/devices/plugged'));

	await vm.removePcieDevice('rp0');
	backs.opened = new Promise(() => {});
	backs.log.length = 0;
	const last = vm.addPcieDevice('rp0', {module});
	while (!backs.log.includes('made')) await new Promise(setImmediate);
	const ending = vm.stop();
	await t.throwsAsync(last, {code: 'OPERATION_ABORTED'});
	await ending;
	t.deepEqual(await vm.ended, {kind: 'stopped'});
	t.is(backs.log.at(-1), 'dispose');
	delete backs.opened;
});

/** What a process has that somebody may leave behind. */
function held(): object {
	const count = (path: string) => readdirSync(path).length;
	const maps = readFileSync('/proc/self/maps', 'latin1');
	return {files: count('/proc/self/fd'), threads: count('/proc/self/task'), mapped: maps.includes(folder)};
}

test.serial(
	'disks and memory come and go, and what cannot be opened does not come, a hundred times, and leave nothing',
	async (t) => {
		const rootPorts = ['rc0:rp0,hotplug', 'rc0:rp1,hotplug'].map((text) => parsePcieRootPort(text));
		const {vm} = await fakeMachine(t, [idle], {config: {pcie: {...pcie, rootPorts}, devices: []}, start: true});
		const path = join(folder, 'content');
		writeFileSync(path, new Uint8Array(2 ** 21));
		const file = {kind: 'file', path};
		const round = async () => {
			await vm.addPcieDevice('rp0', {kind: 'virtio-pmem', options: {memory: file}});
			const again = vm.addPcieDevice('rp1', {kind: 'virtio-blk', options: {disk: file}});
			await t.throwsAsync(again, {code: 'DISK_FILE_LOCKED'});
			await vm.removePcieDevice('rp0');
			await vm.addPcieDevice('rp1', {kind: 'virtio-blk', options: {disk: file}});
			await t.throwsAsync(vm.addPcieDevice('rp0', {kind: 'virtio-pmem', options: {memory: file}}), {
				code: 'DISK_FILE_LOCKED',
			});
			await vm.removePcieDevice('rp1');
		};
		for (let rounds = 0; rounds < 5; rounds++) await round();
		const before = held();
		for (let rounds = 0; rounds < 100; rounds++) await round();
		t.deepEqual(held(), before);
		t.like(before, {mapped: false});
	},
);
