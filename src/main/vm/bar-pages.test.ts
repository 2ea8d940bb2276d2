import {mkdtempSync, rmSync, truncateSync, writeFileSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import test from 'ava';
import {openSnapshot} from '#main/snapshot';
import {Gate, type Guest, halt, load, readPort, store, writePort} from '#vcpu-worker/hypervisor/testing';
import {fakeMachine} from './testing/index.ts';

const folder = mkdtempSync(join(tmpdir(), 'openvmm-bar-pages-'));
test.after.always(() => rmSync(folder, {recursive: true}));

const mib = 2 ** 20;
const module = join(folder, 'framebuffer.mjs');
writeFileSync(
	module,
	`import {u8, wire} from '${import.meta.resolve('#support/wire')}';
	const bars = ['saved', 'unsaved'].map((pages, index) => ({index: 2 * index, size: 65536, kind: 'prefetchable', pages}));
	export default {
		kind: 'framebuffer',
		state: wire('framebuffer', {unused: u8}),
		attach: {pci: {vendor: 0x1414, device: 0xfb, class: 0x038000, bars}},
		front: () => ({read: () => { throw new Error('it is told of an access'); }, write() {}}),
	};`,
);
const config = {
	pcie: {
		rootComplexes: [
			{
				name: 'rc0',
				segment: 0,
				startBus: 0,
				endBus: 15,
				preserveBars: false,
				lowMmioBytes: 64 * mib,
				highMmioBytes: 64 * mib,
			},
		],
		rootPorts: [{rootComplex: 'rc0', name: 'rp0', hotplug: true, acs: 0, pasid: false}],
		switches: [],
		ecamBelow4Gb: false,
	},
	devices: [
		{module, port: 'rp0'},
		{kind: 'debug-exit', options: {port: 0xf4}},
	],
};

const configure = (offset: number) => writePort(0xcf8, 4, 0x8001_0000 + offset);

/** Reads the address of a BAR above 4 GiB. */
function* place(bar: number): Generator<ReturnType<typeof configure>, number, number> {
	yield configure(bar);
	const low = (yield readPort(0xcfc, 4)) & ~0xf;
	yield configure(bar + 4);
	return (yield readPort(0xcfc, 4)) * 2 ** 32 + (low >>> 0);
}

/** Moves the first BAR, writes through it without an exit, and ends with what is there after `gate`. */
const work = (gate: Gate) =>
	function* (): Guest {
		const [kept, volatile] = [yield* place(0x10), yield* place(0x18)];
		yield configure(0x10);
		yield writePort(0xcfc, 4, (kept + 0x8_0000) % 2 ** 32);
		yield store(kept + 0x8_0000, 4, 0x30);
		yield store(volatile, 4, 4);
		yield gate.pass;
		const [first, second] = [yield load(kept + 0x8_0000, 4), yield load(volatile, 4)];
		yield writePort(0xf4, 1, first + second);
	};

test('a guest has the memory of a BAR without exits, moves it, and finds in a restored machine what was to be saved', async (t) => {
	const gate = new Gate();
	const {vm, hypervisor} = await fakeMachine(t, [work(gate)], {config, start: true});
	await gate.reached;
	const [kept, volatile] = [0, 1].map((entry) => hypervisor.pages.get(entry));
	t.deepEqual(
		[kept, volatile].map((range) => range && new DataView(range.memory.buffer, range.offset).getUint32(0, true)),
		[0x30, 4],
	);
	const directory = join(folder, 'saved');
	await vm.saveSnapshot(directory);
	const snapshot = openSnapshot(directory);
	t.teardown(() => snapshot.close());
	const open = new Gate();
	open.open();
	const restored = await fakeMachine(t, [work(open)], {config, snapshot});
	t.is(restored.hypervisor.pages.get(0)?.gpa, kept?.gpa);
	await restored.vm.start();
	t.deepEqual(await restored.vm.ended, {kind: 'exit', status: 0x61}, 'and zeros elsewhere');
	await vm.removePcieDevice('rp0');
	t.is(hypervisor.pages.size, 0);
	await vm.addPcieDevice('rp0', {module});
	t.is(hypervisor.pages.size, 0, 'the guest has given it no address');
	await vm.reset();
	t.is(hypervisor.pages.size, 2);
	gate.open();
	await vm.start();
	t.deepEqual(await vm.ended, {kind: 'exit', status: 0x69});
});

test("memory of a device that has gone is the host's again at once", async (t) => {
	function* idle(): Guest {
		for (;;) yield halt();
	}
	const {vm, hypervisor} = await fakeMachine(t, [idle], {config: {...config, devices: []}, start: true});
	await vm.addPcieDevice('rp0', {kind: 'virtio-pmem', options: {memory: {kind: 'memory', bytes: 2 * mib}}});
	await vm.reset();
	const [range] = hypervisor.pages.values();
	const bytes = new Uint8Array(range?.memory.buffer ?? new ArrayBuffer());
	bytes[mib] = 7;
	await vm.removePcieDevice('rp0');
	t.is(hypervisor.pages.size, 0);
	t.is(bytes[mib], 0);
});

for (const deviceFailure of ['machine', 'device'] as const)
	test(`memory that came with a file which is cut then ends its ${deviceFailure}, and not the process`, async (t) => {
		const path = join(folder, deviceFailure);
		writeFileSync(path, new Uint8Array(2 * mib).fill(7));
		let [at, found] = [0, 0];
		let looked = Promise.withResolvers<void>();
		function* guest(): Guest {
			for (;;) {
				yield halt();
				found = yield load(at, 4);
				looked.resolve();
			}
		}
		const all = {...config, devices: [], deviceFailure};
		const {vm, hypervisor} = await fakeMachine(t, [guest], {config: all, start: true});
		const look = async () => {
			looked = Promise.withResolvers();
			hypervisor.vcpus[0]?.deliver(0x30);
			await looked.promise;
			return found >>> 0;
		};
		const add = async () => {
			await vm.addPcieDevice('rp0', {kind: 'virtio-pmem', options: {memory: {kind: 'file', path}}});
			await vm.reset();
			at = ([...hypervisor.pages.values()][0]?.gpa ?? 0) + mib;
		};
		await add();
		t.is(await look(), 0x0707_0707);
		truncateSync(path, 4096);
		t.is(await look(), 0);
		if (deviceFailure === 'machine') {
			t.like(await vm.ended, {kind: 'error', error: {code: 'DEVICE_FAILED'}});
			return;
		}
		while (hypervisor.pages.size > 0) await new Promise(setImmediate);
		t.is(await look(), 0xffff_ffff);
		await vm.removePcieDevice('rp0');
		truncateSync(path, 2 * mib);
		await add();
		t.is(await look(), 0);
	});
