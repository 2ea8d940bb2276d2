import {mkdtempSync, rmSync, statSync, truncateSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import test from 'ava';
import {openSnapshot} from '#main/snapshot';
import {embedded, vmTest, x86BackEnds} from '#test/petri';

const directory = mkdtempSync(join(tmpdir(), 'openvmm-lost-'));
test.after.always(() => rmSync(directory, {recursive: true}));

const x86 = {on: x86BackEnds};
/** Works until it is stopped. */
const busy = embedded('work=100000000');
/** What KVM itself touches gives no signal. */
const lost = /^(MEMORY_LOST|KVM_RUN_FAILED)$/;

vmTest('a file under memory that is cut ends that machine, and another one goes on', x86, async (t, machine) => {
	const file = join(directory, 'ram');
	const [cut, other] = [
		await machine({processors: {count: 2}, memory: {file}, boot: busy}),
		await machine({processors: {count: 2}, boot: embedded('work=20000')}),
	];
	await cut.vm.start();
	await other.vm.start();
	await cut.waitFor(/2 running/);
	truncateSync(file, 2 ** 20);
	const end = await cut.vm.ended;
	t.is(end.kind, 'error');
	if (end.kind === 'error') t.regex(end.error.code, lost, end.error.message);
	t.deepEqual(await other.vm.ended, {kind: 'power-off'});
	t.regex(other.output, /: OK/);
	t.is(statSync(file).size, 2 ** 20);
});

vmTest("a snapshot's memory that is cut ends the machine that goes on from it", x86, async (t, machine) => {
	const folder = join(directory, 'snapshot');
	const first = await machine({boot: busy});
	await first.vm.start();
	await first.waitFor(/1 running/);
	await first.vm.saveSnapshot(folder);
	await first.vm.stop();
	const snapshot = openSnapshot(folder);
	t.teardown(() => snapshot.close());
	const restored = await machine({boot: {kind: 'none'}}, {snapshot});
	truncateSync(join(folder, 'memory.bin'), 0);
	await restored.vm.start();
	const end = await restored.vm.ended;
	t.is(end.kind, 'error');
	if (end.kind === 'error') t.regex(end.error.code, lost, end.error.message);
});
