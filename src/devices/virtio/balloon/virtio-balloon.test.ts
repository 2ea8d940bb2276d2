import test, {type ExecutionContext} from 'ava';
import {seeded, TestDriver, VirtioMachine} from '#devices/virtio/testing';
import {virtioBalloonMmioType, virtioBalloonPciType} from './device-types.ts';
import type {VirtioBalloonConfig} from './handle.ts';
import {StatisticEntry} from './layout.ts';
import {balloonTarget} from './virtio-balloon.ts';

const [inflate, deflate, stats, reports] = [0, 1, 2, 3];
const page = 4096;
const listAt = 0x4_0000;
const models = {pci: virtioBalloonPciType, mmio: virtioBalloonMmioType};
const usual: VirtioBalloonConfig = {target: 0, statistics: 5, deflateOnOom: true, reporting: true};
/** Statistics, deflating when there is no memory, poison, reports. */
const features = [1, 2, 4, 5];

function startedFor(
	t: ExecutionContext,
	{
		transport = 'pci' as 'pci' | 'mmio',
		agreed = features,
		config = {},
	}: {
		transport?: 'pci' | 'mmio';
		agreed?: readonly number[];
		config?: Partial<VirtioBalloonConfig>;
	} = {},
) {
	const machine = new VirtioMachine(models[transport], transport, {...usual, ...config});
	const driver = new TestDriver(machine, 16);
	t.teardown(async () => {
		await machine.stop();
		await machine.dispose();
	});
	const offered = driver.offered.filter((bit) => bit < 24);
	driver.begin(agreed, 4);
	const state = (name: string) => (machine.machine.stateOf('it') as Record<string, number>)[name];
	/** Has the device take a list of pages. */
	const give = async (queue: number, pages: readonly number[], length = 4 * pages.length) => {
		machine.memory.copyIn(listAt, new Uint8Array(Uint32Array.from(pages).buffer));
		driver.offer([{at: listAt, length}], {queue});
		await driver.notify(queue);
		return driver.used(queue);
	};
	return {machine, driver, offered, state, give};
}

/** First bytes of pages. */
const marks = (machine: VirtioMachine, pages: readonly number[]) =>
	pages.map((number) => machine.memory.readU8(number * page) as unknown as number);

for (const transport of ['pci', 'mmio'] as const)
	test(`${transport}: pages of the balloon go back to the host, whatever their order, and no others`, async (t) => {
		const {machine, offered, state, give} = startedFor(t, {transport});
		t.deepEqual(offered, features);
		machine.memory.fill(0x8_0000, 16 * page, 0x77);
		t.deepEqual(await give(inflate, [0x83, 0x81, 0x82, 0x88, 0x82]), [[0, 0]]);
		t.deepEqual(marks(machine, [0x80, 0x81, 0x82, 0x83, 0x84, 0x87, 0x88, 0x89]), [0x77, 0, 0, 0, 0x77, 0x77, 0, 0x77]);
		t.is(state('inflatedBytes'), 4 * page);
		t.deepEqual(await give(deflate, [0x83, 0x81]), [[0, 0]]);
		t.is(state('deflatedBytes'), 2 * page);
		machine.memory.writeU8(0x8_1000, 1);
		t.deepEqual(marks(machine, [0x81]), [1], 'it is memory again');
		t.deepEqual(machine.failures, []);
	});

test('a target is set live, and the driver says how much it has given', async (t) => {
	const {machine, driver} = startedFor(t, {config: {target: 8 * page}});
	t.is(machine.registers.readConfig(0, 4), 8);
	machine.machine.control('it', balloonTarget(100 * page + 5));
	await machine.run();
	t.is(machine.registers.readConfig(0, 4), 100);
	t.is(machine.registers.takeInterrupts() & 2, 2);
	machine.registers.writeConfig(4, 4, 60);
	t.is(machine.registers.readConfig(4, 4), 60);
	for (const bytes of [-1, Number.NaN, 2 ** 50]) machine.machine.control('it', balloonTarget(bytes));
	machine.machine.control('it', {kind: 'balloon-target'});
	await machine.run();
	t.is(machine.registers.readConfig(0, 4), 100);
	machine.registers.write('device_status', 0);
	await machine.run();
	t.deepEqual([machine.registers.readConfig(0, 4), machine.registers.readConfig(4, 4)], [100, 0]);
	machine.machine.control('it', balloonTarget(0));
	driver.begin(features, 4);
	await machine.run();
	t.is(machine.registers.readConfig(0, 4), 0);
});

test('part of a page is asked for by nobody, and a target that has not changed is not told again', async (t) => {
	const {machine} = startedFor(t, {config: {target: 8 * page + 100}});
	await machine.stop();
	machine.start();
	await machine.run();
	t.is(machine.registers.readConfig(0, 4), 8);
	t.is(machine.registers.takeInterrupts() & 2, 0);
});

