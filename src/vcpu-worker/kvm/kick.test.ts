import test from 'ava';
import {Errno, signalConsumer} from '#support/ffi';
import {KickReceiver, kickSignal, prepareThread, VcpuKick} from './kick.ts';
import {KvmRun} from './structs-run.ts';

const immediateExit = KvmRun.offset('immediate_exit');
const page = () => new Uint8Array(new SharedArrayBuffer(4096));

test('kicks merge until they are acknowledged, and leave no signal behind', (t) => {
	const tid = prepareThread();
	const shared = page();
	const pending = signalConsumer(kickSignal);
	const kick = new VcpuKick(shared, tid);
	const receiver = new KickReceiver(shared);
	t.deepEqual([kick.kick(), kick.kick(), kick.kick()], [0, 0, 0]);
	t.is(shared[immediateExit], 1);
	t.true(pending());
	t.false(pending());
	receiver.acknowledge();
	t.is(shared[immediateExit], 0);
	t.is(kick.kick(), 0);
	receiver.acknowledge();
	t.false(pending());
});

test('signals of many kickers are all taken at once', (t) => {
	const tid = prepareThread();
	const kicked = page();
	const receiver = new KickReceiver(kicked);
	const others = Array.from({length: 50}, () => new VcpuKick(page(), tid));
	for (const other of others) other.kick();
	receiver.acknowledge();
	t.false(signalConsumer(kickSignal)());
});

test('kicking a thread that is gone says so', (t) => {
	const impossible = 2 ** 22 + 1;
	t.is(new VcpuKick(page(), impossible).kick(), -Errno.ESRCH);
});

test('an immediate exit raises the flag and sends nothing', (t) => {
	prepareThread();
	const shared = page();
	new KickReceiver(shared).exitImmediately();
	t.is(shared[immediateExit], 1);
	t.false(signalConsumer(kickSignal)());
});
