import {randomBytes} from 'node:crypto';
import {connect} from 'node:net';
import test, {type ExecutionContext} from 'ava';
import {SwitchCounters, SwitchEndpoint, switchCommon} from '#devices/network/switch';
import type {Reactor} from '#support/reactor';
import {noProgram} from '#support/rpc';
import {addresses, query} from './testing/dns-messages.ts';
import {ACK, mac, SYN, udpFrame} from './testing/frames.ts';
import {makeNetwork} from './testing/make-network.ts';
import {tcpServer} from './testing/tcp-server.ts';
import {gatewayMac, TestGuest} from './testing/test-guest.ts';
import {SwitchUplink} from './uplink.ts';
import type {UserNetwork} from './user-network.ts';

/** A network with a guest of its own, and a port of a switch that others come to. */
async function onSwitch(t: ExecutionContext) {
	// Ports look whether there is something, since Node's own loop runs here, for the sockets.
	const watch: Reactor['watch'] = (_fd, _interest, ready) => {
		const timer = setInterval(() => ready({readable: true, writable: false, failed: false}), 1);
		return {interest() {}, close: () => clearInterval(timer)};
	};
	const reactor = {watch} as Reactor;
	const common = new SharedArrayBuffer(switchCommon('lan').bytes);
	const open: {dispose(): unknown}[] = [];
	const host = () => {
		const memory = new SharedArrayBuffer(SwitchCounters.byteLength);
		return {common, memory, offset: 0, reactor, program: noProgram, noticed() {}, track() {}};
	};
	const {network, clock, decisions} = makeNetwork({isShared: true});
	const own = new TestGuest(network, {name: 'web'});
	const uplink = new SwitchUplink(network, 'lan', 1500, host());
	open.push(uplink);
	uplink.start();
	/** A NIC at the switch, which knows its address by itself. */
	const plugged = (number: number, ipv4: string, name?: string) => {
		const join: UserNetwork['join'] = (nic) => {
			const port = new SwitchEndpoint({name: 'lan', guest: name}, nic, host());
			open.push(port);
			return Object.assign(port, {
				ipv4,
				name: name ?? '',
				forward: () => Promise.reject(new Error('none')),
				remember: () => new Uint8Array(),
				recall() {},
			});
		};
		return new TestGuest({join} as UserNetwork, {number});
	};
	t.teardown(() => {
		for (const each of open) each.dispose();
		own.endpoint.dispose();
	});
	const leave = (guest: TestGuest) => {
		open.splice(open.indexOf(guest.endpoint), 1);
		guest.endpoint.dispose();
	};
	const another = () => new SwitchUplink(makeNetwork().network, 'lan', 1500, host());
	const endNetwork = () => {
		open.splice(open.indexOf(uplink), 1);
		uplink.dispose();
	};
	return {network, clock, decisions, own, plugged, leave, another, endNetwork};
}

const toAll = mac('ff:ff:ff:ff:ff:ff');
/** Says something to others of the link. */
const say = (guest: TestGuest, toMac: readonly number[], text: string) =>
	guest.send(udpFrame({...guest.to('10.0.0.99'), toMac: [...toMac]}, 1, 9, text));
/** What has been said to a guest until something comes to a port of its. */
async function heardUntil(guest: TestGuest, port: number): Promise<readonly string[]> {
	while (!guest.frames.some(({udp}) => udp?.port === port)) await new Promise(setImmediate);
	return guest.frames.flatMap(({udp}) => (udp?.port === 9 ? [udp.data.toString()] : []));
}

