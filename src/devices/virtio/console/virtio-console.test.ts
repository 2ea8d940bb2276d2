import {once} from 'node:events';
import {mkdtempSync, readFileSync, rmSync} from 'node:fs';
import {createConnection} from 'node:net';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {setImmediate} from 'node:timers/promises';
import test, {type ExecutionContext} from 'ava';
import {seeded, TestDriver, VirtioMachine} from '#devices/virtio/testing';
import {virtioConsoleMmioType, virtioConsolePciType} from './device-types.ts';
import type {ConsolePortConfig} from './handle.ts';
import {
	ControlEvent,
	ControlMessage,
	controlReceive,
	controlTransmit,
	receiveQueueOf,
	transmitQueueOf,
} from './layout.ts';
import {type PortCommand, plugPort, resizePort, unplugPort} from './port-commands.ts';

const [controlAt, sentAt, gotAt, messageAt] = [0x4_0000, 0x6_0000, 0x8_0000, 0xa_0000];
const bufferBytes = 0x100;
const mostLooks = 200_000;
const models = {pci: virtioConsolePciType, mmio: virtioConsoleMmioType};
const features = [0, 1, 2];

/** A guest's driver of a console device. */
class ConsoleDriver {
	readonly machine: VirtioMachine;
	readonly driver: TestDriver;
	readonly messages: string[] = [];

	constructor(machine: VirtioMachine) {
		this.machine = machine;
		this.driver = new TestDriver(machine, 16);
	}

	/** @param isSingle - it knows of one port alone */
	begin(ports: number, isSingle = false): void {
		this.driver.begin(isSingle ? [0] : features, isSingle ? 2 : 2 + 2 * ports);
		if (isSingle) return;
		for (let buffer = 0; buffer < 8; buffer++) this.#offerControl(buffer);
	}

	/** Sends a control message. */
	async say(event: keyof typeof ControlEvent, port = 0, value = 1): Promise<void> {
		this.machine.memory.copyIn(messageAt, ControlMessage.encode({port, event: ControlEvent[event], value}));
		this.driver.offer([{at: messageAt, length: ControlMessage.size}], {queue: controlTransmit});
		this.machine.registers.notify(controlTransmit);
		await this.until(() => this.driver.used(controlTransmit).length > 0);
	}

	/** Sends bytes to a port; resolves when the device has taken them. */
	async send(text: string, port = 0): Promise<void> {
		this.offerSent(text, port);
		const queue = transmitQueueOf(port);
		await this.until(() => this.driver.used(queue).length > 0);
	}

	offerSent(text: string, port = 0): void {
		const queue = transmitQueueOf(port);
		this.machine.memory.copyIn(sentAt, Buffer.from(text));
		this.driver.offer([{at: sentAt, length: text.length}], {queue});
		this.machine.registers.notify(queue);
	}

	/** Gives a buffer for what a port gets. */
	offer(port = 0, length = 64): void {
		this.driver.offer([{at: gotAt, length, writable: true}], {queue: receiveQueueOf(port)});
		this.machine.registers.notify(receiveQueueOf(port));
	}

	/** Resolves with what has come into the buffer of {@link offer}. */
	async got(port = 0): Promise<string> {
		let used: [number, number][] = [];
		await this.until(() => {
			used = this.driver.used(receiveQueueOf(port));
			return used.length > 0;
		});
		const bytes = Buffer.alloc(used[0]?.[1] ?? 0);
		this.machine.memory.copyOut(gotAt, bytes);
		return `${bytes}`;
	}

	/** Resolves when the device has told something, as `EVENT port value`, with a name or a size behind; messages before it are forgotten. */
	async told(message: string): Promise<void> {
		await this.until(() => {
			this.look();
			return this.messages.includes(message);
		});
		this.messages.splice(0, this.messages.indexOf(message) + 1);
	}

	look(): void {
		for (const [buffer, length] of this.driver.used(controlReceive)) {
			const bytes = Buffer.alloc(length);
			this.machine.memory.copyOut(controlAt + bufferBytes * buffer, bytes);
			const {port, event, value} = ControlMessage.read(bytes);
			const name = Object.entries(ControlEvent).find(([, number]) => number === event)?.[0];
			const rest = bytes.subarray(ControlMessage.size);
			const shown = event === ControlEvent.RESIZE ? `${rest.readUInt16LE(0)}x${rest.readUInt16LE(2)}` : `${rest}`;
			this.messages.push(`${name} ${port} ${value} ${shown}`.trim());
			this.#offerControl(buffer);
		}
	}

