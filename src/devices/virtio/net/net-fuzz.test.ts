import test from 'ava';
import {allOffloads, noOffloads, Segmentation} from '#devices/network/endpoint';
import {VnetHeader} from '#devices/network/packet';
import {packet, TestEndpoint} from '#devices/network/testing';
import {
	PackedDriver,
	type PciRegisters,
	ringEvent,
	ringIndirect,
	ringReset,
	seeded,
	TestDriver,
	VirtioMachine,
} from '#devices/virtio/testing';
import {netFeatures} from './features.ts';
import {virtioNetOver} from './virtio-net.ts';

const [rounds, steps, queueSize] = [60, 80, 8];
const [sentAt, receivedAt, controlAt] = [0x8000, 0x4_0000, 0xc000];
/** Rings of the first queues, and what is sent and asked. */
const areas = [
	[0x1_0000, 16 * queueSize],
	[0x1_2000, 4 + 2 * queueSize + 2],
	[0x1_3000, 4 + 8 * queueSize + 2],
	[0x1_4000, 16 * queueSize],
	[0x1_6000, 4 + 2 * queueSize + 2],
	[sentAt, 128],
	[controlAt, 32],
] as const;
const words = [0, 1, 2, 3, 4, 5, 11, 12, 14, 20, 34, 54, 64, 100, 255, 1448, 0x7fff, 0x8000, 0xffff];
const addresses = [0, sentAt, receivedAt, controlAt, 0x1_0000, 0xf_fff0, 0xf_ffff, 0x10_0000, 2 ** 32 - 1, 2 ** 52];

