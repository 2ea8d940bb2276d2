import {
	closeSync,
	mkdtempSync,
	openSync,
	readdirSync,
	readFileSync,
	readlinkSync,
	rmSync,
	truncateSync,
	writeFileSync,
} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import test, {type ExecutionContext} from 'ava';
import type {HostReport} from '#devices/device-type';
import {type PciRegisters, TestDriver, VirtioMachine} from '#devices/virtio/testing';
import {inspectTree, object} from '#support/inspect';
import {unchecked} from '#support/trust';
import {virtioPmemPci, virtioPmemType} from './index.ts';
import {bytesOf, type PmemSource, pmemOption} from './pmem-source.ts';

const directory = mkdtempSync(join(tmpdir(), 'openvmm-pmem-'));
test.after.always(() => rmSync(directory, {recursive: true, force: true}));

const mib = 2 ** 20;
const [request, answer, endOfFile] = [0x8000, 0x9000, 4 * mib - 4];
let files = 0;

/** A file whose pages begin with their number. */
function newFile(bytes = 4 * mib): string {
	const path = join(directory, `file-${files++}`);
	const content = Buffer.alloc(bytes);
	for (let page = 0; page < bytes / 4096; page++) content.writeUInt32LE(page, 4096 * page);
	writeFileSync(path, content);
	return path;
}

const wordOf = (path: string, at: number) => readFileSync(path).readUInt32LE(at);

/** What its owner is told. */
const reportOf = ({machine}: VirtioMachine): HostReport =>
	virtioPmemType.report?.({}, machine.devices.at(-1)?.placed.hostMemory as SharedArrayBuffer) as HostReport;

async function make(source: PmemSource) {
	const machine = await VirtioMachine.opened(virtioPmemPci as never, 'pci', {source, bytes: bytesOf(source)});
	const registers = machine.registers as PciRegisters;
	const driver = new TestDriver(machine);
	const region = () => new PciRegion(machine);
	/** What a request of a type is answered, after as many turns as the host needs; with the bytes written. */
	const ask = async (type: number, room = 4): Promise<[written: number, answer: number]> => {
		machine.memory.writeU32(request, type);
		machine.memory.writeU32(answer, 0x5a5a_5a5a);
		driver.offer([
			{at: request, length: 4},
			{at: answer, length: room, writable: true},
		]);
		await driver.notify();
		let used = driver.used();
		for (; used.length === 0; used = driver.used()) await machine.run();
		return [used[0]?.[1] ?? 0, unchecked(machine.memory.readU32(answer)) ?? 0];
	};
	/** Offers a flush without telling the device; the answer of each is behind that of the one before. */
	const offerFlush = (head: number) => {
		machine.memory.writeU32(request, 0);
		machine.memory.writeU32(answer + 4 * head, 0x5a5a_5a5a);
		driver.offer(
			[
				{at: request, length: 4},
				{at: answer + 4 * head, length: 4, writable: true},
			],
			{head},
		);
	};
	const answers = (...heads: number[]) => heads.map((head) => unchecked(machine.memory.readU32(answer + 4 * head)));
	const end = async () => {
		await machine.stop();
		await machine.dispose();
	};
	return {machine, registers, driver, region, ask, offerFlush, answers, end};
}

/** The memory as the driver finds it, through the bus. */
class PciRegion {
	readonly at: number;
	readonly #machine: VirtioMachine;

	constructor(machine: VirtioMachine) {
		this.#machine = machine;
		const [at = 0, high = 0] = [0, 4].map((offset) => machine.registers.readConfig(offset, 4));
		this.at = high * 2 ** 32 + at;
	}

	read(offset: number): number {
		return this.#machine.bus.readMmio(this.at + offset, 4) >>> 0;
	}

	write(offset: number, value: number): void {
		this.#machine.bus.writeMmio(this.at + offset, 4, value);
	}
}

test('the memory is the file: by the region that new drivers find, by the address that old ones read, and on the disk after a flush', async (t) => {
	const path = newFile();
	const {machine, registers, driver, region, ask, end} = await make({kind: 'file', path});
	t.true(driver.offered.includes(0));
	driver.begin([0]);
	const memory = region();
	t.deepEqual(registers.sharedMemory.get(0), {at: memory.at, length: 4 * mib});
	t.deepEqual(
		[8, 12].map((offset) => registers.readConfig(offset, 4)),
		[4 * mib, 0],
	);
	t.deepEqual(
		[0, 1, 2, 4].map((offset) => registers.readConfig(offset, 1)),
		[0, 8, 16, 32].map((bits) => Math.floor(memory.at / 2 ** bits) % 256),
	);
	t.is(memory.read(4096 * 77), 77);
	memory.write(endOfFile, 0x1234_5678);
	t.deepEqual(await ask(0), [4, 0]);
	t.is(wordOf(path, endOfFile), 0x1234_5678);
	t.deepEqual(machine.failures, []);
	await end();
	t.notRegex(readFileSync('/proc/self/maps', 'latin1'), new RegExp(path), 'nothing of it stays mapped');
});