test('NICs of a switch are guests of the network: they have names, connections and answers of their own', async (t) => {
	const {own, plugged, decisions} = await onSwitch(t);
	const [db, cache] = [plugged(2, '10.0.0.3', 'db'), plugged(3, '10.0.0.4', 'cache')];
	db.udp('10.0.0.1', 5000, 53, query('web.internal'));
	t.deepEqual(addresses((await db.nextUdp(5000)).data), ['10.0.0.2']);
	cache.udp('10.0.0.1', 5001, 53, query('db.internal'));
	t.deepEqual(addresses((await cache.nextUdp(5001)).data), ['10.0.0.3']);
	own.udp('10.0.0.1', 5002, 53, query('cache.internal'));
	t.deepEqual(addresses((await own.nextUdp(5002)).data), ['10.0.0.4']);
	const server = await tcpServer(t);
	for (const [guest, name] of [
		[db, 'db'],
		[cache, 'cache'],
	] as const) {
		guest.tcp('127.0.0.1', {sourcePort: 4000, port: server.port, sequence: 99, flags: SYN});
		const answer = await guest.nextTcp(4000);
		t.is(answer.flags, SYN | ACK);
		const acknowledgment = (answer.sequence + 1) >>> 0;
		guest.tcp('127.0.0.1', {sourcePort: 4000, port: server.port, sequence: 100, acknowledgment, flags: ACK});
		(await server.accepted()).write(`for ${name}`);
		t.is((await guest.nextTcp(4000, ({data}) => data.length > 0)).data.toString(), `for ${name}`);
	}
	t.deepEqual(
		decisions.filter(({protocol}) => protocol === 'tcp').map(({guest}) => guest),
		['db', 'cache'],
	);
});

test('a port of the host leads to the NIC of the switch that has an address', async (t) => {
	const {own, plugged} = await onSwitch(t);
	const forward = await own.endpoint.forward({
		...{protocol: 'tcp', guestAddress: '10.0.0.3', hostAddress: '127.0.0.1', hostPort: 0, guestPort: 22},
	});
	t.teardown(() => forward.close());
	const db = plugged(2, '10.0.0.3', 'db');
	db.udp('10.0.0.1', 5000, 53, query('web.internal'));
	await db.nextUdp(5000);
	const socket = connect(forward.port, '127.0.0.1');
	socket.on('error', () => undefined);
	t.teardown(() => socket.destroy());
	const {sourcePort, sequence} = await db.nextTcp(22);
	const acknowledgment = (sequence + 1) >>> 0;
	db.tcp('10.0.0.1', {sourcePort: 22, port: sourcePort, sequence: 99, acknowledgment, flags: SYN | ACK});
	socket.write('for db');
	t.is((await db.nextTcp(22, ({data}) => data.length > 0)).data.toString(), 'for db');
	t.deepEqual(own.frames, []);
});

test('what is for all reaches each guest once, on the switch and off it', async (t) => {
	const {own, plugged} = await onSwitch(t);
	const [db, cache] = [plugged(2, '10.0.0.3', 'db'), plugged(3, '10.0.0.4', 'cache')];
	for (const guest of [db, cache]) {
		guest.udp('10.0.0.1', 5000, 53, query('web.internal'));
		await guest.nextUdp(5000);
	}
	say(own, toAll, 'own');
	say(db, toAll, 'db');
	say(own, [...db.mac], 'to db');
	say(db, [...own.mac], 'to own');
	say(db, [...cache.mac], 'to cache');
	// What somebody asks now is answered behind all of that.
	const heard = [];
	for (const guest of [db, cache, own]) {
		guest.udp('10.0.0.1', 5001, 53, query('web.internal'));
		heard.push([...(await heardUntil(guest, 5001))].sort());
	}
	t.deepEqual(heard, [
		['own', 'to db'],
		['db', 'own', 'to cache'],
		['db', 'to own'],
	]);
});

test('a guest of the switch is found by the address that it has sent from last', async (t) => {
	const {network, own, plugged} = await onSwitch(t);
	const db = plugged(2, '10.0.0.3', 'db');
	db.udp('10.0.0.1', 5000, 53, query('web.internal'));
	await db.nextUdp(5000);
	const another = mac('02:00:00:00:00:77');
	db.send(udpFrame({...db.to('10.0.0.99'), fromMac: [...another], toMac: [...toAll]}, 1, 10, 'here'));
	await own.nextUdp(10);
	t.deepEqual([...(network.macOf('db') ?? [])], another);
	say(own, another, 'to another');
	db.udp('10.0.0.1', 5001, 53, query('web.internal'));
	t.deepEqual(await heardUntil(db, 5001), ['to another']);
});

