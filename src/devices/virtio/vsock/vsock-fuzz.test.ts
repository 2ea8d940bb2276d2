import {once} from 'node:events';
import {mkdtempSync, rmSync} from 'node:fs';
import {createConnection, createServer, type Socket} from 'node:net';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import test from 'ava';
import {ringEvent, ringIndirect, ringReset, seeded} from '#devices/virtio/testing';
import {hostCid, Operation, PacketHeader} from './layout.ts';
import {guestCid, VsockDriver} from './testing/vsock-driver.ts';

const [rounds, steps] = [60, 120];
const hostPort = 5000;
/** Rings of the three queues, and where packets lie. */
const areas = [
	[0x1_0000, 0x200],
	[0x1_2000, 0x60],
	[0x1_4000, 0x200],
	[0x1_6000, 0x60],
	[0xc_0000, 0x80],
] as const;
/** Values that mean something as lengths, counts, indices or addresses. */
const words = [0, 1, 2, 3, 43, 44, 45, 255, 4096, 0x7fff, 0xffff, 0x1_0000, 2 ** 31 - 1, 2 ** 31, 2 ** 32 - 1];
const addresses = [0, 0x1_0000, 0x4_0000, 0xc_0000, 0xf_fff0, 0x10_0000, 2 ** 32 - 1, 2 ** 52];
const operations = Object.values(Operation);
type Break = (driver: VsockDriver['driver'], table: number) => void;
/** What no driver may do to its queue, by the fault that it is. */
const breaks: Readonly<Record<string, Break>> = {
	availableIndex: (driver) => driver.claim(0x7fff, 1),
	head: (driver) => driver.publish(driver.queueSize, 1),
	buffer: (driver) => driver.offer([{at: 2 ** 52 - 1, length: 44}], {queue: 1}),
	next(driver, table) {
		driver.describe(table, 0, 0xc_0000, 44, 1, driver.queueSize);
		driver.publish(0, 1);
	},
	loop(driver, table) {
		driver.describe(table, 0, 0xc_0000, 44, 1, 0);
		driver.publish(0, 1);
	},
	indirect(driver, table) {
		driver.describe(table, 0, 0xc_0000, 15, 4);
		driver.publish(0, 1);
	},
};

