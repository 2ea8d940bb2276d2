import test from 'ava';
import type {DeclaredModel, DeviceInstance} from '#devices/device';
import {MappedMemory} from '#devices/guest-memory';
import {plainMemory} from '#devices/guest-memory/testing';
import {tellingInterrupts} from '#devices/interrupts/testing';
import {DeviceBacks} from '#devices/machine';
import {completeModel} from '#devices/pci/function';
import {complexOf, rootPortOf} from '#devices/pci/testing';
import {findDeviceModel} from '#devices/registry';
import {FakeReactor, oneThreadMachine} from '#devices/testing';
import {type PciRegisters, TestDriver, VirtioMachine} from '#devices/virtio/testing';
import {type TpmEngine, tpmCrbType} from './tpm-crb.ts';
import {Code, EnableVpVtl, fastCall, Status, trustLevelType} from './trust-level.ts';
import {virtioFsType} from './virtio-fs.ts';

const data = 0x8000;
const read = (memory: MappedMemory, at: number, length: number) => {
	const bytes = new Uint8Array(length);
	memory.copyOut(at, bytes);
	return [...bytes];
};

/** A machine with one device on this thread; it may be a function of PCI Express. */
function machineOf(model: DeclaredModel, config: object = {}) {
	const completed = completeModel(model);
	const isPci = 'pci' in model.attach;
	const it: DeviceInstance = {
		name: 'it',
		kind: completed.kind,
		config,
		...(isPci && {place: {on: 'rp0', devfn: 0}}),
	};
	const memory = new MappedMemory(plainMemory({gpa: 0, length: 0x10_0000}));
	const messages: number[] = [];
	const made = oneThreadMachine(isPci ? [complexOf(), rootPortOf('rp0', 0), it] : [it], {
		findModel: (kind) => (kind === completed.kind ? completed : findDeviceModel(kind)),
		memory,
		interrupts: tellingInterrupts({send: (_low, _high, value) => void messages.push(value)}),
	});
	const reactor = new FakeReactor();
	const failures: string[] = [];
	const backs = new DeviceBacks(made.machine, reactor, ({message}) => void failures.push(message));
	backs.start();
	const run = async () => {
		for (let turn = 0; turn < 5; turn++) {
			backs.poll();
			reactor.turn();
			await new Promise(setImmediate);
		}
	};
	return {...made, memory, messages, failures, backs, run};
}

test('virtio-fs: requests are answered when the server has answered, and are not in flight after a stop', async (t) => {
	const asked = Promise.withResolvers<void>();
	const server = {
		async serve(request: Uint8Array, reply: Uint8Array) {
			await asked.promise;
			reply.set(request);
			return request.length;
		},
		read: async () => undefined,
	};
	const machine = new VirtioMachine(virtioFsType(server), 'pci', {tag: 'data', queues: 2, window: 0});
	const driver = new TestDriver(machine);
	t.deepEqual([machine.registers.read('num_queues'), machine.registers.readConfig(36, 4)], [3, 2]);
	t.is(machine.registers.readConfig(0, 4), 0x6174_6164);
	driver.begin([], 3);
	machine.memory.copyIn(data, Uint8Array.of(9, 8, 7));
	driver.offer(
		[
			{at: data, length: 3},
			{at: data + 8, length: 16, writable: true},
		],
		{queue: 2},
	);
	await driver.notify(2);
	t.deepEqual(driver.used(2), []);
	const stopped = machine.backs.stop();
	asked.resolve();
	await stopped;
	t.deepEqual([driver.used(2), read(machine.memory, data + 8, 3)], [[[0, 3]], [9, 8, 7]]);
	t.deepEqual(machine.failures, []);
});

test('virtio-fs: the guest reads a file in the DAX window, which no mapping leaves', async (t) => {
	const [handle, mapped] = [5n, 0x2000];
	const server = {
		serve: async () => 0,
		read: async (asked: bigint, offset: number, into: Uint8Array) => {
			if (asked !== handle) return undefined;
			into.fill(offset / 0x1000);
			return Math.min(into.length, 6);
		},
	};
	const machine = new VirtioMachine(virtioFsType(server), 'pci', {tag: 'data', queues: 1, window: 1});
	const driver = new TestDriver(machine);
	const {at, length} = (machine.registers as PciRegisters).sharedMemory.get(0) as {at: number; length: number};
	t.is(length, 2 ** 20);
	const ask = async (opcode: number, words: readonly bigint[], count?: number) => {
		const body = new Uint8Array(BigUint64Array.from(words).buffer);
		const request = new Uint8Array([...new Uint8Array(40), ...(count === undefined ? [] : [count, 0, 0, 0]), ...body]);
		new DataView(request.buffer).setUint32(4, opcode, true);
		machine.memory.copyIn(data, request);
		driver.offer(
			[
				{at: data, length: request.length},
				{at: data + 0x1000, length: 16, writable: true},
			],
			{queue: 1},
		);
		await driver.notify(1);
		t.deepEqual(driver.used(1), [[0, 16]]);
		return new Int32Array(Uint8Array.from(read(machine.memory, data + 0x1000, 16)).buffer)[1];
	};
	const map = (words: readonly bigint[]) => ask(48, words);
	const unmap = (words: readonly bigint[]) => ask(49, words, words.length / 2);
	const seen = () => [0, 4, 0xfff].map((offset) => machine.bus.readMmio(at + mapped + offset, 4));
	driver.begin([], 2);
	t.is(await map([handle, 0x3000n, 0x1000n, 2n, BigInt(mapped)]), 0);
	t.deepEqual(seen(), [0x0303_0303, 0x0303, 0]);
	for (const [words, error] of [
		[[handle, 0n, 0x1000n, 3n, 0n], -95],
		[[handle + 1n, 0n, 0x1000n, 2n, 0n], -9],
		[[handle, 0n, 0x1000n, 2n, 2n ** 20n], -22],
		[[handle, 0n, 0x1000n, 2n, 2n ** 64n - 0x1000n], -22],
		[[handle, 2n ** 63n, 0x1000n, 2n, 0n], -22],
		[[handle, 0n, 0x1000n, 2n, 1n], -22],
		[[handle], -22],
	] as const)
		t.is(await map(words), error, `${words}`);
	const window = [0n, 2n ** 20n];
	t.is(await ask(49, [], 1), -22);
	t.is(await unmap([BigInt(mapped), 0x1000n]), 0);
	t.deepEqual(seen(), [0, 0, 0]);
	t.is(await unmap([...window, ...window]), -22, 'a request is not to take long');
	await machine.backs.stop();
	t.deepEqual(machine.failures, []);
});