	async until(isSo: () => boolean): Promise<void> {
		for (let look = 0; look < mostLooks; look++) {
			if (isSo()) return;
			this.machine.turn(0);
			await setImmediate();
		}
		throw new Error(`what was waited for has not come: ${this.messages}`);
	}

	control(command: PortCommand): void {
		this.machine.machine.control('it', command);
	}

	/** What the device does up to a channel that is open on both sides. */
	async openChannel(port: number): Promise<void> {
		await this.told(`PORT_ADD ${port} 1`);
		await this.say('PORT_READY', port);
		await this.say('PORT_OPEN', port);
	}

	state(port: number): Record<string, number> {
		const {ports} = this.machine.machine.stateOf('it') as {ports: Record<string, number>[]};
		return ports[port] as Record<string, number>;
	}

	#offerControl(buffer: number): void {
		const place = {at: controlAt + bufferBytes * buffer, length: bufferBytes, writable: true};
		this.driver.offer([place], {queue: controlReceive, head: buffer});
		this.machine.registers.notify(controlReceive);
	}
}

function folderFor(t: ExecutionContext): string {
	const folder = mkdtempSync(join(tmpdir(), 'openvmm-console-'));
	t.teardown(() => rmSync(folder, {recursive: true, force: true}));
	return folder;
}

/** A machine with such ports, whose driver has begun. */
async function startedFor(
	t: ExecutionContext,
	ports: readonly ConsolePortConfig[],
	{transport = 'pci', isSingle = false}: {transport?: 'pci' | 'mmio'; isSingle?: boolean} = {},
) {
	const machine = await VirtioMachine.opened(models[transport], transport, {ports});
	const guest = new ConsoleDriver(machine);
	t.teardown(async () => {
		await machine.stop();
		await machine.dispose();
	});
	guest.begin(ports.length, isSingle);
	if (!isSingle) await guest.say('DEVICE_READY');
	return guest;
}

async function connectTo(t: ExecutionContext, path: string) {
	const client = createConnection(path);
	t.teardown(() => client.destroy());
	await once(client, 'connect');
	const got = {text: ''};
	client.on('data', (bytes) => {
		got.text += bytes;
	});
	client.on('error', () => {});
	return {client, got};
}

for (const transport of ['pci', 'mmio'] as const)
	test(`${transport}: a driver of several ports finds a console and a channel by name, and both carry bytes`, async (t) => {
		const folder = folderFor(t);
		const [path, output] = [join(folder, 'channel'), join(folder, 'console')];
		const guest = await startedFor(
			t,
			[
				{console: true, backend: {kind: 'file', path: output}},
				{console: false, name: 'org.example', backend: {kind: 'listen-unix', path}},
			],
			{transport},
		);
		t.deepEqual(guest.driver.offered.slice(0, 3), features);
		t.is(guest.machine.registers.readConfig(4, 4), 2);
		await guest.told('PORT_ADD 0 1');
		await guest.say('PORT_READY', 0);
		await guest.told('CONSOLE_PORT 0 1');
		await guest.told('PORT_OPEN 0 1');
		await guest.say('PORT_OPEN', 0);
		await guest.send('to the console');
		await guest.until(() => readFileSync(output, 'latin1') === 'to the console');
		await guest.say('PORT_READY', 1);
		await guest.told('PORT_NAME 1 1 org.example');
		const {client, got} = await connectTo(t, path);
		await guest.told('PORT_OPEN 1 1');
		guest.offer(1);
		client.write('early');
		for (let turn = 0; turn < 5; turn++) await guest.machine.run();
		t.deepEqual(guest.driver.used(receiveQueueOf(1)), [], 'the guest has not opened it');
		await guest.say('PORT_OPEN', 1);
		t.is(await guest.got(1), 'early');
		await guest.send('answer', 1);
		await guest.until(() => got.text === 'answer');
		guest.offer(1);
		client.destroy();
		await guest.told('PORT_OPEN 1 0');
		await guest.send('to nobody', 1);
		t.like(guest.state(1), {txDiscarded: 9, rxBytes: 5, txBytes: 15});
		t.deepEqual(guest.machine.failures, []);
	});