for (const transport of ['pci', 'mmio'] as const)
	test(`a driver of sockets on ${transport} that sends anything at any time ends nothing but its own`, async (t) => {
		t.timeout(240_000);
		const folder = mkdtempSync(join(tmpdir(), 'openvmm-vsock-fuzz-'));
		t.teardown(() => rmSync(folder, {recursive: true, force: true}));
		const path = join(folder, 'v.sock');
		const below = seeded(20 + Number(transport === 'pci'));
		const chance = (percent: number) => below(100) < percent;
		const any = <T>(values: readonly T[]) => values[below(values.length)] as T;
		const sockets = new Set<Socket>();
		const follow = (socket: Socket) => {
			sockets.add(socket);
			socket.on('error', () => {});
			socket.on('close', () => sockets.delete(socket));
			if (chance(50)) socket.resume();
			return socket;
		};
		const server = createServer({allowHalfOpen: true}, follow);
		server.listen(`${path}_${hostPort}`);
		await once(server, 'listening');
		t.teardown(() => server.close());
		const seen = {cut: 0, open: 0};
		for (let round = 0; round < rounds; round++) {
			const guest = await VsockDriver.start(path, transport);
			const {machine, driver} = guest;
			const {memory, registers} = machine;
			/** Ports of the host's clients that the guest has been asked for. */
			let asked: {sourcePort: number; targetPort: number}[] = [];
			const start = () => {
				driver.begin([0, ...[ringIndirect, ringEvent, ringReset].filter(() => chance(50))], 3);
				for (let buffer = 0; buffer < 16; buffer++) guest.offer(buffer);
			};
			const look = () => {
				const used = driver.used(0).slice(0, 32);
				for (const [buffer] of used) {
					if (buffer >= 16) continue;
					const bytes = new Uint8Array(PacketHeader.size);
					memory.copyOut(0x4_0000 + 0x1000 * buffer, bytes);
					const {operation, sourcePort, targetPort} = PacketHeader.read(bytes);
					if (operation === Operation.REQUEST) asked.push({sourcePort: targetPort, targetPort: sourcePort});
					if (chance(90)) guest.offer(buffer);
				}
				asked = asked.slice(-8);
				registers.notify(0);
			};
			/** A packet that could be one, but for what a die says. */
			const send = () => {
				const operation = chance(90) ? any(operations) : any(words) % 0x1_0000;
				const length = operation === Operation.RW ? below(300) : 0;
				const ports =
					chance(30) && asked.length > 0
						? any(asked)
						: {sourcePort: 1000 + below(4), targetPort: chance(95) ? hostPort : any(words)};
				const header = PacketHeader.encode({
					sourceCid: chance(97) ? guestCid : any(addresses),
					targetCid: chance(97) ? hostCid : any(addresses),
					...ports,
					length: chance(95) ? length : any(words),
					type: chance(97) ? 1 : below(4),
					operation,
					flags: chance(90) ? below(4) : any(words),
					bufferBytes: chance(80) ? 4096 : any(words),
					forwarded: chance(90) ? 0 : any(words),
				});
				memory.copyIn(0xc_0000, header);
				const buffers = [
					{at: 0xc_0000, length: chance(95) ? header.length : below(60)},
					{at: chance(95) ? 0xc_1000 : any(addresses), length: chance(90) ? Math.max(1, length) : any(words)},
				];
				driver.offer(chance(20) && length === 0 ? buffers.slice(0, 1) : buffers, {queue: 1, head: 2 * below(8)});
				registers.notify(1);
			};
			const acts: readonly (() => void | Promise<void>)[] = [
				send,
				send,
				send,
				look,
				look,
				() => machine.run(),
				() => {
					if (sockets.size > 20) return;
					const client = follow(createConnection(path));
					client.write(chance(80) ? `CONNECT ${below(4)}\nhello` : any(['\n', 'CONNECT', 'x'.repeat(100)]));
				},
				() => {
					const socket = any([...sockets]);
					if (socket === undefined) return;
					any([() => socket.write(new Uint8Array(below(9000))), () => socket.end(), () => socket.destroy()])();
				},
				() => {
					if (chance(80)) return;
					const [at, length] = any(areas);
					if (chance(20)) memory.writeU64((at + below(length)) & ~7, any(addresses));
					else memory.writeU16((at + below(length)) & ~1, any(words) % 0x1_0000);
				},
				() => registers.notify(below(4), chance(50) ? undefined : below(0x1_0000)),
				async () => {
					if (chance(90)) return;
					registers.write('device_status', 0);
					if (chance(50)) await machine.run();
					start();
				},
				async () => {
					if (chance(90)) return;
					await machine.stop();
					machine.start();
				},
			];
			for (let step = 0; step < steps; step++) await any(acts)();
			seen.cut += guest.state('cutOff');
			seen.open += guest.state('connections');
			// A queue of any state breaks in one way each round, whatever the dice said.
			const [cause, breakIt] = Object.entries(breaks)[round % Object.keys(breaks).length] as [string, Break];
			registers.write('device_status', 0);
			await guest.until(() => registers.read('device_status') === 0);
			driver.begin([ringIndirect], 3);
			breakIt(driver, areas[2][0]);
			registers.notify(1);
			const faultOf = () => {
				const queues = machine.machine.stateOf('it')?.['virtio.queues'] as {fault: {cause: string}}[];
				return queues[1]?.fault.cause;
			};
			await guest.until(() => faultOf() !== 'none');
			t.is(faultOf(), cause);
			// It does its work for the next driver.
			registers.write('device_status', 0);
			await guest.until(() => registers.read('device_status') === 0);
			for (const socket of sockets) socket.destroy();
			await machine.run();
			t.deepEqual(machine.failures, [], `round ${round}`);
			guest.begin();
			await guest.send({operation: Operation.REQUEST});
			await guest.next('RESPONSE');
			t.deepEqual(machine.failures, [], `round ${round}`);
			await guest.dispose();
			t.is(machine.pins, 0);
		}
		t.true(seen.cut > 20 && seen.open > 20, `${seen.cut} ${seen.open}`);
	});
