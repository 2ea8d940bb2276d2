import {spawn} from 'node:child_process';
import {existsSync, mkdtempSync, rmSync} from 'node:fs';
import {createServer} from 'node:net';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import test from 'ava';
import {serveGdb} from './index.ts';
import {attached, checksum, RawClient, StillMachine, served, until} from './testing/index.ts';

const folder = mkdtempSync(join(tmpdir(), 'openvmm-gdb-hostile-'));
test.after.always(() => rmSync(folder, {recursive: true}));

test('a client that just leaves is detached, in the middle of a packet too, and another may come', async (t) => {
	const {client, machine, path} = await attached(t);
	await client.ask('Z0,1000,1');
	client.send('$m10');
	client.leave();
	await until(() => machine.detached === 1);
	t.is(machine.state, 'paused');
	t.is(await (await RawClient.connect(path)).ask('?'), 'T05thread:1;');
});

test('a second client is turned away', async (t) => {
	const {client, path} = await attached(t);
	await client.ask('?');
	await (await RawClient.connect(path)).closed();
	t.is(await client.ask('?'), 'T05thread:1;');
});

test('damaged packets are asked for again, and lost replies sent again', async (t) => {
	const {client} = await attached(t);
	client.send('$?#00');
	await client.receive(/^-/);
	t.is(await client.ask('?'), 'T05thread:1;');
	client.send('-');
	t.is(await client.reply(), 'T05thread:1;');
	t.is(await client.ask('QStartNoAckMode'), 'OK');
});

test('a packet without end closes the connection', async (t) => {
	const {client} = await attached(t);
	client.send(`$${'x'.repeat(0x5000)}`);
	await client.closed();
	t.pass();
});

test('whatever a client asks for is answered with an error or nothing at all', async (t) => {
	const {client} = await attached(t);
	const wrong = [
		...['m', 'm,', 'm1', 'm1,2,3', 'mzz,1', 'm-1,1', 'm10000000000000000,1', 'M0,1:0', 'M0,ffffffff:00', 'X0,5:abc'],
		...[
			'p',
			'p999',
			'pzz',
			'P',
			'P0',
			'P0=',
			'P0=1',
			'P999=00',
			'G',
			'G00',
			'Gzz',
			'H',
			'Hx1',
			'Hg3',
			'Hgffffffffffff',
		],
		...['T', 'T-1', 'Z', 'Z0', 'Z0,1', 'Z9,1,1', 'Z0,zz,1', 'z', 'z0,', 'vCont', 'vCont;', 'vCont;x', 'vCont;s:9'],
		...[
			'vCont;r1:1',
			'vCont;rzz,1',
			'C',
			'S',
			'Czz',
			'czz',
			'szz',
			'qXfer:features:read:',
			'qRcmd,z',
			'qThreadExtraInfo,',
		],
		...['Qqemu.PhyMemMode:2', `vCont${';c'.repeat(5000)}`],
	];
	for (const packet of wrong) t.regex(await client.ask(packet), /^E[0-9a-f]{2}$/, packet);
	for (const packet of ['', 'v', 'q', 'Q', '\x00\xff', 'qCRC:0,1', 'vFile:open:00,0,0', 'b', 'jThreads']) {
		t.is(await client.ask(packet), '', packet);
	}
	t.is((await client.ask('m0,ffffffffffffffff')).length, 0x4000, 'a length has a bound');
});

test('random bytes do no harm', async (t) => {
	const {path, machine} = await served(t);
	let seed = 0x1234_5678;
	const random = (bound: number) => {
		seed = (Math.imul(seed, 1_664_525) + 1_013_904_223) >>> 0;
		return Math.floor((seed / 2 ** 32) * bound);
	};
	const letters = '?gGpPmMXZzHTcsCSvqQD!R,;:=#$}-+0123456789abcdef';
	for (let round = 0; round < 30; round++) {
		const client = await RawClient.connect(path);
		for (let packet = 0; packet < 20; packet++) {
			const text = Array.from({length: random(40)}, () => letters[random(letters.length)]).join('');
			client.send(random(4) === 0 ? text : `$${text}#${checksum(text)}`);
		}
		client.send('\x03$?#3f');
		const before = machine.detached;
		client.leave();
		await until(() => machine.detached > before);
	}
	t.is(await (await RawClient.connect(path)).ask('qC'), 'QC1');
});

test('a socket that somebody listens on is not taken away', async (t) => {
	const path = join(folder, 'taken');
	const other = createServer();
	await new Promise<void>((resolve) => other.listen(path, resolve));
	const machine = new StillMachine();
	const error = await t.throwsAsync(serveGdb(machine, {kind: 'unix', path}), {
		code: 'GDB_LISTEN_FAILED',
	});
	t.regex(error.message, /EADDRINUSE/);
	await new Promise((resolve) => other.close(resolve));
	const server = await serveGdb(machine, {kind: 'tcp', host: '127.0.0.1', port: 0});
	t.regex(server.where, /^127\.0\.0\.1:[1-9]\d*$/);
	await server.close();
});

test('a socket that a killed process left behind is replaced', async (t) => {
	const path = join(folder, 'stale');
	const program = `require('node:net').createServer().listen(${JSON.stringify(path)}, () => process.kill(process.pid, 'SIGKILL'))`;
	await new Promise((resolve) => spawn(process.execPath, ['-e', program]).once('exit', resolve));
	t.true(existsSync(path));
	const server = await serveGdb(new StillMachine(), {kind: 'unix', path});
	t.is(await (await RawClient.connect(path)).ask('qC'), 'QC1');
	await server.close();
});