/** An engine that counts: each command has it answer how many there have been. */
class CountingEngine implements TpmEngine {
	readonly commands: number[][] = [];
	count = 0;

	async execute(command: Uint8Array) {
		this.commands.push([...command]);
		this.count++;
		return Uint8Array.of(0x80, 0x01, 0, 0, 0, 10, 0, 0, 1, this.count);
	}

	powerOn() {}

	async save() {
		return Uint8Array.of(this.count);
	}

	async restore([count, ...rest]: Uint8Array) {
		if (count === undefined || rest.length > 0) throw new RangeError('this is no count');
		this.count = count;
	}
}

test('tpm-crb: a command is carried out of the buffer and its answer lies there, and the engine goes on in a snapshot', async (t) => {
	const engines: CountingEngine[] = [];
	const make = () =>
		machineOf(
			tpmCrbType(() => {
				engines.push(new CountingEngine());
				return engines.at(-1) as CountingEngine;
			}),
		);
	const made = make();
	const base = 0xfed4_0000;
	const command = async ({bus, run}: typeof made) => {
		for (const [at, value] of [0x0180, 0x0a00, 0x7a01].entries()) bus.writeMmio(base + 0x80 + 4 * at, 4, value);
		bus.writeMmio(base + 0x4c, 4, 1);
		t.is(bus.readMmio(base + 0x4c, 4), 1);
		await run();
		t.is(bus.readMmio(base + 0x4c, 4), 0);
		return bus.readMmio(base + 0x86, 4) >>> 0;
	};
	t.is(made.bus.readMmio(base + 0x30, 4) & 0xf, 1);
	made.bus.writeMmio(base + 0x80, 4, 0x0180);
	t.is(made.bus.readMmio(base + 0x80, 4), 0, 'nobody has the locality');
	made.bus.writeMmio(base + 0x08, 4, 1);
	t.is(await command(made), 0x0101_0000);
	t.deepEqual(engines[0]?.commands, [[0x80, 1, 0, 0, 0, 10, 0, 0, 1, 0x7a]]);
	t.deepEqual(await made.backs.owned.inspect('it'), {locality: 0, command: 'none'});

	const saved = made.machine.save(await made.backs.owned.save());
	const other = make();
	await other.backs.owned.restore(other.machine.restore(saved));
	t.is(other.bus.readMmio(base + 0x86, 4) >>> 0, 0x0101_0000);
	t.is(await command(other), 0x0201_0000);
	t.deepEqual([...made.failures, ...other.failures], []);
});

test('trust level: a processor has it once the partition has it, and once only', (t) => {
	const {machine, memory} = machineOf(trustLevelType, {level: 1, processors: 2});
	const calls = machine.hypercalls();
	const call = (code: number, low: number, high: number, output = 0) => {
		const result = {low: 0, high: 0};
		calls.call({control: {low: code, high: 0}, input: {low, high}, output: {low: output, high: 0}, result});
		return result.low;
	};
	const enableProcessor = (vp: number) => {
		memory.copyIn(data, EnableVpVtl.encode({partition: 2n ** 64n - 1n, vp, vtl: 1, context: Uint8Array.of(vp + 1)}));
		return call(Code.ENABLE_VP, data, 0);
	};
	t.is(enableProcessor(1), Status.INVALID_STATE);
	t.is(call(Code.ENABLE_PARTITION, 0xffff_ffff, 0xffff_ffff, 1), Status.INVALID_INPUT);
	t.is(call(Code.ENABLE_PARTITION | fastCall, 0xffff_ffff, 0xffff_ffff, 2), Status.INVALID_PARAMETER);
	t.is(call(Code.ENABLE_PARTITION | fastCall, 0xffff_ffff, 0xffff_ffff, 1), Status.SUCCESS);
	t.is(enableProcessor(1), Status.SUCCESS);
	t.is(enableProcessor(1), Status.INVALID_STATE);
	t.is(enableProcessor(2), Status.INVALID_VP);
	t.is(enableProcessor(0xffff_fffe), Status.INVALID_VP, 'no processor makes this call');
	t.is(call(Code.ENABLE_VP, 0xffff_f000, 0), Status.INVALID_INPUT, 'no memory');
	const {processors} = machine.stateOf('it') as unknown as {processors: readonly {enabled: number}[]};
	t.deepEqual(
		processors.slice(0, 3).map(({enabled}) => enabled),
		[0, 1, 0],
	);
});
