import {existsSync} from 'node:fs';
import {join} from 'node:path';
import {irqchipsHere, runsStockKernels, vmTest, x86BackEnds} from '#test/petri';

const kernel = join(process.cwd(), '.packages', 'xen', 'xen.gz');
const where = {on: x86BackEnds, skip: !existsSync(kernel) || !runsStockKernels()};

for (const irqchip of irqchipsHere) {
	vmTest(`Debian's Xen says on COM1 that it lacks a kernel: ${irqchip}`, where, async (t, machine) => {
		const guest = await machine({
			irqchip,
			memory: {sizeBytes: 256 * 2 ** 20},
			boot: {kind: 'linux', kernel, commandLine: ['console=com1']},
		});
		await guest.vm.start();
		await guest.waitFor(/dom0 kernel not specified/);
		t.regex(guest.output, /^\(XEN\) Xen version \d.*Debian/m);
		t.regex(guest.output, /^\(XEN\) Bootloader: OpenVMM\r?$/m);
		t.regex(guest.output, /^\(XEN\) Command line: console=com1\r?$/m, 'the name of its file is not for it');
	});
}