test('statistics are taken, and asked for again when their time has come', async (t) => {
	const {machine, driver, state} = startedFor(t);
	const say = async (values: readonly (readonly [tag: number, value: number])[]) => {
		const bytes = Buffer.concat(values.map(([tag, value]) => StatisticEntry.encode({tag, value})));
		machine.memory.copyIn(listAt, bytes);
		driver.offer([{at: listAt, length: bytes.length}], {queue: stats});
		await driver.notify(stats);
	};
	await say([
		[4, 12_345],
		[5, 2 ** 40],
		[99, 1],
	]);
	const values = () => Array.from(state('statistics') as unknown as number[]);
	t.deepEqual(values().slice(4, 6), [12_345, 2 ** 40]);
	t.deepEqual(driver.used(stats), [], 'the buffer is kept');
	await machine.stop();
	machine.start();
	await machine.run();
	t.deepEqual(driver.used(stats), []);
	for (let second = 0; second < 6; second++) machine.reactor.turn(1e9);
	await machine.run();
	t.deepEqual(driver.used(stats), [[0, 0]]);
	await say([[4, 7]]);
	t.is(values()[4], 7);
	t.true((state('statisticsCount') as number) >= 2);
	t.deepEqual(machine.failures, []);
});

test('memory that the guest reports goes back as zeros, whole pages of it, unless it is to hold something else', async (t) => {
	const {machine, driver, state} = startedFor(t);
	const report = async (at: number, length: number) => {
		machine.memory.fill(0x8_0000, 16 * page, 0x77);
		driver.offer([{at, length, writable: true}], {queue: reports});
		await driver.notify(reports);
		return driver.used(reports);
	};
	t.deepEqual(await report(0x8_1000, 2 * page), [[0, 0]]);
	t.deepEqual(marks(machine, [0x80, 0x81, 0x82, 0x83]), [0x77, 0, 0, 0x77]);
	t.is(state('reportedBytes'), 2 * page);
	await report(0x8_1001, 2 * page);
	t.deepEqual(marks(machine, [0x81, 0x82, 0x83]), [0x77, 0, 0x77]);
	machine.registers.writeConfig(12, 4, 0xaaaa_aaaa);
	await report(0x8_1000, 2 * page);
	t.deepEqual(marks(machine, [0x81, 0x82]), [0x77, 0x77]);
	t.is(state('reportedBytes'), 3 * page);
});

test('a driver without statistics has its reports in the queue before', async (t) => {
	const {machine, driver, state} = startedFor(t, {agreed: [5]});
	machine.memory.fill(0x8_0000, page, 0x77);
	driver.offer([{at: 0x8_0000, length: page, writable: true}], {queue: 2});
	await driver.notify(2);
	t.is(state('reportedBytes'), page);
	t.deepEqual(
		startedFor(t, {config: {statistics: 0, deflateOnOom: false, reporting: false}, agreed: [4]}).offered,
		[4],
	);
});

test('pages that are none, lists of any length and buffers anywhere end nothing but the driver’s own', async (t) => {
	const {machine, driver, state, give} = startedFor(t);
	await give(inflate, [0, 0xff, 0x100, 0xffff_ffff, 0xf_ffff]);
	// Of pages that adjoin, all are RAM or none goes.
	t.is(state('keptBytes'), 4 * page);
	t.is(state('inflatedBytes'), page);
	for (const length of [0, 1, 3, 5]) t.is((await give(inflate, [0x85, 0x86], length)).length, 1);
	const below = seeded(3);
	const any = <T>(values: readonly T[]) => values[below(values.length)] as T;
	const words = [0, 1, 4, 10, 4095, 4096, 0x1_0000, 0x10_0000, 2 ** 31, 2 ** 32 - 1];
	for (let step = 0; step < 600; step++) {
		const queue = below(4);
		machine.memory.writeU32(listAt + 4 * below(64), any(words));
		driver.offer([{at: any([listAt, 0x8_0000, 0xf_f000, 2 ** 40]), length: any(words), writable: below(2) === 0}], {
			queue,
			head: below(16),
		});
		if (below(4) === 0) machine.registers.writeConfig(below(16), any([1, 2, 4]), any(words));
		if (below(20) === 0) {
			await machine.stop();
			machine.start();
		}
		await driver.notify(queue);
		for (const each of [0, 1, 2, 3]) driver.used(each);
		if (below(8) > 0 && (driver.status & 0x40) === 0) continue;
		machine.registers.write('device_status', 0);
		await machine.run();
		driver.begin(features, 4);
	}
	t.deepEqual(machine.failures, []);
	t.is(machine.pins, 0);
});