test('the address that a driver reads is where the guest has put the memory', async (t) => {
	const {registers, region, end} = await make({kind: 'memory', bytes: 2 * mib});
	const before = region().at;
	const [low, high] = [0x20, 0x24].map((offset) => registers.config(offset, 4));
	t.is(before, (high ?? 0) * 2 ** 32 + (((low ?? 0) & ~0xf) >>> 0));
	registers.setConfig(0x20, 4, (before + 2 * mib) % 2 ** 32);
	t.is(region().at, before + 2 * mib);
	await end();
});

test('requests that are none are answered with a failure, or with nothing where there is no room', async (t) => {
	const {driver, machine, ask, end} = await make({kind: 'file', path: newFile()});
	driver.begin();
	t.deepEqual(await ask(1), [4, 0xffff_ffff]);
	t.deepEqual(await ask(0, 3), [0, 0x5a5a_5a5a]);
	driver.offer([{at: answer, length: 4, writable: true}]);
	await driver.notify();
	t.deepEqual([driver.used(), unchecked(machine.memory.readU32(answer))], [[[0, 4]], 0xffff_ffff]);
	t.is(driver.status, 0xf);
	await end();
});

test('flushes that wait together are done by one, and a reset in the midst loses none', async (t) => {
	const {driver, machine, registers, offerFlush, end} = await make({kind: 'file', path: newFile()});
	driver.begin();
	for (const head of [0, 2, 4]) offerFlush(head);
	registers.notify(0);
	machine.turn(0);
	t.regex(machine.backs.back('it')?.inFlight() ?? 'a flush', /flush/);
	registers.write('device_status', 0);
	for (let tries = 0; registers.read('device_status') !== 0 && tries < 10_000; tries++) await machine.run();
	t.is(registers.read('device_status'), 0);
	driver.begin();
	for (const head of [0, 2, 4]) offerFlush(head);
	await driver.notify();
	const used: number[] = [];
	while (used.length < 3) {
		await machine.run();
		used.push(...driver.used().map(([head]) => head));
	}
	t.deepEqual(used, [0, 2, 4]);
	t.deepEqual(machine.failures, []);
	await end();
});

/** The descriptor by which this process has a file open. */
function descriptorOf(path: string): number {
	const found = readdirSync('/proc/self/fd').find((fd) => {
		try {
			return readlinkSync(`/proc/self/fd/${fd}`) === path;
		} catch {
			// That of the folder that was read.
			return false;
		}
	});
	return Number(found);
}

/** Has a descriptor lead elsewhere. */
function redirect(t: ExecutionContext, fd: number, path: string, flags: string): void {
	closeSync(fd);
	t.is(openSync(path, flags), fd);
}

test.serial(
	'a flush that fails fails those that wait behind it: the host tells once of what it has lost',
	async (t) => {
		const path = newFile();
		const {driver, machine, registers, offerFlush, answers, end} = await make({kind: 'file', path});
		driver.begin();
		for (const head of [0, 2]) {
			offerFlush(head);
			registers.notify(0);
			machine.backs.poll();
		}
		const fd = descriptorOf(path);
		redirect(t, fd, '/proc/self/status', 'r');
		while (answers(0)[0] === 0x5a5a_5a5a) {
			machine.turn(0);
			await new Promise(setImmediate);
		}
		redirect(t, fd, path, 'r+');
		while (answers(2)[0] === 0x5a5a_5a5a) await machine.run();
		t.deepEqual(answers(0, 2), [0xffff_ffff, 0xffff_ffff]);
		t.deepEqual(machine.failures, []);
		t.true(machine.machine.events.notices > 0);
		const report = reportOf(machine);
		const [notice, ...others] = report.notices();
		t.deepEqual(others, []);
		t.like(notice, {kind: 'disk-error', pauses: false});
		const ofFlush = {disk: 0, operation: 'flush', offset: 0, length: 0};
		t.deepEqual(notice?.details, {...ofFlush, error: 'io', action: 'report', count: 2});
		offerFlush(4);
		registers.notify(0);
		while (answers(4)[0] === 0x5a5a_5a5a) await machine.run();
		const flushes = object(() => report.nodes());
		const counted = await Promise.all(
			['requests', 'errors'].map((name) => inspectTree(flushes, `disks/0/flush/${name}`, {})),
		);
		t.deepEqual(
			counted.map((found) => 'value' in found && found.value),
			[3, 2],
		);
		await end();
	},
);

