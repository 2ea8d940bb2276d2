import {readdirSync, readFileSync} from 'node:fs';
import {join} from 'node:path';
import type {ExecutionContext} from 'ava';
import {type TestVmOptions, withVm} from '#main/test-machine';
import {linuxTest} from '#test/petri';
import {debianMachine, onBackEnd, testFolder} from './testing/api-machine.ts';

/** What is kept of a machine that does not come up. */
async function keptOf(t: ExecutionContext, options: TestVmOptions, code: string) {
	const dumps = testFolder(t, 'dumps');
	const body = async () => t.fail('it is not ready');
	await t.throwsAsync(withVm({...options, dumps, core: true}, body), {code});
	const [folder = ''] = readdirSync(dumps);
	const bytes = (name: string) => readFileSync(join(dumps, folder, name));
	const text = (name: string) => bytes(name).toString();
	return {files: readdirSync(join(dumps, folder)).sort(), text, core: bytes('core')};
}

const all = ['console.txt', 'core', 'error.txt', 'inspect.txt'];

linuxTest('a kernel that panics as it boots is kept with its memory', async (t) => {
	const options = debianMachine(t, {memory: '256M', commandLine: ['rdinit=/none', 'root=/dev/none']});
	const {files, text, core} = await keptOf(t, options, 'VM_START_ENDED');
	t.deepEqual(files, all);
	t.regex(text('console.txt'), /Kernel panic - not syncing: VFS: Unable to mount root fs/);
	// As it was when it gave up: crash finds the kernel by this.
	for (const words of ['VMCOREINFO', 'Unable to mount root fs']) t.true(core.includes(words), words);
	t.regex(text('inspect.txt'), /vcpus/);
});

linuxTest('a guest that faults three times is kept with its memory, and one that never answers', async (t) => {
	t.timeout(600_000);
	const small = {memory: '64M', network: false, agent: 'vsock', ...onBackEnd} as const;
	const boot = (word: string) => ({kind: 'embedded', commandLine: [word]}) as const;
	const crashed = await keptOf(t, {...small, boot: boot('jump')}, 'VM_START_ENDED');
	t.deepEqual(crashed.files, all);
	t.regex(crashed.text('error.txt'), /crash: triple fault/);
	t.true(crashed.core.includes('OpenVMM embedded guest'));
	const told: string[] = [];
	const log = (said: string) => void told.push(said);
	const hanging = await keptOf(t, {...small, boot: boot('hang=hlt'), log, startTimeout: 1}, 'VM_START_TIMEOUT');
	t.deepEqual(hanging.files, all);
	t.true(told.join('').startsWith(hanging.text('console.txt')));
	t.regex(hanging.text('error.txt'), /The machine: running/);
});
