/**
 * Runs in a network name space of its own (unshare -rn), and makes a second one, whose kernel is the guest of a network: its TCP and the network's meet
 * by a tap interface and a wire that loses frames and swaps them, as a seed says. Writes what came of it as JSON.
 */

import {execFileSync, spawn} from 'node:child_process';
import {once} from 'node:events';
import {type AddressInfo, createServer, type Socket} from 'node:net';
import {createInterface} from 'node:readline';
import {fileURLToPath} from 'node:url';
import {type Endpoint, Frame, type Nic} from '#devices/network/endpoint';
import {PlainSender} from '#devices/network/packet';
import {tapKind} from '#devices/network/tap';
import {turningReactor} from '#devices/network/testing';
import {seeded} from '#devices/virtio/testing';
import {noProgram} from '#support/rpc';
import {reactorClock} from '../clock.ts';
import {GuestCounters} from '../counters.ts';
import {type NetworkPlan, planOf} from '../plan.ts';
import {AddressKinds, Policy} from '../policy/index.ts';
import {UserNetwork} from '../user-network.ts';
import type {GuestAnswer, GuestJob} from './kernel-guest.ts';
import {exchange, give, keepLittle, reset, resetOf, take} from './tcp-ends.ts';

const thousandthsLost = 30;
const thousandthsSwapped = 30;
/** More than a kernel that keeps little has room for. */
const kernelBytes = 2 ** 20;
/** How long a frame that is to be behind the next one waits for one, in nanoseconds. */
const swapNs = 2e6;

const {reactor, until} = turningReactor();
const below = seeded(1);

/** One direction of the wire: takes frames as they are, cuts them to packets, and passes those on, but for some, and not all in their order. */
class Wire {
	readonly #to: () => Endpoint | Nic;
	readonly #plain = new PlainSender((frame) => this.#pass(frame));
	readonly #held = new Frame();
	#isHolding = false;
	lost = 0;
	swapped = 0;
	/** Segments of TCP that say that their sender has no room. */
	closed = 0;

	constructor(to: () => Endpoint | Nic) {
		this.#to = to;
	}

	send(frame: Frame): boolean {
		return this.#plain.send(frame);
	}

	#pass(frame: Frame): true {
		if (isClosedWindow(frame)) this.closed++;
		if (below(1000) < thousandthsLost) this.lost++;
		else if (!this.#isHolding && below(1000) < thousandthsSwapped) {
			this.#held.copy(frame);
			this.#isHolding = true;
			this.swapped++;
			reactor.after(swapNs, () => this.#release());
		} else {
			this.#give(frame);
			this.#release();
		}
		return true;
	}

	#release(): void {
		if (this.#isHolding) this.#give(this.#held);
		this.#isHolding = false;
	}

	/** Whoever has no room loses it. */
	#give(frame: Frame): void {
		const to = this.#to();
		if ('send' in to) to.send(frame);
		else to.receive(frame);
	}
}

/** RFC 9293, 3.1: the window of a segment that acknowledges, and is no reset. */
function isClosedWindow({view, length}: Frame): boolean {
	const isV6 = view.getUint16(12) === 0x86dd;
	if (!isV6 && view.getUint16(12) !== 0x0800) return false;
	const tcp = isV6 ? 54 : 14 + (view.getUint8(14) & 0xf) * 4;
	if (view.getUint8(isV6 ? 20 : 23) !== 6 || length < tcp + 20) return false;
	return (view.getUint8(tcp + 13) & 0x16) === 0x10 && view.getUint16(tcp + 14) === 0;
}

const server = createServer({allowHalfOpen: true});
server.listen(0, '127.0.0.1');
await once(server, 'listening');
const target = {address: '127.0.0.1', port: (server.address() as AddressInfo).port};
const clock = reactorClock(reactor);
const network = new UserNetwork({
	clock,
	plan: planOf('10.0.0.0/24') as NetworkPlan,
	policy: new Policy({closed: 'host', allow: [], clock, decided() {}, connect: undefined, kinds: new AddressKinds()}),
	guestForwards: [{protocol: 'tcp', address: undefined, port: 80, target}],
	nameservers: [],
	ipv6: true,
});
const nicOver = (wire: Wire): Nic => ({
	mac: Uint8Array.of(2, 0, 0, 0, 0, 1),
	mtu: 1500,
	pairs: 1,
	receive: (frame) => wire.send(frame),
	room() {},
	carrier() {},
});
const toKernel = new Wire(() => tap);
const toNetwork = new Wire(() => endpoint);
const counters = GuestCounters.on(new SharedArrayBuffer(GuestCounters.byteLength), 0);
const endpoint = network.join(nicOver(toKernel), {counters}) as Endpoint;
const memory = new SharedArrayBuffer(tapKind.sharedBytes({kind: 'tap', name: 'ovm0'}));
const host = {reactor, memory, offset: 0, common: undefined, noticed() {}, track: () => {}, program: noProgram};
const tap = await tapKind.open({kind: 'tap', name: 'ovm0'}, nicOver(toNetwork), host);

const guestScript = fileURLToPath(new URL('kernel-guest.ts', import.meta.url));
const words = ['-n', process.execPath, '--import=tsx', guestScript];
const child = spawn('unshare', words, {stdio: ['pipe', 'pipe', 'inherit']});
const lines = createInterface(child.stdout)[Symbol.asyncIterator]();
const answer = async (): Promise<GuestAnswer> => JSON.parse((await lines.next()).value as string);
const ask = (job: GuestJob) => child.stdin.write(`${JSON.stringify(job)}\n`);

await answer();
execFileSync('ip', ['link', 'set', 'ovm0', 'netns', `${child.pid}`]);
keepLittle();
endpoint.start();
tap.start();
ask({what: 'interface', addresses: ['10.0.0.2/24', 'fd4f:7065:6e56::99/64']});
await answer();

/** What becomes of a connection at the host's end, and what the guest says of its own. */
async function meet<T>(job: GuestJob, serve: (socket: Socket) => Promise<T>): Promise<readonly [T, GuestAnswer]> {
	const connection = once(server, 'connection');
	ask(job);
	const [socket] = (await connection) as [Socket];
	return Promise.all([serve(socket), answer()]);
}

const results: Record<string, unknown>[] = [];
for (const address of ['10.0.0.1', 'fd4f:7065:6e56::1']) {
	const [own, guest] = await meet({what: 'exchange', address}, exchange);
	const isSame = own.sent === guest.got && own.got === guest.sent;

	// The guest does not read until the network has been told so, and has asked again.
	const before = toNetwork.closed;
	const guestSleeps = meet({what: 'take', address}, (socket) => give(socket, kernelBytes));
	await until(() => toNetwork.closed > before + 1);
	ask({what: 'wake'});
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
ask({what: 'counts'});
const {counts: kernel} = await answer();
child.kill();
const said = {
	results,
	wires: [toKernel, toNetwork].map(({lost, swapped}) => ({lost, swapped})),
	kernel,
	network: {repeated: counters.tcpRepeated, malformed: counters.malformed},
};
// Nothing is taken apart: connections of the network's and the kernel's end with their processes.
process.stdout.write(JSON.stringify(said), () => process.exit());
