import {existsSync} from 'node:fs';
import {join} from 'node:path';
import test from 'ava';
import {testVm} from '#test/petri';
import {kvmKind} from '#vcpu-worker/kvm';

const packages = join(process.cwd(), '.packages', 'linux');
const kernel = join(packages, 'vmlinuz');
const initrd = join(packages, 'initrd.cpio');
const sizeBytes = 512 * 2 ** 20;

// The supervisor code of a stock kernel needs instructions that this kind of host emulates without (guide, "Hosts").
const runnable = existsSync(kernel) && kvmKind() !== 'pvm';
const linuxTest = runnable ? test.serial : test.serial.skip;

linuxTest('an unmodified Debian kernel boots with 4 processors to user space and powers off', async (t) => {
	// COM1 is a file here, so it does not become the console by itself.
	const commandLine = ['console=ttyS0', 'quiet', 'openvmm.test=report'];
	const boot = {kind: 'linux', kernel, initrd, commandLine} as const;
	const guest = await testVm(t, {processors: {count: 4}, memory: {sizeBytes}, boot});
	await guest.vm.start();
	t.deepEqual(await guest.vm.ended, {kind: 'power-off'});
	const said = Object.fromEntries(
		[...guest.output.matchAll(/^openvmm-guest: (\w+)=(.*?)\r?$/gm)].map(([, k, v]) => [k, v]),
	);
	t.is(said['cpus'], '4');
	t.true(Number(said['mem_kib']) > 400 * 1024, `${said['mem_kib']} KiB`);
	t.true(Number(said['mem_kib']) <= sizeBytes / 1024);
	t.regex(said['cmdline'] ?? '', /console=ttyS0.*openvmm\.test=report/);
	t.is(said['dmi_vendor'], 'OpenVMM');
	t.log(said);
});
