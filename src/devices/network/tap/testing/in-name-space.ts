/** Runs in a network name space of its own (unshare -rn): talks to its kernel by a tap interface, and writes what came of it as JSON. */

import {execFileSync} from 'node:child_process';
import {createSocket} from 'node:dgram';
import {Segmentation} from '#devices/network/endpoint';
import {isSound, packet, payloadOf, TestNic, turningReactor} from '#devices/network/testing';
import {noProgram} from '#support/rpc';
import {TapCounters, TapEndpoint} from '../tap-endpoint.ts';

const peer = '02:00:00:00:00:99';
const macOf = (text: string) => Uint8Array.from(text.split(':'), (part) => Number.parseInt(part, 16));
const ip = (...words: readonly string[]) => execFileSync('ip', words, {encoding: 'utf8'});

const {reactor, until, close} = turningReactor();
const memory = new SharedArrayBuffer(TapCounters.byteLength);
const nic = new TestNic();
const tap = new TapEndpoint('ovm0', nic, {
	reactor,
	memory,
	offset: 0,
	common: undefined,
	track: () => {},
	program: noProgram,
	noticed() {},
});
ip('addr', 'add', '10.0.0.2/24', 'dev', 'ovm0');
ip('link', 'set', 'ovm0', 'up');
ip('neigh', 'add', '10.0.0.1', 'lladdr', peer, 'dev', 'ovm0');
const own = macOf(/link\/ether (\S+)/.exec(ip('link', 'show', 'ovm0'))?.[1] ?? '');
tap.start();

const socket = createSocket('udp4');
const messages: Buffer[] = [];
socket.on('message', (message) => messages.push(message));
await new Promise<void>((resolve) => socket.bind(80, '10.0.0.2', resolve));

// From the kernel: a checksum is left to whoever takes the frame.
const sent = Buffer.alloc(1000, 'x');
socket.send(sent, 7001, '10.0.0.1');
const isOurs = ({view, length}: (typeof nic.received)[number]) => length > 42 && view.getUint16(36) === 7001;
await until(() => nic.received.some(isOurs));
const got = nic.received.find(isOurs);
const fromKernel = got !== undefined && {
	needsChecksum: got.needsChecksum,
	start: got.checksumStart,
	offset: got.checksumOffset,
	isSame: Buffer.from(payloadOf(got)).equals(sent),
};

// To the kernel: one that has its checksum, one that has not, and one that is to be cut.
const datagram = (length: number, partial: boolean) =>
	packet({to: own, from: macOf(peer), udp: true, payload: new Uint8Array(length).fill(0x79), partial});
const whole = datagram(500, false);
const sound = isSound(whole);
tap.send(whole);
tap.send(datagram(600, true));
const large = datagram(2500, true);
large.segmentation = Segmentation.UDP;
large.segmentBytes = 1000;
if (tap.takes.udp) tap.send(large);
const wrong = datagram(700, false);
wrong.view.setUint16(40, wrong.view.getUint16(40) ^ 1);
tap.send(wrong);
tap.send(datagram(800, true));
await until(() => messages.some(({length}) => length === 800));

const again = (() => {
	try {
		new TapEndpoint('ovm0', nic, {
			reactor,
			memory,
			offset: 0,
			common: undefined,
			track: () => {},
			program: noProgram,
			noticed() {},
		}).dispose();
		return 'opened';
	} catch (error) {
		return (error as {code?: string}).code;
	}
})();
socket.close();
// The host takes the interface away.
ip('link', 'del', 'ovm0');
await until(() => nic.carriers.length > 0);
tap.send(whole);
tap.stop();
tap.start();
await new Promise<void>((resolve) => void reactor.after(20e6, resolve));
const gone = {carriers: nic.carriers, lost: TapCounters.on(memory, 0).lost};
tap.stop();
tap.dispose();
await close();
const lengths = messages.map(({length}) => length);
process.stdout.write(JSON.stringify({fromKernel, sound, lengths, udp: tap.takes.udp, again, gone}));