test('a driver of one port has the first, and no control messages', async (t) => {
	const path = join(folderFor(t), 'console');
	const guest = await startedFor(t, [{console: true, backend: {kind: 'listen-unix', path}}], {isSingle: true});
	const {client, got} = await connectTo(t, path);
	guest.offer();
	client.write('typed');
	t.is(await guest.got(), 'typed');
	await guest.send('shown');
	await guest.until(() => got.text === 'shown');
	guest.control(resizePort(0, 100, 30));
	await guest.machine.run();
	t.is(guest.machine.registers.readConfig(0, 4), 0x1e_0064);
	t.is(guest.machine.registers.takeInterrupts() & 2, 2, 'configuration has changed');
});

test('ports are plugged in and pulled out while the driver runs, and consoles get another size', async (t) => {
	const path = join(folderFor(t), 'channel');
	const guest = await startedFor(t, [
		{console: true, backend: {kind: 'none'}},
		{console: false, name: 'late', unplugged: true, backend: {kind: 'listen-unix', path}},
	]);
	await guest.told('PORT_ADD 0 1');
	await guest.say('PORT_READY', 0);
	guest.control(resizePort(0, 132, 43));
	await guest.told('RESIZE 0 1 132x43');
	guest.control(resizePort(0, 70_000, 43));
	guest.control(resizePort(9, 1, 1));
	guest.control(plugPort(1));
	guest.control(plugPort(1));
	await guest.openChannel(1);
	await connectTo(t, path);
	await guest.told('PORT_OPEN 1 1');
	guest.control(unplugPort(1));
	await guest.told('PORT_REMOVE 1 1');
	guest.offerSent('to what has gone', 1);
	await guest.machine.run();
	t.deepEqual(guest.driver.used(transmitQueueOf(1)), []);
	guest.control(plugPort(1));
	await guest.openChannel(1);
	await guest.told('PORT_OPEN 1 1');
	await guest.until(() => guest.driver.used(transmitQueueOf(1)).length === 1);
	t.deepEqual(guest.messages, []);
});

test('a host that takes nothing holds the guest’s buffer, over a pause too, and loses no byte', async (t) => {
	const path = join(folderFor(t), 'channel');
	const guest = await startedFor(t, [
		{console: true, backend: {kind: 'none'}},
		{console: false, backend: {kind: 'listen-unix', path}},
	]);
	await guest.openChannel(1);
	const {client, got} = await connectTo(t, path);
	await guest.told('PORT_OPEN 1 1');
	client.pause();
	const length = 0x8_0000;
	guest.machine.memory.fill(sentAt, length, 0x61);
	guest.driver.offer([{at: sentAt, length}], {queue: transmitQueueOf(1)});
	guest.machine.registers.notify(transmitQueueOf(1));
	for (let turn = 0; turn < 20; turn++) await guest.machine.run();
	t.deepEqual(guest.driver.used(transmitQueueOf(1)), []);
	t.true((guest.state(1)['sent'] as number) > 0);
	await guest.machine.stop();
	t.true((guest.state(1)['sent'] as number) < length);
	guest.machine.start();
	client.resume();
	await guest.until(() => guest.driver.used(transmitQueueOf(1)).length > 0);
	await guest.until(() => got.text.length === length);
	t.is(guest.state(1)['sent'], 0);
	t.deepEqual(guest.machine.failures, []);
});

test('what a driver writes by configuration space reaches the first port at any time', async (t) => {
	const output = join(folderFor(t), 'console');
	const ports = [{console: true, backend: {kind: 'file', path: output}}];
	const machine = await VirtioMachine.opened(virtioConsolePciType, 'pci', {ports});
	t.teardown(async () => {
		await machine.stop();
		await machine.dispose();
	});
	for (const letter of 'early') machine.registers.writeConfig(8, 4, letter.charCodeAt(0));
	machine.registers.writeConfig(8, 2, 0x58);
	const guest = new ConsoleDriver(machine);
	await guest.until(() => readFileSync(output, 'latin1') === 'early');
	t.is(guest.state(0)['txBytes'], 5);
});

