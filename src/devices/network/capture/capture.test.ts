import {execFileSync} from 'node:child_process';
import {mkdtempSync, readFileSync, rmSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import test from 'ava';
import type {Frame} from '#devices/network/endpoint';
import {packet, TestEndpoint, TestNic} from '#devices/network/testing';
import {Capture, CaptureCounters} from './index.ts';

const folder = mkdtempSync(join(tmpdir(), 'openvmm-capture-'));
test.after.always(() => rmSync(folder, {recursive: true, force: true}));

const frame = (length: number): Frame => packet({payload: new Uint8Array(length).fill(length)});
const plain = ({bytes, length}: Frame) => Buffer.from(bytes.subarray(0, length));

const mac = (last: number) => Uint8Array.of(2, 0, 0, 0, 0, last);

async function capture(name: string, files = new Map<string, unknown>(), last = 1) {
	const path = join(folder, name);
	const counters = CaptureCounters.on(new SharedArrayBuffer(CaptureCounters.byteLength));
	const made = await Capture.open(path, {track: (promise) => void promise, files, mac: mac(last)}, counters);
	const [own, peer] = [new TestNic(), new TestEndpoint()];
	return {path, counters, own, peer, nic: made.seen(own), endpoint: made.wrap(peer)};
}

/** Reads the packets of a file: direction, time in seconds and bytes. Fails where a block is not whole. */
function packetsOf(path: string) {
	const file = readFileSync(path);
	const found: {direction: number; nic: number; seconds: number; bytes: Buffer}[] = [];
	const nics: string[] = [];
	const types: number[] = [];
	for (let at = 0; at < file.length; ) {
		const [type, length] = [file.readUInt32LE(at), file.readUInt32LE(at + 4)];
		if (file.readUInt32LE(at + length - 4) !== length || length % 4 !== 0)
			throw new Error(`a block of ${length} at ${at}`);
		types.push(type);
		if (type === 1) {
			if (file.readUInt32LE(at + 16) !== 0x0006_0006) throw new Error('no address');
			nics.push(file.toString('hex', at + 20, at + 26));
		}
		if (type === 6) {
			const captured = file.readUInt32LE(at + 20);
			const options = at + 28 + Math.ceil(captured / 4) * 4;
			if (file.readUInt32LE(options) !== 0x0004_0002) throw new Error('no flags');
			found.push({
				direction: file.readUInt32LE(options + 4),
				nic: file.readUInt32LE(at + 8),
				seconds: (file.readUInt32LE(at + 12) * 2 ** 32 + file.readUInt32LE(at + 16)) / 1e6,
				bytes: file.subarray(at + 28, at + 28 + captured),
			});
		}
		at += length;
	}
	if (types[0] !== 0x0a0d_0d0a || types[1] !== 1) throw new Error('it begins with no section and interface');
	if (found.some(({nic}) => nic >= nics.length)) throw new Error('a packet before its interface');
	return Object.assign(found, {nics});
}

test('frames that pass are in the file, in both directions, and those that are refused are not', async (t) => {
	const it = await capture('both');
	const begin = Date.now() / 1000;
	t.true(it.endpoint.send(frame(3), 2));
	t.true(it.nic.receive(frame(100), 1));
	t.deepEqual([it.peer.sentBy, it.own.receivedBy], [[2], [1]], 'pairs of queues');
	it.peer.most = 1;
	t.false(it.endpoint.send(frame(4)));
	it.own.most = 1;
	t.false(it.nic.receive(frame(5)));
	it.peer.most = 2;
	t.true(it.endpoint.send(frame(4)));
	await it.endpoint.stop();
	const found = packetsOf(it.path);
	t.deepEqual(
		found.map(({direction, bytes}) => [direction, Buffer.from(bytes)]),
		[
			[2, plain(frame(3))],
			[1, plain(frame(100))],
			[2, plain(frame(4))],
		],
	);
	t.true(found.every(({seconds}) => seconds >= begin - 1 && seconds <= Date.now() / 1000));
	t.is(it.counters.frames, 3);
	it.own.most = 99;
	t.true(it.nic.receive(frame(6)));
	await it.endpoint.dispose();
	t.is(packetsOf(it.path).length, 4);
	t.is(it.peer.calls.at(-1), 'dispose');
});

test('nobody waits for a file: what there is no room for is counted, and all that is there is whole', async (t) => {
	const it = await capture('fast');
	for (let count = 0; count < 500; count++) t.true(it.endpoint.send(frame(9000)));
	await it.endpoint.dispose();
	t.is(it.counters.frames + it.counters.lost, 500);
	t.true(it.counters.lost > 0);
	const found = packetsOf(it.path);
	t.is(found.length, it.counters.frames);
	t.true(found.every(({bytes}) => bytes.equals(plain(frame(9000)))));
});

test('a file that the host does not take ends the capture, and nothing else', async (t) => {
	const counters = CaptureCounters.on(new SharedArrayBuffer(CaptureCounters.byteLength));
	const files = new Map<string, unknown>();
	const host = {track: (promise: Promise<unknown>) => void promise, files, mac: mac(1)};
	await t.throwsAsync(Capture.open('/dev/full', host, counters), {code: 'NETWORK_CAPTURE_UNUSABLE'});
	await t.throwsAsync(Capture.open(join(folder, 'missing', 'file'), host, counters), {
		code: 'NETWORK_CAPTURE_UNUSABLE',
	});
	t.is(files.size, 0);
});

test('NICs of a machine that name one file are interfaces of it, also one that comes later', async (t) => {
	const files = new Map<string, unknown>();
	const [one, two] = await Promise.all([capture('all', files, 1), capture('all', files, 2)]);
	one.endpoint.send(frame(1));
	two.endpoint.send(frame(2));
	one.nic.receive(frame(3));
	await one.endpoint.dispose();
	two.endpoint.send(frame(4));
	const three = await capture('all', files, 3);
	three.nic.receive(frame(5));
	await two.endpoint.dispose();
	await three.endpoint.dispose();
	const found = packetsOf(one.path);
	t.deepEqual(found.nics, ['020000000001', '020000000002', '020000000003']);
	t.deepEqual(
		found.map(({nic, direction, bytes}) => [nic, direction, bytes.length - plain(frame(0)).length]),
		[
			[0, 2, 1],
			[1, 2, 2],
			[0, 1, 3],
			[1, 2, 4],
			[2, 1, 5],
		],
	);
	t.deepEqual(
		[one, two, three].map(({counters}) => [counters.frames, counters.lost]),
		[
			[2, 0],
			[2, 0],
			[1, 0],
		],
	);
	t.is(files.size, 0, 'the last has closed it');
});

test('a file that the host stops taking ends with a whole frame, and what is not in it is counted', async (t) => {
	const path = join(folder, 'cut');
	const script = `
		import {packet} from '#devices/network/testing';
		import {Capture, CaptureCounters} from ${JSON.stringify(new URL('index.ts', import.meta.url).href)};
		import {TestEndpoint} from '#devices/network/testing';
		const counters = CaptureCounters.on(new SharedArrayBuffer(CaptureCounters.byteLength));
		const made = await Capture.open(${JSON.stringify(path)}, {track: (promise) => void promise, files: new Map(), mac: new Uint8Array(6)}, counters);
		const endpoint = made.wrap(new TestEndpoint());
		const frame = packet({payload: new Uint8Array(5000)});
		for (let round = 0; round < 5; round++) {
			for (let count = 0; count < 10; count++) endpoint.send(frame);
			// Those of this turn are being written; more come meanwhile.
			await Promise.resolve();
			endpoint.send(frame);
			await endpoint.stop();
		}
		await endpoint.dispose();
		const {frames, lost, failed} = counters;
		process.stdout.write(JSON.stringify({frames, lost, failed}));
	`;
	// The kernel takes no more than 128 KiB of any file.
	const limited = 'ulimit -f 128; exec "$0" --import=tsx --input-type=module -e "$1"';
	const said = execFileSync('bash', ['-c', limited, process.execPath, script], {encoding: 'utf8'});
	const {frames, lost, failed} = JSON.parse(said);
	t.deepEqual([frames + lost, failed], [55, 1]);
	t.true(frames >= 10);
	t.is(packetsOf(path).length, frames);
});

const hasTcpdump = (() => {
	try {
		execFileSync('tcpdump', ['--version'], {stdio: 'ignore'});
		return true;
	} catch {
		return false;
	}
})();

(hasTcpdump ? test : test.skip)('tcpdump reads it', async (t) => {
	const it = await capture('read');
	it.endpoint.send(frame(3));
	await it.endpoint.dispose();
	t.regex(execFileSync('tcpdump', ['-n', '-r', it.path], {encoding: 'utf8'}), /10\.0\.0\.1\.4000 > 10\.0\.0\.2\.80/);
});

test('what another machine writes to is not touched, and is anybody’s when that has gone', async (t) => {
	const first = await capture('shared');
	first.endpoint.send(frame(60));
	await t.throwsAsync(capture('shared'), {code: 'NETWORK_CAPTURE_UNUSABLE', message: /another machine/});
	first.endpoint.send(frame(61));
	await first.endpoint.dispose();
	t.is(packetsOf(first.path).length, 2);
	const next = await capture('shared');
	await next.endpoint.dispose();
	t.is(packetsOf(next.path).length, 0, 'it begins anew');
});
