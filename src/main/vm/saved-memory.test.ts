import {mkdtempSync, rmSync, truncateSync, writeFileSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import test from 'ava';
import {openSnapshot} from '#main/snapshot';
import type {Guest} from '#vcpu-worker/hypervisor/testing';
import {fakeMachine, openFiles} from './testing/index.ts';

const folder = mkdtempSync(join(tmpdir(), 'openvmm-saved-memory-'));
test.after.always(() => rmSync(folder, {recursive: true}));

/** Memory of each device that is made here, which counts its starts in what snapshots have of it. */
const memories: Uint8Array[] = [];
Object.assign(globalThis, {savedMemoryTest: memories});
const module = join(folder, 'counter.mjs');
writeFileSync(
	module,
	`import {u8, wire} from '${import.meta.resolve('#support/wire')}';
	export default {
		kind: 'counter',
		state: wire('counter', {unused: u8}),
		attach: {regions: () => [{space: 'pio', name: 'port', base: 0x600, length: 1}]},
		hostMemory: () => 3 * 4096,
		savedMemory: () => [{name: 'count', offset: 4096, length: 8192, mayBeNew: false}],
		front: () => ({read: () => 0, write() {}}),
		back: (config, state, {hostMemory}) => {
			const bytes = new Uint8Array(hostMemory);
			globalThis.savedMemoryTest.push(bytes);
			return {start: () => void bytes[4096]++, async stop() {}, notified() {}, dispose() {}};
		},
	};`,
);
const config = {devices: [{module}]};
function* nothing(): Guest {}

test('machines of a snapshot go on with what devices had in memory, each by itself, and a file that is cut ends one', async (t) => {
	const before = openFiles();
	const directory = join(folder, 'saved');
	const {vm} = await fakeMachine(t, [nothing], {config, start: true});
	await vm.pause();
	const first = memories[0] as Uint8Array;
	first.set([7, 1, 3], 4095);
	first[3 * 4096 - 1] = 9;
	await vm.saveSnapshot(directory);
	await vm.stop();
	const snapshot = openSnapshot(directory);
	const clones = [];
	for (let clone = 0; clone < 3; clone++) clones.push(await fakeMachine(t, [nothing], {config, snapshot}));
	snapshot.close();
	const [one, two, three] = memories.slice(1) as [Uint8Array, Uint8Array, Uint8Array];
	for (const {vm: restored} of clones.slice(0, 2)) await restored.start();
	for (const bytes of [one, two])
		t.deepEqual([...bytes.subarray(4095, 4098), bytes[3 * 4096 - 1]], [0, 2, 3, 9], 'and nothing else');
	one[4097] = 33;
	t.is(two[4097], 3);
	const again = join(folder, 'again');
	await clones[0]?.vm.saveSnapshot(again);
	await clones[0]?.vm.stop();
	await clones[1]?.vm.stop();
	truncateSync(join(directory, 'disks.bin'), 0);
	const {vm: last} = clones[2] as (typeof clones)[0];
	await t.throwsAsync(last.saveSnapshot(join(folder, 'cut')), {code: 'SNAPSHOT_DAMAGED', message: /cut to 0 bytes/});
	// What tells of it does not keep a process alive.
	const alive = setInterval(() => {}, 1000);
	await last.start().catch(() => {});
	const end = await last.ended;
	clearInterval(alive);
	t.regex(end.kind === 'error' ? end.error.message : end.kind, /its memory/);
	t.is(three[4097], 0);
	const next = openSnapshot(again);
	const {vm: later} = await fakeMachine(t, [nothing], {config, snapshot: next});
	next.close();
	t.deepEqual([...(memories.at(-1) as Uint8Array).subarray(4095, 4098)], [0, 2, 33]);
	await later.stop();
	t.is(openFiles(), before);
});
