import type {StockKernel} from '#test/stock-kernels';
import {backEndHere} from './back-ends.ts';
import {interruptCount, linuxBoot, linuxTest, reportedFacts, reportMemoryBytes} from './stock-linux.ts';

/** Words of a message that complains, whatever its level. */
const complaining = /fail|error|unable|cannot|\binvalid\b|broken|\bbug\b|unsupported|not supported|timed? ?out/i;

/** Complaints that real hardware causes too, or that are none. */
const allowed: readonly {readonly message: RegExp; readonly why: string}[] = [
	{message: /^PCI: Using host bridge windows from ACPI; .*report a bug$/, why: 'every machine with ACPI has it'},
	{message: /^AMD-Vi: AMD IOMMUv2 .* - This is not a bug\.$/, why: 'every machine without that IOMMU has it'},
	{message: /^RAS: Correctable Errors collector initialized\.$/, why: 'it is the name of a part of the kernel'},
	{message: /^amd_pstate: the _CPC object is not present/, why: "AMD's processors on boards without CPPC have it"},
	{message: /^powernow_k8: Power state transitions not supported/, why: "AMD's processors without PowerNow! have it"},
	{message: /^clocksource: Long readout interval, skipping/, why: 'a busy host keeps a processor from running'},
	{message: /^hrtimer: interrupt took \d+ ns$/, why: 'a busy host keeps a processor from running'},
];

/** Messages of the kernel, as `dmesg -r` prints them, which are warnings or worse, or say that something is wrong. */
function complaints(output: string): readonly string[] {
	return [...output.matchAll(/^<(\d+)>\[ *\d+\.\d+\] (.*?)\r?$/gm)]
		.filter(([, level, message = '']) => Number(level) <= 4 || complaining.test(message))
		.map(([, , message = '']) => message)
		.filter((each) => !allowed.some(({message}) => message.test(each)));
}

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
			// Nothing is asserted until it is over, and other work of the host makes a boot many times as long.
			t.timeout(580_000);
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
