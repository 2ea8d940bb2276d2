/**
 * Runs in a network name space of its own (unshare -rn), and makes a second one, whose kernel is the guest of a network: its TCP and the network's meet
 * by a tap interface and a wire that loses frames and swaps them, as a seed says. Writes what came of it as JSON.
 */

import {once} from 'node:events';
import {type AddressInfo, createServer, type Socket} from 'node:net';
import {turningReactor} from '#devices/network/testing';
import {seeded} from '#devices/virtio/testing';
import {GuestCounters} from '../counters.ts';
import type {GuestJob} from './kernel-guest.ts';
import {KernelGuest} from './kernel-guest-process.ts';
import {networkEnd, tapEnd} from './lossy-ends.ts';
import {LossyWire} from './lossy-wire.ts';
import {exchange, give, keepLittle, reset, resetOf, take} from './tcp-ends.ts';

const thousandthsLost = 30;
const thousandthsSwapped = 30;
/** More than a kernel that keeps little has room for. */
const kernelBytes = 2 ** 20;

const {reactor, until} = turningReactor();
const below = seeded(1);

const server = createServer({allowHalfOpen: true});
server.listen(0, '127.0.0.1');
await once(server, 'listening');
const losses = {thousandthsLost, thousandthsSwapped, below};
const toKernel = new LossyWire(() => tap, reactor, losses);
const toNetwork = new LossyWire(() => endpoint, reactor, losses);
const counters = GuestCounters.on(new SharedArrayBuffer(GuestCounters.byteLength), 0);
const {port} = server.address() as AddressInfo;
const endpoint = networkEnd(toKernel.nic, reactor, port, counters);
const tap = await tapEnd('ovm0', toNetwork.nic, reactor);

keepLittle();
const guest = await KernelGuest.with(['10.0.0.2/24', 'fd4f:7065:6e56::99/64'], () => {
	endpoint.start();
	tap.start();
});
const meet = <T>(job: GuestJob, serve: (socket: Socket) => Promise<T>) => guest.meet(server, job, serve);

const results: Record<string, unknown>[] = [];
for (const address of ['10.0.0.1', 'fd4f:7065:6e56::1']) {
	const [own, its] = await meet({what: 'exchange', address}, exchange);
	const isSame = own.sent === its.got && own.got === its.sent;

	// The guest does not read until the network has been told so, and has asked again.
	const before = toNetwork.closed;
	const guestSleeps = meet({what: 'take', address}, (socket) => give(socket, kernelBytes));
	await until(() => toNetwork.closed > before + 1);
	guest.ask({what: 'wake'});
	const [given, taken] = await guestSleeps;

	// The host does not read until the guest's kernel has been told so, and has asked again.
	const wake = Promise.withResolvers<void>();
	const beforeHost = toKernel.closed;
	const hostSleeps = meet({what: 'give', address}, (socket) => take(socket, wake.promise));
	await until(() => toKernel.closed > beforeHost + 1);
	wake.resolve();
	const [takenHere, givenThere] = await hostSleeps;

	const [hostCode] = await meet({what: 'reset', address}, resetOf);
	const [, {code: guestCode}] = await meet({what: 'resetOf', address}, reset);
	results.push({
		isSame,
		isWholeThere: given.sent === taken.got,
		isWholeHere: givenThere.sent === takenHere.got,
		resets: [hostCode, guestCode],
	});
}
guest.ask({what: 'counts'});
const {counts: kernel} = await guest.answer();
guest.kill();
const said = {
	results,
	wires: [toKernel, toNetwork].map(({lost, swapped}) => ({lost, swapped})),
	kernel,
	network: {repeated: counters.tcpRepeated, malformed: counters.malformed},
};
// Nothing is taken apart: connections of the network's and the kernel's end with their processes.
process.stdout.write(JSON.stringify(said), () => process.exit());
