import {execFile} from 'node:child_process';
import {join} from 'node:path';
import {vmTest} from '#test/petri';

const launcher = join(process.cwd(), 'src/main/cli/launcher.mjs');
const software = {on: ['software']} as const;

/** Runs a machine to its end. */
function openvmm(words: string): Promise<{stdout: string; stderr: string; status: number}> {
	return new Promise((resolve) => {
		const flags = ['--lockstep', '-m', '64M', '--com1', 'none', ...words.split(' ')];
		execFile(process.execPath, [launcher, ...flags], (error, stdout, stderr) => {
			resolve({stdout, stderr, status: Number(error?.code ?? 0)});
		});
	});
}

vmTest('--lockstep compares a guest as it runs, and says how much at its end', software, async (t) => {
	const {stderr, status} = await openvmm('-c work=4000');
	t.is(status, 0, stderr);
	const [, translations, rounds] =
		/Lockstep has ended translations=(\d+) rounds=(\d+) .*differences=0$/m.exec(stderr) ?? [];
	t.true(Number(translations) > 0 && Number(rounds) > 100, stderr);
});

vmTest('--lockstep is for one processor of ours', software, async (t) => {
	const two = await openvmm('-p 2');
	t.is(two.status, 2);
	t.regex(two.stderr, /one processor twice, and the machine has 2.*\[SOFTWARE_LOCKSTEP_PROCESSORS\]/);
	const kvm = await openvmm('--hypervisor kvm');
	t.is(kvm.status, 2);
	t.regex(kvm.stderr, /kvm conflicts with --lockstep.*\[CONFIG_CONFLICT\]/);
});
