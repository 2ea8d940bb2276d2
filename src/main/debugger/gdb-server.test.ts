import {execFile} from 'node:child_process';
import {existsSync, writeFileSync} from 'node:fs';
import {join} from 'node:path';
import {promisify} from 'node:util';
import test from 'ava';
import {hexText} from './protocol/index.ts';
import {attached, checksum, served, until} from './testing/index.ts';

test('a client finds the guest paused, and learns what the server knows', async (t) => {
	const {client, machine} = await attached(t);
	t.regex(await client.ask('qSupported:swbreak+;hwbreak+'), /^PacketSize=4000;.*qXfer:features:read\+/);
	t.is(machine.state, 'paused');
	t.is(await client.ask('vMustReplyEmpty'), '');
	t.is(await client.ask('qfThreadInfo'), 'm1,2');
	t.is(await client.ask('qsThreadInfo'), 'l');
	t.is(await client.ask('qC'), 'QC1');
	t.is(await client.ask('T2'), 'OK');
	t.is(await client.ask('T3'), 'E16');
	t.is(await client.ask('qThreadExtraInfo,2'), hexText('CPU 1 [running]'));
});

test('the target description comes in pieces', async (t) => {
	const {client} = await attached(t);
	const first = await client.ask('qXfer:features:read:target.xml:0,100');
	t.true(first.startsWith('m<?xml'));
	t.is(await client.ask('qXfer:features:read:target.xml:ffffff,100'), 'l');
	t.is(await client.ask('qXfer:features:read:other.xml:0,100'), 'E16');
});

test('registers and memory are those of the selected processor', async (t) => {
	const {client, machine} = await attached(t);
	t.is(await client.ask('Hg2'), 'OK');
	t.is(await client.ask('p10'), '0020000000000000');
	t.is(await client.ask('P0=8877665544332211'), 'OK');
	t.is((await client.ask('g')).slice(0, 16), '8877665544332211');
	t.is((await machine.readRegisters(1)).general.rax, 0x1122_3344_5566_7788n);
	t.is(await client.ask('M1000,4:01020304'), 'OK');
	t.is(await client.ask('X1004,3:}\x03#}]'.replace('#', '}\x03')), 'E16');
	t.is(await client.ask('X1004,3:a#}'), 'OK');
	t.is(await client.ask('m1000,7'), '0102030461237d');
	t.is(await client.ask('mfffff,2'), '00', 'as much as is there');
	t.is(await client.ask('m100000,1'), 'E0e');
	t.is(await client.ask('Mfffff,2:0000'), 'E0e');
});

test('physical addresses need no page tables', async (t) => {
	const {client, machine} = await attached(t);
	await client.ask('?');
	const {special} = await machine.readRegisters(0);
	await machine.writeRegisters(0, {special: {...special, cr0: 0x8000_0001n, efer: 0x500n}});
	machine.memory.copyIn(0x3000, Uint8Array.of(0x5a));
	t.is(await client.ask('m3000,1'), 'E0e');
	t.is(await client.ask('Qqemu.PhyMemMode:1'), 'OK');
	t.is(await client.ask('qqemu.PhyMemMode'), '1');
	t.is(await client.ask('m3000,1'), '5a');
});

test('breakpoints go with the run, and the stop says which', async (t) => {
	const {client, machine} = await attached(t);
	await client.ask('qSupported:swbreak+;hwbreak+');
	t.is(await client.ask('Z0,1000,1'), 'OK');
	t.is(await client.ask('Z2,2000,4'), 'OK');
	t.is(await client.ask('Z3,2000,4'), '');
	t.is(await client.ask('Z0,100000,1'), 'E0e');
	client.send('$vCont;c#a8');
	await until(() => machine.runs.length === 1);
	t.deepEqual(machine.runs[0], {
		breakpoints: {software: [0x1000], hardware: [{address: 0x2000n, kind: 'write', length: 4}], stops: []},
		steps: undefined,
	});
	const hits = [
		{vcpu: 1, stop: {kind: 'breakpoint'}},
		{vcpu: 0, stop: {kind: 'hardware', index: 0}},
	] as const;
	machine.standStill({kind: 'debug', hits});
	t.is(await client.reply(), 'T05thread:2;swbreak:;');
	t.is(await client.ask('c'), 'T05thread:1;watch:2000;', 'the access of the other processor is told next');
	t.is(machine.runs.length, 1);
});

