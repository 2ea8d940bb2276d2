import {mkdtempSync, readFileSync, rmSync, statSync, truncateSync, writeFileSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import test, {type ExecutionContext} from 'ava';
import type {OpenDisk} from '#devices/storage/backend';
import type {DiskAddition, DiskRemoval} from '#devices/storage/disk-set';
import {measureDisk, openDisk} from '#devices/storage/source';
import {attachNamespace, detachNamespace, type NamespaceConfig} from './index.ts';
import {IdentifyNamespace} from './layout.ts';
import {CommandStatus} from './status.ts';
import {dataPage, NvmeDriver, NvmeMachine} from './testing/index.ts';

const [READ, WRITE, FLUSH] = [2, 1, 0];
const {SUCCESS, INVALID_FIELD, UNRECOVERED_READ} = CommandStatus;
const namespaceEvents = 0x100;
const noticeResult = 0x04_0002;

/** A file of 64 KiB that goes with the test. */
function diskFile(t: ExecutionContext): string {
	const folder = mkdtempSync(join(tmpdir(), 'openvmm-nvme-'));
	t.teardown(() => rmSync(folder, {recursive: true}));
	const path = join(folder, 'disk.img');
	writeFileSync(path, new Uint8Array(0x1_0000));
	return path;
}

async function make(t: ExecutionContext, namespaces: Parameters<typeof NvmeMachine.make>[0] = {}) {
	const machine = await NvmeMachine.make(namespaces);
	t.teardown(() => machine.dispose());
	machine.useMessages();
	const driver = new NvmeDriver(machine);
	driver.enable();
	t.deepEqual(await driver.create(1), [SUCCESS, SUCCESS]);
	return {machine, driver, memory: machine.memory};
}

/** Lets threads of the host do what was asked of them. */
async function perform(driver: NvmeDriver, values: Parameters<NvmeDriver['submit']>[1]) {
	const id = driver.submit(1, values);
	for (;;) {
		await driver.machine.run();
		const told = driver.take(1);
		if (told.length > 0) return told.find((each) => each.id === id)?.status;
	}
}

/** Ids in a list that the controller sends. */
async function ids(driver: NvmeDriver, values: Parameters<NvmeDriver['admin']>[0]): Promise<number[]> {
	await driver.admin({...values, prp1: dataPage});
	return [...new Uint32Array(driver.bytes(dataPage, 64).buffer)].filter((nsid) => nsid !== 0);
}
const active = (driver: NvmeDriver) => ids(driver, {opcode: 6, dword10: 2});
const changed = (driver: NvmeDriver) => ids(driver, {opcode: 2, dword10: 4 + 1023 * 0x1_0000});

const wantEvents = async (driver: NvmeDriver) => {
	await driver.admin({opcode: 9, dword10: 11, dword11: namespaceEvents});
	for (const id of [0xf0, 0xf1]) driver.submit(0, {opcode: 12, id});
	await driver.machine.run();
};

for (const workers of [1, 2])
	test(`what is written is in the file, by ${workers} workers`, async (t) => {
		const path = diskFile(t);
		const disk = {kind: 'file', path} as const;
		const {machine, driver, memory} = await make(t, {workers, namespaces: [{nsid: 1, disk, readOnly: false}]});
		memory.fill(dataPage, 0x2000, 0x5a);
		t.is(
			await perform(driver, {
				opcode: WRITE,
				nsid: 1,
				prp1: dataPage + 512,
				prp2: dataPage + 0x1000,
				dword10: 3,
				dword12: 7,
			}),
			SUCCESS,
		);
		t.is(await perform(driver, {opcode: FLUSH, nsid: 1}), SUCCESS);
		const content = readFileSync(path);
		t.deepEqual([content[3 * 512 - 1], content[3 * 512], content[11 * 512 - 1], content[11 * 512]], [0, 0x5a, 0x5a, 0]);
		memory.fill(dataPage, 0x2000, 0);
		t.is(await perform(driver, {opcode: READ, nsid: 1, prp1: dataPage, dword10: 10, dword12: 1}), SUCCESS);
		t.deepEqual([...driver.bytes(dataPage + 511, 2)], [0x5a, 0]);
		machine.write(0x14, 0x46_4001);
		while (driver.status !== 9) await machine.run();
		// It has become shorter under the guest.
		truncateSync(path, 0x1000);
		t.is(await perform(driver, {opcode: READ, nsid: 1, prp1: dataPage, dword10: 100}), UNRECOVERED_READ);
		t.deepEqual(machine.failures, []);
	});

test('a file that has become longer is told of', async (t) => {
	const path = diskFile(t);
	const {machine, driver} = await make(t, {
		namespaces: [
			{nsid: 1, disk: {kind: 'memory', bytes: 512}, readOnly: false},
			{nsid: 4, disk: {kind: 'file', path}, readOnly: false},
		],
	});
	await wantEvents(driver);
	machine.machine.control('it', measureDisk);
	await machine.run();
	t.deepEqual(driver.take(0), []);
	truncateSync(path, 0x2_0000);
	machine.machine.control('it', measureDisk);
	let told: readonly {readonly result: number}[] = [];
	while (told.length === 0) {
		await machine.run();
		told = driver.take(0);
	}
	t.deepEqual(
		told.map(({result}) => result),
		[noticeResult],
	);
	t.deepEqual([await changed(driver), await changed(driver)], [[4], []]);
	const size = async () => {
		await driver.admin({opcode: 6, nsid: 4, prp1: dataPage});
		return IdentifyNamespace.read(driver.bytes(dataPage, 4096)).size;
	};
	t.is(await size(), 256);
	await machine.stop();
	truncateSync(path, 0x4_0000);
	machine.machine.control('it', measureDisk);
	machine.start();
	told = [];
	for (let tries = 0; told.length === 0 && tries < 10_000; tries++) {
		await machine.run();
		told = driver.take(0);
	}
	t.is(told[0]?.result, noticeResult, 'and what was said during a pause is done behind it');
	t.is(await size(), 512);
	t.deepEqual(machine.failures, []);
});

test('namespaces are attached and detached, and the driver learns of it', async (t) => {
	const memory = (bytes: number) => ({kind: 'memory', bytes}) as const;
	const {machine, driver} = await make(t, {
		namespaces: [
			{nsid: 1, disk: memory(512), readOnly: false},
			{nsid: 9, disk: memory(1024), readOnly: false, detached: true},
		],
	});
	t.deepEqual(await active(driver), [1]);
	t.is(await perform(driver, {opcode: READ, nsid: 9, prp1: dataPage}), INVALID_FIELD);
	// A driver that has not asked for the event is not told.
	machine.machine.control('it', attachNamespace(9));
	await wantEvents(driver);
	t.deepEqual([driver.take(0), await active(driver)], [[], [1, 9]]);
	t.is(await perform(driver, {opcode: READ, nsid: 9, prp1: dataPage, dword12: 1}), SUCCESS);
	await changed(driver);
	for (const nsid of [1, 1, 5]) machine.machine.control('it', detachNamespace(nsid));
	await machine.run();
	t.deepEqual(
		driver.take(0).map(({result}) => result),
		[noticeResult],
	);
	t.deepEqual([await active(driver), await changed(driver)], [[9], [1]]);
	t.is(await perform(driver, {opcode: READ, nsid: 1, prp1: dataPage}), INVALID_FIELD);
	// A reset by the driver changes nothing of it.
	machine.write(0x14, 0);
	await machine.run();
	driver.enable();
	t.deepEqual(await active(driver), [9]);
	t.deepEqual(machine.failures, []);
});

for (const workers of [1, 2])
	test(`a namespace comes to a controller that runs, and goes, with ${workers} workers`, async (t) => {
		const [first, path] = [diskFile(t), diskFile(t)];
		const namespaces = [{nsid: 3, disk: {kind: 'file', path: first}, readOnly: false} as const];
		const {machine, driver, memory} = await make(t, {workers, namespaces});
		const adds = (more: Partial<DiskAddition> = {}): DiskAddition => ({
			kind: 'add-disk',
			disk: {kind: 'file', path},
			readOnly: false,
			...more,
		});
		const events = () => driver.take(0).map(({result}) => result);
		await wantEvents(driver);
		t.is(await machine.reconfigure(adds()), 4);
		await machine.run();
		t.deepEqual([events(), await active(driver), await changed(driver)], [[noticeResult], [3, 4], [4]]);
		memory.fill(dataPage, 0x1000, 0x5a);
		t.is(await perform(driver, {opcode: WRITE, nsid: 4, prp1: dataPage, dword10: 2, dword12: 7}), SUCCESS);
		t.is(await perform(driver, {opcode: FLUSH, nsid: 0xffff_ffff}), SUCCESS);
		t.is(readFileSync(path)[1024], 0x5a);

		// It has its lock as any disk has it, and gives it back.
		await t.throwsAsync(machine.reconfigure(adds()), {code: 'DISK_FILE_LOCKED'});
		await machine.run();
		t.deepEqual([events(), await active(driver)], [[], [3, 4]]);
		t.is(await perform(driver, {opcode: READ, nsid: 4, prp1: dataPage, dword12: 7}), SUCCESS);
		for (const id of [0xf2, 0xf3]) driver.submit(0, {opcode: 12, id});
		await machine.reconfigure({kind: 'remove-disk', number: 4} as DiskRemoval);
		await machine.run();
		t.deepEqual([events(), await active(driver), await changed(driver)], [[noticeResult], [3], [4]]);
		t.is(await perform(driver, {opcode: READ, nsid: 4, prp1: dataPage}), INVALID_FIELD);
		t.is(await perform(driver, {opcode: READ, nsid: 3, prp1: dataPage}), SUCCESS);

		// Another disk by that number may be shorter than the one before, and is there from attach-namespace on, also before the machine goes on.
		truncateSync(path, 0x1000);
		const another = adds({number: 4, detached: true, readOnly: true});
		await machine.reconfigure(another);
		t.deepEqual([await active(driver), events()], [[3], []]);
		await machine.reconfigure({kind: 'remove-disk', number: 4} as DiskRemoval);
		await machine.run();
		t.deepEqual([events(), await changed(driver)], [[noticeResult], [4]]);
		driver.submit(0, {opcode: 12, id: 0xf4});
		await machine.reconfigure(another, false);
		machine.machine.control('it', attachNamespace(4));
		machine.start();
		await machine.run();
		t.deepEqual([events(), await active(driver), await changed(driver)], [[noticeResult], [3, 4], [4]]);
		t.is(await perform(driver, {opcode: WRITE, nsid: 4, prp1: dataPage}), CommandStatus.WRITE_PROTECTED);

		// The first one goes, and what has come is still itself after the machine's reset.
		await machine.reconfigure({kind: 'remove-disk', number: 3} as DiskRemoval);
		await machine.stop();
		machine.machine.reset();
		machine.start();
		machine.setConfig(4, 2, 6);
		driver.enable();
		t.deepEqual(await active(driver), []);
		machine.machine.control('it', attachNamespace(4));
		t.deepEqual(await active(driver), [4]);
		t.deepEqual(machine.failures, []);
	});

test('a namespace that one of several workers cannot open comes to none of them', async (t) => {
	let open = 0;
	const opens: OpenDisk = async (source, isReadOnly, host) => {
		if (source.kind === 'file' && source.path === 'bad' && host.worker.index === 1) throw new Error('not here');
		const disk = await openDisk(source.kind === 'file' ? {kind: 'memory', bytes: 512} : source, isReadOnly, host);
		const {close} = disk;
		open++;
		disk.close = async () => {
			open--;
			await close.call(disk);
		};
		return disk;
	};
	const machine = await NvmeMachine.make({workers: 2}, {open: opens});
	machine.useMessages();
	const driver = new NvmeDriver(machine);
	driver.enable();
	await driver.create(1);
	t.is(open, 4);
	const adds = (path: string) => ({kind: 'add-disk', disk: {kind: 'file', path}, readOnly: false}) as DiskAddition;
	for (const wanted of [4, 4]) {
		await t.throwsAsync(machine.reconfigure(adds('bad')), {message: 'not here'});
		t.deepEqual([open, await active(driver)], [wanted, [1, 3]]);
	}
	t.is(await machine.reconfigure(adds('good')), 4);
	t.deepEqual([open, await active(driver)], [6, [1, 3, 4]]);
	await machine.dispose();
	t.is(open, 0);
	t.deepEqual(machine.failures, []);
});

test('a snapshot with a namespace that has come goes on with it, wherever the flags have it, and not without it', async (t) => {
	const paths = [diskFile(t), diskFile(t), diskFile(t)];
	const [first, second, third] = paths.map(
		(path, index) => ({nsid: index + 1, disk: {kind: 'file', path}, readOnly: false}) as const,
	);
	const one = await make(t, {namespaces: [first, second] as NamespaceConfig[]});
	await one.machine.reconfigure({kind: 'remove-disk', number: 1} as DiskRemoval);
	await one.machine.reconfigure({
		kind: 'add-disk',
		disk: {kind: 'file', path: paths[2]},
		readOnly: false,
		number: 3,
	} as DiskAddition);
	t.deepEqual(await active(one.driver), [2, 3]);
	one.machine.machine.control('it', detachNamespace(2));
	await one.machine.stop();
	const saved = JSON.parse(JSON.stringify(one.machine.machine.save()));
	const ram = new Uint8Array(0x10_0000);
	one.memory.copyOut(0, ram);
	await one.machine.dispose();
	const go = async (namespaces: readonly NamespaceConfig[]) => {
		const two = await make(t, {namespaces});
		await two.machine.stop();
		two.memory.copyIn(0, ram);
		two.machine.machine.restore(saved);
		two.machine.start();
		two.driver.resume(one.driver);
		return two;
	};
	const two = await go([third, first, second] as NamespaceConfig[]);
	// The first one is back, as one that comes.
	t.deepEqual(await active(two.driver), [1, 3]);
	t.is(await perform(two.driver, {opcode: READ, nsid: 3, prp1: dataPage}), SUCCESS);
	t.deepEqual(two.machine.failures, []);
	await two.machine.stop();
	await two.machine.dispose();
	const without = await go([second, first] as NamespaceConfig[]);
	t.regex(without.machine.failures.join(), /Namespace 3 has 0 bytes/);
});

test('a snapshot goes on with its file, and with no other', async (t) => {
	const path = diskFile(t);
	const namespaces = [{nsid: 2, disk: {kind: 'file', path}, readOnly: false} as const];
	const one = await make(t, {namespaces});
	one.memory.fill(dataPage, 512, 0x77);
	t.is(await perform(one.driver, {opcode: WRITE, nsid: 2, prp1: dataPage, dword10: 1}), SUCCESS);
	const id = one.driver.submit(1, {opcode: READ, nsid: 2, prp1: dataPage + 0x1000, dword10: 1}, false);
	await one.machine.stop();
	const saved = JSON.parse(JSON.stringify(one.machine.machine.save()));
	const ram = new Uint8Array(0x10_0000);
	one.memory.copyOut(0, ram);
	await one.machine.dispose();

	const go = async (changes: Parameters<typeof NvmeMachine.make>[0]) => {
		const two = await make(t, changes);
		await two.machine.stop();
		two.memory.copyIn(0, ram);
		two.machine.machine.restore(saved);
		two.machine.start();
		two.driver.resume(one.driver);
		return two;
	};
	const two = await go({namespaces, workers: 2});
	two.driver.ring(1);
	let told = two.driver.take(1);
	while (told.length === 0) {
		await two.machine.run();
		told = two.driver.take(1);
	}
	t.deepEqual(
		told.map((each) => [each.id, each.status]),
		[[id, SUCCESS]],
	);
	t.is(two.driver.bytes(dataPage + 0x1000, 1)[0], 0x77);
	t.deepEqual(two.machine.failures, []);
	await two.machine.stop();
	await two.machine.dispose();

	for (const other of [
		[{nsid: 3, disk: {kind: 'file', path}, readOnly: false}],
		[{nsid: 2, disk: {kind: 'memory', bytes: 512}, readOnly: false}],
	] as const) {
		const three = await go({namespaces: other});
		t.regex(three.machine.failures.join(), /Namespace \d has \d+ bytes/);
	}
	t.is(statSync(path).size, 0x1_0000);
});

test('a file that is not there refuses the machine, and the others are let go of', async (t) => {
	const path = diskFile(t);
	const disks = [path, `${path}.none`].map((each) => ({kind: 'file', path: each}) as const);
	const namespaces = disks.map((disk, index) => ({nsid: index + 1, disk, readOnly: false}));
	await t.throwsAsync(NvmeMachine.make({namespaces}), {code: 'DISK_FILE_UNUSABLE'});
	// Its lock is gone too.
	await t.notThrowsAsync(make(t, {namespaces: namespaces.slice(0, 1)}));
});
