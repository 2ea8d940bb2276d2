import {existsSync} from 'node:fs';
import {join} from 'node:path';
import test from 'ava';
import {testVm} from '#test/petri';
import {kvmKind} from '#vcpu-worker/kvm';

const kernel = join(process.cwd(), '.packages', 'xen', 'xen.gz');
// Its supervisor code needs instructions that KVM without VT-x or SVM emulates without.
const runnable = existsSync(kernel) && kvmKind() !== 'pvm';

for (const irqchip of ['kernel', 'split'] as const) {
	(runnable ? test.serial : test.serial.skip)(
		`Debian's Xen says on COM1 that it lacks a kernel: ${irqchip}`,
		async (t) => {
			const guest = await testVm(t, {
				irqchip,
				memory: {sizeBytes: 256 * 2 ** 20},
				boot: {kind: 'linux', kernel, commandLine: ['console=com1']},
			});
			await guest.vm.start();
			await guest.waitFor(/dom0 kernel not specified/);
			t.regex(guest.output, /^\(XEN\) Xen version \d.*Debian/m);
			t.regex(guest.output, /^\(XEN\) Bootloader: OpenVMM\r?$/m);
			t.regex(guest.output, /^\(XEN\) Command line: console=com1\r?$/m, 'the name of its file is not for it');
		},
	);
}
