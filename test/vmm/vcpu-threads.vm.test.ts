import {execFile} from 'node:child_process';
import {mkdtempSync, rmSync, writeFileSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {promisify} from 'node:util';
import test from 'ava';
import {forever, guestProgram, halt, say, startProcessor} from '#test/guest-program';
import {type TestVm, vmTest} from '#test/petri';

const software = {on: ['software']} as const;
const folder = mkdtempSync(join(tmpdir(), 'openvmm-threads-'));
test.after.always(() => rmSync(folder, {recursive: true}));

const program = guestProgram({
	name: 'two',
	main: [startProcessor(1), say('Here.\n'), forever(halt)],
	others: [forever(halt)],
});
const two = {processors: {count: 2}, program};

async function threadsOf(guest: TestVm): Promise<readonly unknown[]> {
	const nodes = await Promise.all([0, 1].map((vcpu) => guest.inspect(`vm/workers/vcpu-${vcpu}`)));
	return nodes.map((node) => (node as {readonly thread: unknown}).thread).sort();
}

vmTest(
	'a machine has the processors’ threads of the one before it, and two at once have their own',
	software,
	async (t, machine) => {
		const first = await machine(two);
		await first.vm.start();
		await first.waitFor(/Here/);
		const threads = await threadsOf(first);
		await first.vm.stop();
		const second = await machine(two);
		await second.vm.start();
		await second.waitFor(/Here/);
		t.deepEqual(await threadsOf(second), threads);
		const third = await machine(two);
		await third.vm.start();
		await third.waitFor(/Here/);
		t.is(new Set([...threads, ...(await threadsOf(third))]).size, 4);
		t.deepEqual(second.vm.state, 'running');
	},
);

/** Runs machines to their end, and tells how many processors' threads there are when nothing is left to do. */
const script = `
	import {readdirSync, readFileSync} from 'node:fs';
	import {createVm, vmConfig} from ${JSON.stringify(new URL('dist/index.js', `file://${process.cwd()}/`).href)};
	const boot = {kind: 'flat', image: process.argv[2], address: 0x10_0000, mode: 'long'};
	for (let round = 0; round < 2; round++) {
		const vm = await createVm(vmConfig({memory: {sizeBytes: 64 * 2 ** 20}, boot, devices: [], hypervisor: 'software'}), {start: true});
		await vm.stop();
	}
	process.once('beforeExit', () => {
		const names = readdirSync('/proc/self/task').map((tid) => readFileSync('/proc/self/task/' + tid + '/comm', 'latin1'));
		console.log(names.filter((name) => name === 'vcpu\\n').length);
	});
`;

vmTest('threads that wait for machines do not keep their process', software, async (t) => {
	const [path, image] = [join(folder, 'over.mjs'), join(folder, 'guest.bin')];
	writeFileSync(path, script);
	// CLI; HLT.
	writeFileSync(image, Uint8Array.of(0xfa, 0xf4));
	const {stdout, stderr} = await promisify(execFile)(process.execPath, [path, image]);
	t.deepEqual({stdout, stderr}, {stdout: '1\n', stderr: ''});
});