for (const transport of ['pci', 'mmio'] as const)
	for (const isPacked of [false, true])
		test(`a driver of a NIC on ${transport} that writes anything at any time ends nothing but its device, by ${isPacked ? 'packed' : 'split'} rings`, async (t) => {
			t.timeout(240_000);
			const below = seeded(30 + Number(isPacked) + 2 * Number(transport === 'pci'));
			const chance = (percent: number) => below(100) < percent;
			const any = <T>(values: readonly T[]) => values[below(values.length)] as T;
			let [sent, received] = [0, 0];
			for (let round = 0; round < rounds; round++) {
				const endpoint = new TestEndpoint(chance(50) ? allOffloads : noOffloads);
				const over = virtioNetOver(async (_source, nic) => {
					endpoint.nic = nic;
					return endpoint;
				});
				const config = {endpoint: {kind: 'none'}, mac: '00:15:5d:01:02:03', mtu: 1500, queues: 2, packed: true};
				const machine = await VirtioMachine.opened(over[transport] as never, transport, config);
				const {memory, registers} = machine;
				if (transport === 'pci' && chance(30)) (registers as PciRegisters).useMessages(3);
				const driver = isPacked ? new PackedDriver(machine, queueSize) : new TestDriver(machine, queueSize);
				// A packed driver has one queue, which is one of those for receiving.
				const queues = isPacked ? 1 : 5;
				const start = () => {
					// Many choices do not go together.
					const isWhole = chance(70);
					driver.begin(
						[
							...Object.values(netFeatures).filter(() => isWhole || chance(85)),
							...[ringIndirect, ringEvent, ringReset].filter(() => chance(70)),
						],
						queues,
					);
				};
				start();
				const send = () => {
					const frame = packet({
						v6: chance(30),
						udp: chance(30),
						partial: chance(60),
						payload: new Uint8Array(any([0, 10, 1400, 9000])),
					});
					const header = VnetHeader.encode({
						flags: chance(70) ? (frame.needsChecksum ? 1 : 0) : below(256),
						segmentation: chance(50) ? 0 : any([1, 3, 4, 5, 0x81, 7]),
						segmentBytes: chance(50) ? 1448 : any(words),
						checksumStart: chance(80) ? frame.checksumStart : any(words),
						checksumOffset: chance(80) ? frame.checksumOffset : any(words),
					});
					memory.copyIn(sentAt, header);
					memory.copyIn(sentAt + header.length, frame.bytes, 0, frame.length);
					const whole = header.length + frame.length;
					const length = chance(80) ? whole : any([...words, 0x2_0000]);
					const cut = below(Math.min(whole, length) + 1);
					const parts = [
						{at: sentAt, length: cut},
						{at: chance(90) ? sentAt + cut : any(addresses), length: length - cut, writable: chance(5)},
					];
					driver.offer(parts, {queue: isPacked ? 0 : any([1, 3]), head: below(queueSize - 2)});
				};
				const offer = () =>
					driver.offer(
						[
							{
								at: chance(90) ? receivedAt + 0x1000 * below(8) : any(addresses),
								length: any(words),
								writable: chance(95),
							},
							{at: receivedAt, length: any(words), writable: true},
						].slice(below(2)),
						{queue: isPacked ? 0 : any([0, 2]), head: below(queueSize - 2)},
					);
				const ask = () => {
					memory.copyIn(
						controlAt,
						Uint8Array.of(below(7), below(7), ...Array.from({length: 12}, () => any([0, 1, 2, 255]))),
					);
					const parts = [
						{at: controlAt, length: any([0, 1, 2, 3, 4, 8, 10, 14])},
						{at: controlAt + 64, length: below(3), writable: true},
					];
					driver.offer(parts, {queue: isPacked ? 0 : 4, head: below(queueSize - 2)});
				};
				const acts: readonly (() => void | Promise<void>)[] = [
					send,
					send,
					offer,
					offer,
					ask,
					() => {
						const frame = packet({
							v6: chance(30),
							partial: chance(50),
							payload: new Uint8Array(any([0, 100, 1400, 5000])),
							...(chance(20) && {vlan: below(8)}),
						});
						if (frame.needsChecksum && chance(50)) {
							frame.segmentation = any([Segmentation.TCP4, Segmentation.TCP6, Segmentation.UDP]);
							frame.segmentBytes = any(words);
						}
						endpoint.nic.receive(frame);
					},
					() => (chance(40) ? scribble() : undefined),
					() => registers.notify(below(6), chance(50) ? undefined : below(0x1_0000)),
					() => driver.notify(below(queues)),
					() => driver.notify(below(queues)),
					() => {
						endpoint.most = endpoint.sent.length + below(3);
						endpoint.nic.room();
					},
					() => void registers.takeInterrupts(),
					() => registers.writeConfig(below(24), any([1, 2, 4]), any(words)),
					() => endpoint.nic.carrier(chance(80)),
					() => machine.machine.control('it', {kind: 'link', up: chance(80)} as never),
					() => {
						if (chance(85)) return;
						registers.write('queue_select', below(6));
						registers.write(
							any(['queue_size', 'queue_reset', 'queue_enable', 'queue_desc', 'queue_driver']),
							any(words),
						);
					},
					async () => {
						if (chance(90)) return;
						registers.write('device_status', 0);
						if (chance(50)) await machine.run();
						start();
					},
				];
				function scribble(): void {
					const [at, length] = any(areas);
					if (chance(20)) memory.writeU64((at + below(length)) & ~7, any(addresses));
					else memory.writeU16((at + below(length)) & ~1, any(words));
				}
				for (let step = 0; step < steps; step++) await any(acts)();
				sent += endpoint.sent.length;
				for (const {length, needsChecksum, checksumStart, checksumOffset, segmentation} of endpoint.sent) {
					t.true(length >= 14 && (!needsChecksum || checksumStart + checksumOffset + 2 <= length), `round ${round}`);
					if (endpoint.takes === noOffloads) t.true(!needsChecksum && segmentation === Segmentation.NONE);
				}
				machine.machine.control('it', {kind: 'link', up: true} as never);
				registers.write('device_status', 0);
				for (let tries = 0; registers.read('device_status') !== 0 && tries < 10_000; tries++) await machine.run();
				await machine.run();
				t.deepEqual(machine.failures, [], `round ${round}`);
				// It does its work for the next driver.
				driver.begin([netFeatures.mergeable], queues);
				driver.offer([{at: receivedAt, length: 2000, writable: true}]);
				await driver.notify();
				const frame = packet();
				t.true(endpoint.nic.receive(frame));
				await machine.run();
				t.deepEqual(driver.used(), [[0, VnetHeader.size + frame.length]], `round ${round}`);
				received++;
				await machine.stop();
				await machine.dispose();
			}
			t.is(received, rounds);
			if (!isPacked) t.true(sent > rounds, `${sent}`);
		});