test('a switch has one network, until that goes', async (t) => {
	const {endNetwork, another} = await onSwitch(t);
	t.throws(another, {code: 'NETWORK_SWITCH_TAKEN', message: /lan/});
	t.throws(another, {code: 'NETWORK_SWITCH_TAKEN'}, 'no port is lost');
	endNetwork();
	another().dispose();
});

test('a guest that sends anything harms nobody but itself', async (t) => {
	const {own, plugged} = await onSwitch(t);
	const wild = plugged(2, '10.0.0.3', 'wild');
	for (let count = 0; count < 2000; count++) {
		const bytes = randomBytes(14 + (count % 200));
		// The tests' other guest takes what is for it apart, and wants it to be right.
		bytes.set(mac(gatewayMac));
		if (count % 2 === 0) bytes.set([...wild.mac, 0x08, count % 4 === 0 ? 0x00 : 0x06], 6);
		wild.send(bytes);
		if (count % 50 === 0) await new Promise(setImmediate);
	}
	const db = plugged(3, '10.0.0.4', 'db');
	for (const guest of [own, db]) {
		guest.udp('10.0.0.1', 5000, 53, query('web.internal'));
		t.deepEqual(addresses((await guest.nextUdp(5000)).data), ['10.0.0.2']);
	}
});

test('a guest that has gone leaves its address, and who comes to its port is somebody else', async (t) => {
	const {network, clock, plugged, leave} = await onSwitch(t);
	const db = plugged(2, '10.0.0.3', 'db');
	db.udp('10.0.0.1', 5000, 53, query('db.internal'));
	await db.nextUdp(5000);
	t.is(network.guestCount, 2);
	leave(db);
	clock.pass(1000);
	t.is(network.guestCount, 1);
	const other = plugged(3, '10.0.0.3', 'other');
	other.udp('10.0.0.1', 5000, 53, query('other.internal'));
	t.deepEqual(addresses((await other.nextUdp(5000)).data), ['10.0.0.3']);
	leave(other);
	// Before anybody has looked.
	const third = plugged(4, '10.0.0.3', 'third');
	third.udp('10.0.0.1', 5000, 53, query('third.internal'));
	t.deepEqual(addresses((await third.nextUdp(5000)).data), ['10.0.0.3']);
	t.is(network.guestCount, 2);
});

test('what somebody has sent who has gone is not taken for what the next at that port wants', async (t) => {
	const {network, decisions, plugged, leave} = await onSwitch(t);
	const server = await tcpServer(t);
	const gone = plugged(2, '10.0.0.3', 'gone');
	gone.tcp('127.0.0.1', {sourcePort: 4000, port: server.port, sequence: 99, flags: SYN});
	leave(gone);
	const other = plugged(3, '10.0.0.3', 'other');
	other.udp('10.0.0.1', 5000, 53, query('other.internal'));
	t.deepEqual(addresses((await other.nextUdp(5000)).data), ['10.0.0.3']);
	t.deepEqual(decisions, [], 'nobody has asked for anything');
	t.is(network.guestCount, 2);
});

test('a name is one guest’s, for policies too, and none has the gateway’s', async (t) => {
	const {network} = makeNetwork();
	const names = ['web', 'Web', 'host', undefined, 'guest6', 'guest', undefined].map(
		(name, index) => new TestGuest(network, {...(name && {name}), number: index + 1}).endpoint.name,
	);
	t.deepEqual(names, ['web', 'guest2', 'guest3', 'guest4', 'guest6', 'guest', 'guest7']);
	t.is(new Set(names).size, names.length);
});