test('each processor runs as it is told, and one that is not told stays', async (t) => {
	const {client, machine} = await attached(t);
	await client.ask('?');
	for (const packet of ['vCont;s:1', 'vCont;s:2;c', 'vCont;r1000,1010:1;C05:2']) {
		client.send(`$${packet}#${checksum(packet)}`);
		await until(() => machine.state === 'running');
		machine.standStill({kind: 'debug', hits: [{vcpu: 0, stop: {kind: 'step'}}]});
		t.is(await client.reply(), 'T05thread:1;');
	}
	t.deepEqual(
		machine.runs.map(({steps}) => [...(steps ?? [])]),
		[
			[[0, true]],
			[
				[1, true],
				[0, false],
			],
			[
				[0, {start: 0x1000n, end: 0x1010n}],
				[1, false],
			],
		],
	);
});

test('Ctrl-C stops a running guest, and a crash and the end are told', async (t) => {
	const {client, machine, server} = await attached(t);
	await client.ask('?');
	client.send('$c#63');
	await until(() => machine.state === 'running');
	client.send('\x03');
	t.is(await client.reply(), 'T02thread:1;');
	client.send('$c#63');
	await until(() => machine.state === 'running');
	machine.standStill({kind: 'crash', vcpu: 1, reason: 'triple fault'});
	t.is(await client.reply(), 'T0bthread:2;');
	machine.state = 'paused';
	client.send('$c#63');
	await until(() => machine.state === 'running');
	machine.end({kind: 'exit', status: 7});
	t.is(await client.reply(), 'W07');
	await client.closed();
	await server.closed;
});

test('detaching takes the breakpoints away and lets the guest run', async (t) => {
	const {client, machine} = await attached(t);
	await client.ask('Z0,1000,1');
	t.is(await client.ask('D'), 'OK');
	await client.closed();
	t.is(machine.state, 'running');
	t.deepEqual(machine.runs[0]?.breakpoints.software, []);
});

const gdbTest = existsSync('/usr/bin/gdb') ? test : test.skip;
const run = promisify(execFile);

gdbTest('the real gdb attaches, looks around, sets breakpoints and quits', async (t) => {
	const {folder, path, machine} = await served(t);
	machine.memory.copyIn(0x1000, Buffer.from('hello from the guest\0'));
	const script = join(folder, 'script');
	const commands = [
		`target remote ${path}`,
		...['info threads', 'x/s 0x1000', 'thread 2', 'p/x $rip', 'set var $xmm1.uint128 = 5', 'p $xmm1.uint128', 'p $st0'],
		...['set var *(int*)0x1100 = 77', 'p *(int*)0x1100', 'monitor nmi', 'monitor help', 'monitor gva2gpa 0x1234'],
		...['hbreak *0x3000', 'watch *(long*)0x4000', 'break *0x5000', 'kill'],
	];
	writeFileSync(script, commands.join('\n'));
	const {stdout, stderr} = await run('/usr/bin/gdb', ['-nx', '-batch', '-x', script]);
	const said = stdout + stderr;
	t.regex(said, /Thread 1 \(CPU 0 \[running\]\)[\s\S]*Thread 2 \(CPU 1 \[running\]\)/);
	t.regex(said, /0x1000:\t"hello from the guest"/);
	t.regex(said, /\$1 = 0x2000\n\$2 = 5\n\$3 = 0\n\$4 = 77\n/);
	t.regex(said, /info registers[\s\S]*0x1234\n/);
	t.regex(said, /Hardware assisted breakpoint 1[\s\S]*Hardware watchpoint 2[\s\S]*Breakpoint 3 at 0x5000/);
	t.is(machine.nmis, 1);
	t.is(machine.state, 'stopped');
});
