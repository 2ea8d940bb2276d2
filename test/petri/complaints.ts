/** Words of a message that complains, whatever its level. */
const complaining =
	/fail|error|segfault|traps:|unable|cannot|\binvalid\b|broken|\bbug\b|unsupported|not supported|timed? ?out/i;

/** Complaints that real hardware causes too, or that are none. */
const allowed: readonly {readonly message: RegExp; readonly why: string}[] = [
	{message: /^PCI: Using host bridge windows from ACPI; .*report a bug$/, why: 'every machine with ACPI has it'},
	{message: /^AMD-Vi: AMD IOMMUv2 .* - This is not a bug\.$/, why: 'every machine without that IOMMU has it'},
	{message: /^(Kernel c|C)ommand line: /, why: 'it has the names of limits'},
	{message: /^\tRCU CPU stall warnings timeout set to \d+ \(/, why: 'it tells of a limit'},
	{message: /^RAS: Correctable Errors collector initialized\.$/, why: 'it is the name of a part of the kernel'},
	{message: /^amd_pstate: the _CPC object is not present/, why: "AMD's processors on boards without CPPC have it"},
	{message: /^powernow_k8: Power state transitions not supported/, why: "AMD's processors without PowerNow! have it"},
	{message: /^clocksource: Long readout interval, skipping/, why: 'a busy host keeps a processor from running'},
	{message: /^workqueue: \w+ hogged CPU for >\d+us /, why: 'a busy host keeps a processor from running'},
	{message: /^nvme nvme\d+: resetting controller$/, why: 'somebody has asked for it in the guest'},
	{message: /^sd [\d:]+: Power-on or device reset occurred$/, why: 'a SCSI disk answers its first command so (SAM-5)'},
	{
		message: /^sd [\d:]+: Capacity data has changed$/,
		why: "a SCSI disk tells so of another length (SPC-4, 'capacity data has changed')",
	},
	{message: /^hrtimer: interrupt took \d+ ns$/, why: 'a busy host keeps a processor from running'},
];

/** Messages of the kernel, as `dmesg -r` prints them, which are warnings or worse, or say that something is wrong. */
export function complaints(output: string): readonly string[] {
	return [...output.matchAll(/^<(\d+)>\[ *\d+\.\d+\] (.*?)\r?$/gm)]
		.filter(([, level, message = '']) => Number(level) <= 4 || complaining.test(message))
		.map(([, , message = '']) => message)
		.filter((each) => !allowed.some(({message}) => message.test(each)));
}
