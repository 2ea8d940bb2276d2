/** Runs in a network name space of its own (unshare -rn) with an interface `lo`: a guest sends echo requests, and what came of them is written as JSON. */

import {readFileSync, writeFileSync} from 'node:fs';
import {be16, icmpFrame, type Parsed} from './frames.ts';
import {makeNetwork, type NetworkChoices} from './make-network.ts';
import {TestGuest} from './test-guest.ts';

const [loopback6, elsewhere] = ['0:0:0:0:0:0:0:1', '93.184.216.34'];
/** Sockets for echo requests, of which the name space has nobody else's: a line for each behind the first. */
const openNow = () =>
	['icmp', 'icmp6'].reduce(
		(sum, name) => sum + readFileSync(`/proc/net/${name}`, 'latin1').trim().split('\n').length - 1,
		0,
	);

function makeGuest(choices: NetworkChoices = {}) {
	const made = makeNetwork(choices);
	const told = () => made.decisions.map(({kind, protocol, address, port}) => `${kind} ${protocol} ${address} ${port}`);
	const guest = new TestGuest(made.network);
	const {counters} = guest.endpoint as unknown as {counters: Record<string, number>};
	const ask = (to: string, id: number, data: string) =>
		guest.send(icmpFrame(guest.to(to), to.includes(':') ? 128 : 8, 0, [...be16(id), ...be16(7), ...Buffer.from(data)]));
	const ping = async (to: string, id = 0x1234, data = 'abc') => {
		ask(to, id, data);
		return shown(await guest.next());
	};
	return {...made, guest, counters, ask, ping, told};
}

/** From whom, type and code, identifier and number, and what else there is: of what an error quotes nothing. */
function shown({source, payload}: Parsed): string {
	const [type = 0, code = 0] = payload;
	if (type !== 0 && type !== 129) return `${source} ${type}/${code}`;
	return `${source} ${type}/${code} ${payload.readUInt16BE(4)} ${payload.readUInt16BE(6)} ${payload.subarray(8)}`;
}

const closed = makeGuest();
const withoutSockets = [await closed.ping('127.0.0.1'), closed.counters['unanswered'], closed.told()];
closed.guest.endpoint.dispose();
writeFileSync('/proc/sys/net/ipv4/ping_group_range', '0 0');

const plain = makeGuest();
const answers = [
	await plain.ping('127.0.0.1'),
	await plain.ping('127.0.0.1', 0x4321, 'from another'),
	await plain.ping('127.0.0.1', 0x1234, ''),
	await plain.ping(loopback6, 9, 'six'),
];
plain.ask('127.0.0.1', 1, 'x'.repeat(3000));
let long = 0;
while (long < 3008) long += (await plain.guest.next()).payload.length;
const refused = [await plain.ping('192.0.0.8'), await plain.ping('192.0.0.8'), await plain.ping('203.0.113.9')];
const whole = {answers, long, refused, told: plain.told(), echoes: plain.counters['echoes']};
// Three identifiers of 127.0.0.1, one of ::1; those of ends that are refused have sent nothing, and have no identifier.
const sockets = openNow();
plain.clock.pass(100_000);
while (openNow() > 0) await new Promise(setImmediate);

const ports = makeGuest({closed: 'all', allow: ['127.0.0.1:80', '[::1]']});
const byRule = [await ports.ping('127.0.0.1'), await ports.ping(loopback6)];
ports.guest.endpoint.dispose();

const asked: unknown[] = [];
const led = makeGuest({
	allow: [],
	connect: (attempt) => {
		asked.push(attempt);
		if (attempt.address === elsewhere) return {kind: 'redirect', address: '127.0.0.1', port: 9};
		return {kind: 'refuse', reason: 'the test has nothing there'};
	},
});
const byProgram = [await led.ping(elsewhere), await led.ping('93.184.216.35')];
led.guest.endpoint.dispose();

const unreachable = makeGuest({allow: ['*']});
const noRoute = await unreachable.ping(elsewhere);
unreachable.guest.endpoint.dispose();

const many = makeGuest();
for (let id = 0; id < 300; id++) {
	many.clock.pass(1);
	many.ask('127.0.0.1', id, '');
	await new Promise(setImmediate);
}
const bounded = {most: openNow(), tableFull: many.counters['tableFull']};
await many.guest.endpoint.dispose();
while (openNow() > 0) await new Promise(setImmediate);

process.stdout.write(JSON.stringify({withoutSockets, whole, sockets, byRule, byProgram, asked, noRoute, bounded}), () =>
	process.exit(),
);
