/** Runs in a network name space of its own (unshare -rn): looks by which queues of tap interfaces its kernel gives frames, and writes what came of it as JSON. */

import {execFileSync} from 'node:child_process';
import {createSocket} from 'node:dgram';
import {packet, TestNic, turningReactor} from '#devices/network/testing';
import {noProgram} from '#support/rpc';
import {TapCounters, TapEndpoint} from '../tap-endpoint.ts';

const peer = Uint8Array.of(2, 0, 0, 0, 0, 0x99);
const ip = (...words: readonly string[]) => execFileSync('ip', words, {encoding: 'utf8'});
const {reactor, until, close} = turningReactor();

/** A NIC at an interface. */
function open(name: string, pairs: number) {
	const memory = new SharedArrayBuffer(TapCounters.byteLength);
	const nic = new TestNic(pairs);
	const tap = new TapEndpoint(name, nic, {
		reactor,
		memory,
		offset: 0,
		common: undefined,
		noticed() {},
		track: () => {},
		program: noProgram,
	});
	return {nic, tap, queues: TapCounters.on(memory, 0).queues};
}

// Somebody has made them: how many queues a NIC has of each.
ip('tuntap', 'add', 'dev', 'several', 'mode', 'tap', 'multi_queue');
ip('tuntap', 'add', 'dev', 'single', 'mode', 'tap');
const made = ['several', 'single'].flatMap((name) =>
	[1, 3].map((pairs) => {
		const {tap, queues} = open(name, pairs);
		tap.dispose();
		return queues;
	}),
);
const refused = ['lo', 'single'].map((name) => {
	const held = name === 'single' ? open(name, 1) : undefined;
	try {
		open(name, 2).tap.dispose();
		return 'opened';
	} catch (error) {
		return (error as {code?: string}).code;
	} finally {
		held?.tap.dispose();
	}
});

// One that this makes: a flow is answered by the queue that it was sent by last.
const {nic, tap} = open('ovm0', 2);
ip('addr', 'add', '10.0.0.2/24', 'dev', 'ovm0');
ip('link', 'set', 'ovm0', 'up');
ip('neigh', 'add', '10.0.0.1', 'lladdr', '02:00:00:00:00:99', 'dev', 'ovm0');
const own = Uint8Array.from(/link\/ether (\S+)/.exec(ip('link', 'show', 'ovm0'))?.[1]?.split(':') ?? [], (part) =>
	Number.parseInt(part, 16),
);
tap.start();
const socket = createSocket('udp4');
socket.on('message', (message, {port, address}) => socket.send(message, port, address));
await new Promise<void>((resolve) => socket.bind(80, '10.0.0.2', resolve));

/** Sends a datagram from a port by a queue, without waiting for its answer. */
function ask(port: number, pair: number): void {
	const frame = packet({to: own, from: peer, udp: true, payload: new Uint8Array(100), partial: true});
	frame.view.setUint16(34, port);
	tap.send(frame, pair);
}
/** The queues by which what is for a port has come. */
const answers = (port: number) =>
	nic.receivedBy.filter((_, index) => {
		const {view, length} = nic.received[index] as (typeof nic.received)[number];
		return length === 142 && view.getUint8(23) === 17 && view.getUint16(36) === port;
	});
for (const [index, pair] of [1, 0, 1, 1, 0].entries()) {
	ask(5000, pair);
	await until(() => answers(5000).length === index + 1);
}

// A pair without room keeps no other waiting, and loses nothing.
let isFull = true;
const {receive} = TestNic.prototype;
nic.receive = (frame, pair) => !(isFull && pair === 1) && receive.call(nic, frame, pair);
ask(6000, 1);
ask(7000, 0);
await until(() => answers(7000).length === 1);
const blocked = answers(6000);
isFull = false;
tap.room();
await until(() => answers(6000).length === 1);

const asked = {blocked, 5000: answers(5000), 6000: answers(6000), 7000: answers(7000)};
socket.close();
ip('link', 'del', 'ovm0');
await until(() => nic.carriers.length === 2);
tap.dispose();
await close();
process.stdout.write(JSON.stringify({made, refused, asked, carriers: nic.carriers}));
