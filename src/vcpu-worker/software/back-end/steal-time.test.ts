import {existsSync, readdirSync, readlinkSync} from 'node:fs';
import test from 'ava';
import {loneMemory} from '#vcpu-worker/software/system/testing';
import {ownRunDelay, StealTime} from './steal-time.ts';
import {enterVcpu, LoneVcpus} from './testing/index.ts';

const page = 0x2000;
const enabled = 1n;

function machine() {
	const {memory, ram} = loneMemory(0x1_0000);
	const host: {nowNs: bigint; delay: bigint | undefined} = {nowNs: 50_000_000n, delay: 7_000_000n};
	const steal = new StealTime(memory, {nowNs: () => host.nowNs}, () => host.delay);
	const view = new DataView(ram.buffer);
	const found = () => [view.getBigUint64(page, true), view.getUint32(page + 8, true)];
	return {host, steal, view, found};
}

test('what a thread was kept from running since the guest has asked is added, at most once in 10 ms', (t) => {
	const {host, steal, found} = machine();
	t.true(steal.write(BigInt(page) | enabled));
	host.delay = 9_000_000n;
	steal.account();
	t.deepEqual(found(), [2_000_000n, 2]);
	host.delay = 9_500_000n;
	host.nowNs += 9_999_999n;
	steal.account();
	t.deepEqual(found(), [2_000_000n, 2]);
	host.nowNs += 1n;
	steal.account();
	t.deepEqual(found(), [2_500_000n, 4]);
	host.nowNs += 10_000_000n;
	steal.account();
	t.deepEqual(found(), [2_500_000n, 4], 'nothing has been stolen');
	steal.add(500_000n);
	t.deepEqual(found(), [3_000_000n, 6]);
});

test('a version is odd while the time is written, and wraps', (t) => {
	const {steal, view, found} = machine();
	steal.write(BigInt(page) | enabled);
	for (const [before, after] of [
		[7, 10],
		[0xffff_fffe, 0],
		[0xffff_ffff, 2],
	] as const) {
		view.setUint32(page + 8, before, true);
		steal.add(1n);
		t.is(found()[1], after);
	}
});

test('nobody counts before the guest asks, where the host does not say, or where there is no memory', (t) => {
	const {host, steal, found} = machine();
	steal.account();
	steal.add(1n);
	t.false(steal.write(BigInt(page) | 3n));
	t.is(steal.register, 0n);
	host.delay = undefined;
	t.true(steal.write(BigInt(page) | enabled));
	steal.account();
	t.deepEqual(found(), [0n, 0]);
	for (const at of [0xffc0n, 0x1_0000n, 2n ** 64n - 64n]) {
		t.true(steal.write(at | enabled));
		t.notThrows(() => steal.add(1n));
	}
	t.deepEqual(found(), [0n, 0]);
});

test('the delay of a thread is what the kernel says of it, and only grows', (t) => {
	const first = ownRunDelay();
	t.is(first !== undefined, existsSync('/proc/thread-self/schedstat'));
	if (first !== undefined) t.true((ownRunDelay() ?? -1n) >= first);
});

/** Open files of the process. */
const openFiles = () =>
	readdirSync('/proc/self/fd').map((fd) => {
		try {
			return readlinkSync(`/proc/self/fd/${fd}`);
		} catch {
			return '';
		}
	});

test('a vCPU that is closed leaves no file open in its process, which may host many more', async (t) => {
	const own = `${readlinkSync('/proc/thread-self')}/schedstat`;
	const ours = () => openFiles().filter((path) => path.endsWith(own)).length;
	const cpu = await enterVcpu(new LoneVcpus(1, [{gpa: 0, length: 0x1_0000}]).of(0));
	ownRunDelay();
	t.is(ours(), existsSync('/proc/thread-self/schedstat') ? 1 : 0);
	cpu.close();
	t.is(ours(), 0);
	t.is(ownRunDelay() !== undefined, existsSync('/proc/thread-self/schedstat'));
});