test('a private mapping leaves the file alone, which any number of machines share', async (t) => {
	const path = newFile();
	const source = {kind: 'file', path, private: true} as const;
	const [one, two] = [await make(source), await make(source)];
	one.driver.begin();
	one.region().write(4096, 99);
	t.deepEqual(await one.ask(0), [4, 0]);
	t.deepEqual([one.region().read(4096), two.region().read(4096), wordOf(path, 4096)], [99, 1, 1]);
	await t.throwsAsync(make({kind: 'file', path}), {code: 'DISK_FILE_LOCKED'});
	await one.end();
	await two.end();
	const writer = await make({kind: 'file', path});
	await t.throwsAsync(make(source), {code: 'DISK_FILE_LOCKED'});
	await writer.end();
});

test('a guest goes on from a snapshot with its file, and not with pages that were lost or memory of another size', async (t) => {
	const saved = async (source: PmemSource, value?: number) => {
		const {machine, driver, region, end} = await make(source);
		driver.begin();
		if (value !== undefined) region().write(4096, value);
		await machine.stop();
		const state = machine.machine.save();
		await end();
		return state;
	};
	const goOn = async (source: PmemSource, state: Awaited<ReturnType<typeof saved>>) => {
		const {machine, region, end} = await make(source);
		await machine.stop();
		machine.machine.restore(state);
		machine.start();
		const found = region().read(4096);
		await end();
		return machine.failures.length > 0 ? `${machine.failures}` : found;
	};
	const path = newFile();
	const shared = await saved({kind: 'file', path}, 7);
	t.is(await goOn({kind: 'file', path}, shared), 7);
	t.regex(`${await goOn({kind: 'file', path: newFile(2 * mib)}, shared)}`, /2097152 bytes.*goes on with 4194304/);
	const own = {kind: 'file', path, private: true} as const;
	t.is(await goOn(own, await saved(own)), 7, 'a clone has the pages of the base');
	t.regex(`${await goOn(own, await saved(own, 8))}`, /lost with its machine/);
	const ram = {kind: 'memory', bytes: 2 * mib} as const;
	t.regex(`${await goOn(ram, await saved(ram))}`, /lost with its machine/);
});

test('a machine that is paused goes on with pages of its own', async (t) => {
	const {machine, driver, region, end} = await make({kind: 'file', path: newFile(), private: true});
	driver.begin();
	region().write(0, 9);
	await machine.stop();
	machine.start();
	t.deepEqual([region().read(0), machine.failures], [9, []]);
	await end();
});

test('files that no memory can be made of are refused', async (t) => {
	const path = newFile(2 * mib);
	t.is(bytesOf({kind: 'file', path}), 2 * mib);
	for (const bytes of [0, 2 * mib - 4096, 2 ** 32 + 2 * mib]) {
		truncateSync(path, bytes);
		t.throws(() => bytesOf({kind: 'file', path}), {code: 'VIRTIO_PMEM_LENGTH'}, `${bytes}`);
	}
	t.throws(() => bytesOf({kind: 'file', path: join(directory, 'missing')}), {code: 'DISK_FILE_UNUSABLE'});
	truncateSync(path, 2 * mib);
	const shorter = {source: {kind: 'file', path}, bytes: 4 * mib};
	await t.throwsAsync(VirtioMachine.opened(virtioPmemPci as never, 'pci', shorter), {code: 'VIRTIO_PMEM_SHORTER'});
});

test('it is written as OpenVMM has it', (t) => {
	const devices = (text: string) => virtioPmemType.flags?.devices(() => [text]);
	t.deepEqual(devices('pcie_port=rp0:/data/a.img;private'), [
		{port: 'rp0', options: {memory: {kind: 'file', path: '/data/a.img', private: true}}},
	]);
	t.deepEqual(devices('pcie_port=rp0:mem:64M'), [{port: 'rp0', options: {memory: {kind: 'memory', bytes: 64 * mib}}}]);
	t.deepEqual(devices('pcie_port=rp0:/data/a;private;timeout=5'), [
		{port: 'rp0', options: {memory: {kind: 'file', path: '/data/a', private: true}, timeout: 5}},
	]);
	t.throws(() => devices('pcie_port=rp0:a.img;timeout=0'), {code: 'CONFIG_NUMBER_RANGE'});
	t.throws(() => devices('/data/a.img'), {code: 'CONFIG_REQUIRES', message: /pcie_port=PORT/});
	for (const text of ['mem:1M', 'mem:3M', 'mem:8G', 'http://x', 'a;direct', 'a;private;private'])
		t.throws(() => pmemOption.parse(text, '--it'), {code: 'CONFIG_VALUE_INVALID'}, text);
	t.throws(() => pmemOption.parse('file:', '--it'), {code: 'CONFIG_PATH_EMPTY'});
	for (const value of [undefined, 5, {kind: 'memory', bytes: 1}, {kind: 'file', path: ''}, {kind: 'disk'}])
		t.is(pmemOption.check(value, '--it')?.code, 'CONFIG_VALUE_INVALID');
});
