import test from 'ava';
import {MappedMemory} from '#devices/guest-memory';
import {plainMemory} from '#devices/guest-memory/testing';
import {inspectTree, object} from '#support/inspect';
import {LockstepLog} from './lockstep-log.ts';
import {plainLogger} from './logger.ts';

const stext = 0xffff_ffff_8100_0000n;

test('a difference is logged with its place, and at the end how much was compared', async (t) => {
	const lines: string[] = [];
	const log = new LockstepLog(plainLogger('warn', (line) => lines.push(line)));
	const ended = Promise.withResolvers<{kind: 'power-off'}>();
	const counters = {rounds: 7, differences: 1};
	const tree = ['lockstep', 'counters', '0', 'vcpus', 'vm'].reduce(
		(node, name) => object(() => ({[name]: node})),
		object(() => counters),
	);
	let asked = 0;
	const watched = log.watch({
		ended: ended.promise,
		inspect: (path, options = {}) => inspectTree(tree, path ?? '', options),
		memory: new MappedMemory(plainMemory({gpa: 0, length: 4096})),
		// The kernel has not come up when the first is found.
		kernelNotes: async () => (asked++ === 0 ? undefined : `SYMBOL(_stext)=${stext.toString(16)}\n`),
	});
	await log.found({address: stext + 5n, executed: 3, text: '01d0: RAX 1 instead of 2'});
	await log.found({address: stext + 9n, executed: 4, text: '29d0: RBX 1 instead of 2'});
	t.is(asked, 2);
	ended.resolve({kind: 'power-off'});
	await watched;
	t.deepEqual(lines, [
		'openvmm: warn: A translation is wrong: 01d0: RAX 1 instead of 2 at=0xffffffff81000005 instructions=3\n',
		'openvmm: warn: A translation is wrong: 29d0: RBX 1 instead of 2 at=0xffffffff81000009 instructions=4\n',
		'openvmm: warn: Lockstep has ended rounds=7 differences=1\n',
	]);
});