test('the driver’s reset has it told all anew', async (t) => {
	const guest = await startedFor(t, [{console: true, name: 'one', backend: {kind: 'none'}}]);
	for (const round of ['first', 'second']) {
		await guest.told('PORT_ADD 0 1');
		await guest.say('PORT_READY', 0);
		await guest.told('PORT_NAME 0 1 one');
		t.true(guest.state(0)['told'] !== 0, round);
		guest.machine.registers.write('device_status', 0);
		await guest.machine.run();
		t.like(guest.state(0), {told: 0, open: 0});
		guest.messages.length = 0;
		guest.begin(1);
		await guest.say('DEVICE_READY');
	}
	t.deepEqual(guest.machine.failures, []);
});

test('a driver that says anything about any port, in buffers of any length, ends nothing but its own', async (t) => {
	t.timeout(240_000);
	const path = join(folderFor(t), 'channel');
	const below = seeded(5);
	const any = <T>(values: readonly T[]) => values[below(values.length)] as T;
	const words = [0, 1, 2, 7, 8, 9, 0xffff, 0x1_0000, 2 ** 31, 2 ** 32 - 1];
	const guest = await startedFor(t, [
		{console: true, backend: {kind: 'none'}},
		{console: false, name: 'n', backend: {kind: 'listen-unix', path}},
		{console: false, unplugged: true, backend: {kind: 'none'}},
	]);
	const {client} = await connectTo(t, path);
	const {driver, machine} = guest;
	const {memory, registers} = machine;
	const acts: readonly (() => void | Promise<void>)[] = [
		() => {
			const message = {port: any([0, 1, 2, 3, ...words]), event: below(9), value: below(3)};
			memory.copyIn(messageAt, ControlMessage.encode(message));
			driver.offer([{at: messageAt, length: below(12)}], {queue: controlTransmit, head: below(8)});
			registers.notify(controlTransmit);
		},
		() => {
			const queue = below(8);
			const at = any([sentAt, gotAt, 0, 0xf_fff0, 2 ** 40]);
			driver.offer([{at, length: any(words), writable: below(2) === 0}], {queue, head: below(16)});
			registers.notify(queue);
		},
		() => guest.control(any([plugPort, unplugPort])(below(4))),
		() => guest.control(resizePort(below(4), any(words), below(100))),
		() => void client.write('x'.repeat(below(1000))),
		() => registers.writeConfig(below(16), any([1, 2, 4]), any(words)),
		() => machine.run(),
		() => machine.run(),
		async () => {
			if (below(10) > 0) return;
			registers.write('device_status', 0);
			await machine.run();
			driver.begin(features, 8);
		},
		async () => {
			if (below(10) > 0) return;
			await machine.stop();
			machine.start();
		},
	];
	for (let step = 0; step < 1500; step++) {
		await any(acts)();
		for (let queue = 0; queue < 8; queue++) driver.used(queue);
	}
	t.deepEqual(machine.failures, []);
	registers.write('device_status', 0);
	await guest.until(() => registers.read('device_status') === 0);
	guest.messages.length = 0;
	guest.begin(3);
	await guest.say('DEVICE_READY');
	await guest.until(() => {
		guest.look();
		return guest.messages.length > 0 || guest.state(0)['turned'] !== 0;
	});
	t.deepEqual(machine.failures, []);
	t.is(machine.pins, 0);
});

test('Linux is told by its name which of the consoles has the terminal', (t) => {
	const [none, terminal] = [{kind: 'none'}, {kind: 'console', outputFd: 1}] as const;
	const nameOf = (...ports: ConsolePortConfig[]) => virtioConsolePciType.terminal?.({ports})?.linuxName;
	t.is(nameOf({console: true, backend: terminal}), 'hvc0');
	t.is(
		nameOf({console: true, backend: none}, {console: false, backend: none}, {console: true, backend: terminal}),
		'hvc1',
	);
	t.is(nameOf({console: true, backend: none, unplugged: true}, {console: true, backend: terminal}), 'hvc0');
	t.is(nameOf({console: false, backend: terminal}), undefined);
	t.is(nameOf({console: true, backend: terminal, unplugged: true}), undefined);
});
