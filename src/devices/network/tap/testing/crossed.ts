/**
 * Runs in a network name space of its own (unshare -rn), and makes a second one: the kernels' TCP of both meets by two tap interfaces, each of
 * which is given what the other gives, as it is. Writes what came of it as JSON.
 */

import {execFileSync, spawn} from 'node:child_process';
import {createHash, randomBytes} from 'node:crypto';
import {once} from 'node:events';
import {connect} from 'node:net';
import {finished} from 'node:stream/promises';
import type {Endpoint, Frame, Nic} from '#devices/network/endpoint';
import {turningReactor} from '#devices/network/testing';
import {noProgram} from '#support/rpc';
import {TapCounters, TapEndpoint} from '../tap-endpoint.ts';

const bytes = 4 * 2 ** 20;
const {reactor, close} = turningReactor();

/** A NIC that passes on to the endpoint of another one what its own gives it, and notes how it is to be cut. */
class CrossedNic implements Nic {
	readonly mac = Uint8Array.of(2, 0, 0, 0, 0, 1);
	readonly mtu = 1500;
	readonly pairs = 2;
	readonly kinds = new Set<number>();
	other!: Endpoint;
	own!: Endpoint;

	receive(frame: Frame, pair?: number): boolean {
		if (!this.other.send(frame, pair)) return false;
		if (frame.length > 1600) this.kinds.add(frame.segmentation);
		return true;
	}

	room(): void {
		// What the other one's interface has given waits for it.
		this.peer.own.room();
	}

	peer!: CrossedNic;
	carrier(): void {}
}

const nics = [new CrossedNic(), new CrossedNic()] as const;
const taps = nics.map((nic, index) => {
	const memory = new SharedArrayBuffer(TapCounters.byteLength);
	const host = {reactor, memory, offset: 0, common: undefined, noticed() {}, track: () => {}, program: noProgram};
	return new TapEndpoint(`ovm${index}`, nic, host);
});
for (const [index, nic] of nics.entries()) {
	nic.own = taps[index] as Endpoint;
	nic.other = taps[1 - index] as Endpoint;
	nic.peer = nics[1 - index] as CrossedNic;
}

/** Gives back what it gets, in the second name space. */
const server = `
	const {execFileSync} = require('node:child_process');
	const ip = (words) => execFileSync('ip', words.split(' '));
	process.stdin.once('data', () => {
		ip('addr add 10.0.0.2/24 dev ovm1');
		ip('addr add fd00::2/64 dev ovm1 nodad');
		ip('link set ovm1 up');
		require('node:net').createServer((socket) => socket.pipe(socket)).listen(80, '::', () => process.stdout.write('there'));
	});
	process.stdout.write('here');
`;
const child = spawn('unshare', ['-n', process.execPath, '-e', server], {stdio: ['pipe', 'pipe', 'inherit']});
await once(child.stdout, 'data');
const ip = (words: string) => execFileSync('ip', words.split(' '));
ip(`link set ovm1 netns ${child.pid}`);
ip('addr add 10.0.0.1/24 dev ovm0');
ip('addr add fd00::1/64 dev ovm0 nodad');
ip('link set ovm0 up');
for (const tap of taps) tap.start();
child.stdin.write('go');
await once(child.stdout, 'data');

/** Sends and gets as much by a connection: whether it is the same. */
async function echoed(address: string): Promise<boolean> {
	const sent = randomBytes(bytes);
	const [there, back] = [createHash('sha256').update(sent), createHash('sha256')];
	const socket = connect(80, address);
	socket.on('data', (data) => back.update(data));
	socket.end(sent);
	await finished(socket);
	return there.digest('hex') === back.digest('hex');
}

const same = [await echoed('10.0.0.2'), await echoed('fd00::2')];
child.kill();
for (const tap of taps) tap.dispose();
await close();
process.stdout.write(JSON.stringify({same, kinds: nics.map(({kinds}) => [...kinds].sort())}));
