import type {StockKernel} from '#test/stock-kernels';
import {backEndHere} from './back-ends.ts';
import {complaints} from './complaints.ts';
import {interruptCount, linuxBoot, linuxTest, reportedFacts, reportMemoryBytes} from './stock-linux.ts';

/**
 * A test that boots a stock kernel to user space, with the drivers of what it finds there: it sees the whole machine, has nothing to
 * complain of, and powers off. KVM has the host's processor, with whatever is to be said of that.
 */
export function cleanBootTest(kernel: StockKernel, count: number): void {
	const title = `Debian's ${kernel} kernel boots with ${count} processors to user space and has nothing to complain of`;
	linuxTest(
		title,
		async (t, machine) => {
			// Drivers and messages take minutes where KVM is emulated.
			const looks = backEndHere === 'software' ? ['openvmm.coldplug=1', 'OPENVMM_RUN="dmesg -r"'] : [];
			const guest = await machine({
				processors: {count},
				memory: {sizeBytes: reportMemoryBytes},
				boot: linuxBoot(kernel, 'openvmm.test=report', ...looks),
			});
			await guest.vm.start();
			t.deepEqual(await guest.vm.ended, {kind: 'power-off'}, guest.output);
			const facts = reportedFacts(guest.output);
			t.log(facts);
			t.is(facts['cpus'], `${count}`);
			t.true(Number(facts['mem_kib']) > 400 * 1024, `${facts['mem_kib']} KiB`);
			t.true(Number(facts['mem_kib']) <= reportMemoryBytes / 1024);
			t.regex(facts['cmdline'] ?? '', /console=ttyS0.*openvmm\.test=report/);
			t.is(facts['dmi_vendor'], 'OpenVMM');
			t.true(interruptCount(facts, 'ttyS0') > 0, facts['interrupts']);
			if (looks.length === 0) return;
			t.regex(guest.output, /^<6>\[ *\d+\.\d+\] Run \/init as init process\r?$/m, 'the kernel shows its messages');
			t.deepEqual(complaints(guest.output), []);
		},
		{kernel},
	);
}
