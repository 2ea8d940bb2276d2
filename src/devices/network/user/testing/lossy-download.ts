/**
 * Runs in a network name space of its own (unshare -rn): has the kernel of a second one take 8 MiB by a wire that loses so many thousandths of its packets
 * each way, and swaps as many as the test does. Words: who sends, `network` or `kernel`, which is this name space's own TCP; the thousandths; a seed.
 * Writes the seconds that it took.
 */

import {execFileSync} from 'node:child_process';
import {once} from 'node:events';
import {type AddressInfo, createServer} from 'node:net';
import type {Endpoint} from '#devices/network/endpoint';
import {turningReactor} from '#devices/network/testing';
import {seeded} from '#devices/virtio/testing';
import {KernelGuest} from './kernel-guest-process.ts';
import {networkEnd, tapEnd} from './lossy-ends.ts';
import {LossyWire} from './lossy-wire.ts';
import {give} from './tcp-ends.ts';

const bytes = 8 * 2 ** 20;
const thousandthsSwapped = 30;

const [sender, thousandthsLost, seed] = process.argv.slice(2);
const isNetwork = sender === 'network';
const {reactor} = turningReactor();
const losses = {thousandthsLost: Number(thousandthsLost), thousandthsSwapped, below: seeded(Number(seed))};
const toGuest = new LossyWire(() => tap, reactor, losses);
const fromGuest = new LossyWire(() => end, reactor, losses);
const tap = await tapEnd('ovm0', fromGuest.nic, reactor);
const server = createServer({allowHalfOpen: true});
let end: Endpoint;
if (isNetwork) {
	server.listen(0, '127.0.0.1');
	await once(server, 'listening');
	end = networkEnd(toGuest.nic, reactor, (server.address() as AddressInfo).port);
} else {
	end = await tapEnd('ovm1', toGuest.nic, reactor);
	execFileSync('ip', ['addr', 'add', '10.0.0.1/24', 'dev', 'ovm1']);
	execFileSync('ip', ['link', 'set', 'ovm1', 'up']);
	server.listen(80, '10.0.0.1');
	await once(server, 'listening');
}
const guest = await KernelGuest.with(['10.0.0.2/24'], () => {
	end.start();
	tap.start();
});
let begin = 0;
const [given, taken] = await guest.meet(server, {what: 'take', address: '10.0.0.1'}, (socket) => {
	begin = performance.now();
	guest.ask({what: 'wake'});
	return give(socket, bytes);
});
const seconds = (performance.now() - begin) / 1000;
guest.kill();
if (given.sent !== taken.got) throw new Error('what came is not what was sent');
process.stdout.write(`${seconds}`, () => process.exit());
