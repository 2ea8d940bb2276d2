import {type DeviceRegistry, deviceRegistry} from '#devices/registry';
import {hypervisorOptions} from '#vcpu-worker/back-ends';
import {cpuModelNames} from '#vcpu-worker/cpuid';

/** The headings of the help, in order. */
export const flagGroups = {
	boot: 'What to boot',
	machine: 'Machine',
	devices: 'Ports and devices',
	guest: 'When the guest ends',
	process: 'Process',
} as const;

/** One flag: parsing, help, shell completion and the guide's reference page are made from it. */
export interface Flag {
	/** Long name without its dashes. */
	readonly name: string;
	/** Short name without its dash. */
	readonly short?: string;
	/** Placeholder of the value in capitals; a flag without one is a switch. */
	readonly value?: string;
	readonly group: keyof typeof flagGroups;
	readonly help: string;
	/** Value without the flag, as the reader would write it. */
	readonly default?: string;
	/** The only words allowed as value. */
	readonly choices?: readonly string[];
	/** All values count, in order; otherwise the last one does. */
	readonly repeat?: true;
	/** Environment variable that gives the value when the flag does not. */
	readonly env?: string;
}

/** The flags of `openvmm` but for those of devices, by OpenVMM's names. */
const machineWideFlags = [
	{
		name: 'kernel',
		short: 'k',
		value: 'FILE',
		group: 'boot',
		env: 'OPENVMM_LINUX_DIRECT_KERNEL',
		help: 'kernel: a Linux bzImage (64-bit or 32-bit) or vmlinux, a PVH ELF or a multiboot kernel, also compressed by gzip, zstd, xz or lz4. Without one the embedded guest boots: it brings up every processor, lets each work on shared memory, and powers off',
	},
	{
		name: 'initrd',
		short: 'r',
		value: 'FILE',
		group: 'boot',
		env: 'OPENVMM_LINUX_DIRECT_INITRD',
		help: 'initial RAM disk for the kernel. A multiboot or PVH kernel gets it as a module, and takes several with words of their own: "FILE WORDS,FILE WORDS", where two commas mean one',
	},
	{
		name: 'cmdline',
		short: 'c',
		value: 'STRING',
		group: 'boot',
		repeat: true,
		help: 'more words for the command line: Linux gets them behind "panic=-1 debug console=…", a multiboot or PVH kernel behind the name of its file, the embedded guest alone; may be repeated',
	},
	{
		name: 'no-default-cmdline',
		group: 'boot',
		help: 'Linux gets the words of --cmdline alone, without those in front of them',
	},
	{
		name: 'flat',
		value: 'PARAMS',
		group: 'boot',
		help: 'copy a raw file into memory and jump to its first byte: FILE[,address=0x100000][,mode=real|long]; mode defaults to long (64-bit)',
	},
	{
		name: 'processors',
		short: 'p',
		value: 'COUNT',
		group: 'machine',
		default: '1',
		help: 'virtual processors, 1 to 1024, each on its own thread',
	},
	{
		name: 'vps-per-socket',
		value: 'COUNT',
		group: 'machine',
		help: 'processors that fill one socket; without it all are in one',
	},
	{
		name: 'smt',
		value: 'MODE',
		group: 'machine',
		default: 'auto',
		choices: ['auto', 'force', 'off'],
		help: 'whether two processors share a core; auto follows the host',
	},
	{
		name: 'x2apic',
		value: 'MODE',
		group: 'machine',
		default: 'auto',
		choices: ['auto', 'supported', 'off', 'on'],
		help: 'x2APIC; auto turns it on when the APIC ids need it',
	},
	{
		name: 'apic-id-offset',
		value: 'NUMBER',
		group: 'machine',
		default: '0',
		help: 'added to every APIC id, to test guests whose APIC ids are not their processor numbers',
	},
	{
		name: 'cpu',
		value: 'PARAMS',
		group: 'machine',
		default: 'host',
		help: `what the processors have: ${cpuModelNames.join(', ')}, then +FEATURE and -FEATURE for more and less, and tsc_khz=KHZ for the frequency of the time-stamp counter, between commas. host is all that the back end has; what has a model's features can go on from a snapshot on KVM as on the software processor. "openvmm help --cpu" lists models and features`,
	},
	{
		name: 'memory',
		short: 'm',
		value: 'PARAMS',
		group: 'machine',
		default: '1GB',
		help: 'guest memory: SIZE, or size=SIZE with any of shared[=on|off] (on), prefetch[=on|off] (off), thp[=on|off] (on), hugepages[=on|off] (off), hugepage_size=SIZE (2MB), file=PATH, between commas. SIZE takes K, M, G or T, optionally followed by B',
	},
	{
		name: 'numa',
		value: 'PARAMS',
		group: 'machine',
		repeat: true,
		help: 'a NUMA node, instead of --memory: size=SIZE (0 for none), any of the options of --memory but file, host_numa_node=N (where its memory comes from), vps=[0,1,4-5] (its processors; [] for none), between commas. Without vps the sockets go to the nodes in turn; may be repeated',
	},
	{
		name: 'numa-distance',
		value: 'SRC:DST:DIST',
		group: 'machine',
		repeat: true,
		help: 'how far one NUMA node is from another, in this direction: 10 to 255 (out of reach). A node is 10 from itself, and without this flag 20 from any other; may be repeated',
	},
	{
		name: 'hypervisor',
		value: 'KIND',
		group: 'machine',
		default: 'auto',
		choices: hypervisorOptions,
		help: 'what runs the guest; auto takes KVM where stock kernels run on it, else the software processor',
	},
	{
		name: 'irqchip',
		value: 'KIND',
		group: 'machine',
		default: 'split',
		choices: ['kernel', 'split'],
		help: "interrupt controllers: all in the hypervisor (KVM only), or ours with the hypervisor's local APICs",
	},
	{
		name: 'paused',
		short: 'P',
		group: 'machine',
		help: 'wait for "resume" in the console (Ctrl-Q) before the first instruction',
	},
	{
		name: 'gdb',
		value: 'ADDRESS',
		group: 'machine',
		help: 'serve GDB there: PORT (on 127.0.0.1), IP:PORT or unix:PATH; with --paused the guest waits for it',
	},
	{
		name: 'profile',
		value: 'PATH',
		group: 'machine',
		help: 'write a flame graph of all that the guest executes there when the machine ends, for speedscope',
	},
	{
		name: 'profile-rate',
		value: 'HZ',
		group: 'machine',
		default: '500',
		help: 'samples a second of each processor, 1 to 1000; needs --profile',
	},
	{
		name: 'symbols',
		value: 'FILE[,offset=ADDRESS]',
		group: 'machine',
		repeat: true,
		help: "symbols for --profile beside those that a Linux kernel has in its memory: an ELF file, a System.map, or the text of the guest's /proc/kallsyms. A kernel's are moved to where it runs, others by offset; may be repeated",
	},
	{
		name: 'lockstep',
		group: 'machine',
		help: "compare what the software processor makes of guest code with its interpreter, as the guest runs, and log as warnings what differs, and at the end how much was compared: to look for errors of openvmm's own. For one processor; the guest is ten to a hundred times as slow",
	},
	{
		name: 'restore-snapshot',
		value: 'DIR',
		group: 'machine',
		help: 'begin in the state that a snapshot holds, any number of times: the snapshot is not changed. It brings the shape of the machine; what ports are bound to, the modules of your own devices and files are given again. Without a kernel the machine cannot be reset',
	},
	{
		name: 'clones',
		value: 'COUNT',
		group: 'machine',
		help: 'make so many machines from the snapshot, in this process; %n in the value of a flag is the number of the machine, from 0. COM1 goes nowhere unless it is bound, for example to file=clone-%n.log',
	},
	{
		name: 'verify-snapshot',
		group: 'machine',
		help: 'compare all memory of the snapshot with its checksums first, which takes time that grows with it',
	},
	{
		name: 'clock',
		value: 'POLICY',
		group: 'machine',
		default: 'catch-up',
		choices: ['continue', 'catch-up'],
		help: 'what the clocks of a restored guest do: catch-up with the real time that has passed since the snapshot, or continue where they were; needs --restore-snapshot',
	},
	{
		name: 'pcie-root-complex',
		value: 'PARAMS',
		group: 'devices',
		repeat: true,
		help: 'a PCI Express root complex: NAME, then segment=N (0), start_bus=N (0), end_bus=N (255), low_mmio=SIZE (64M), high_mmio=SIZE (1G), low_mmio_base=ADDRESS, high_mmio_base=ADDRESS, preserve_bars, node=N (its NUMA node), between commas; may be repeated',
	},
	{
		name: 'pcie-root-port',
		value: 'PARAMS',
		group: 'devices',
		repeat: true,
		help: 'a port of a root complex: RC:NAME[,addr=DEVICE[.FUNCTION]] [,hotplug][,button][,acs=MASK][,pasid]; with button the guest is asked before a device goes (pcie-remove --ask); MASK defaults to 0x5f; may be repeated',
	},
	{
		name: 'pcie-switch',
		value: 'PARAMS',
		group: 'devices',
		repeat: true,
		help: 'a PCI Express switch on a port: PORT:NAME[,num_downstream_ports=4] [,hotplug][,button][,acs=MASK][,pasid]; its ports are called NAME-downstream-0 and so on; may be repeated',
	},
	{
		name: 'pcie-generic-initiator',
		value: 'PARAMS',
		group: 'devices',
		repeat: true,
		help: 'the device behind a port uses the memory of a NUMA node as a processor does (ACPI SRAT): port=PORT,node=N; may be repeated',
	},
	{
		name: 'pcie-ecam-below-4gb',
		group: 'devices',
		help: 'configuration space of the root complexes lies below 4 GiB, for guests that look for it there only',
	},
	{
		name: 'device',
		value: 'PATH,OPTIONS',
		group: 'devices',
		repeat: true,
		help: 'a device of your own: the path of its module, then name=NAME, port=PORT[,function=N] where it is a PCI Express device, and options of its own, between commas; may be repeated',
	},
	{
		name: 'device-failure',
		value: 'WHAT',
		group: 'devices',
		default: 'machine',
		help: 'what a device whose own code fails ends: the machine, or the device, which then reads as all ones',
	},
	{
		name: 'guest-reset-action',
		value: 'ACTION',
		group: 'guest',
		default: 'reset',
		help: 'when the guest asks for a reset: reset, halt (keep the stopped machine) or exit[:STATUS]',
	},
	{
		name: 'guest-shutdown-action',
		value: 'ACTION',
		group: 'guest',
		default: 'exit',
		help: 'when the guest powers off or hibernates. OpenVMM itself defaults to halt; here the process ends, so that a script or service manager learns that the guest is done',
	},
	{
		name: 'guest-crash-action',
		value: 'ACTION',
		group: 'guest',
		default: 'exit:3',
		help: 'when the guest triple-faults, or reports a panic of its kernel (pvpanic). OpenVMM itself defaults to halt; here the process ends, for the same reason',
	},
	{
		name: 'guest-watchdog-action',
		value: 'ACTION',
		group: 'guest',
		default: 'reset',
		help: 'when the guest watchdog fires; needs --guest-watchdog',
	},
	{
		name: 'guest-halt-action',
		value: 'ACTION',
		group: 'guest',
		default: 'none',
		help: 'when all processors have halted with interrupts off, which only a reset or a non-maskable interrupt ends: none (a line says so, and the guest stays), reset, halt or exit[:STATUS]',
	},
	{
		name: 'guest-reset-limit',
		value: 'COUNT',
		group: 'guest',
		default: '10',
		help: 'end the machine with status 10 when its guest has started again so often in a row, each time within a minute; 0 for never. From the fourth reset in a row on each waits longer, up to 4 s',
	},
	{
		name: 'crash-dump-path',
		value: 'PATH',
		group: 'guest',
		help: 'when the guest crashes, or has started again as often as --guest-reset-limit has it, write its processors and memory there, as an ELF core for gdb and crash; before the crash action',
	},
	{
		name: 'log-file',
		value: 'PATH',
		group: 'process',
		help: 'write the log there as JSON lines (overwritten), instead of warnings to stderr',
	},
	{
		name: 'pidfile',
		value: 'PATH',
		group: 'process',
		help: 'write the process id there, locked while openvmm runs and removed at its end; not with --clones',
	},
	{
		name: 'name',
		value: 'NAME',
		group: 'process',
		help: 'what the machine is called, by "openvmm ps" and wherever a machine is named; without it two words are made up',
	},
	{
		name: 'control-socket',
		value: 'PATH',
		group: 'process',
		help: 'Unix socket for "openvmm inspect" and the other commands, or none; without it one of your own under $XDG_RUNTIME_DIR, where they find it',
	},
	{name: 'help', short: 'h', group: 'process', help: 'print this help'},
	{name: 'version', short: 'V', group: 'process', help: 'print the version'},
] as const satisfies readonly Flag[];

/** The long name of a flag that no device has. */
export type FlagName = (typeof machineWideFlags)[number]['name'];

/** Every flag of `openvmm` where there are these kinds of devices. */
export const allFlags = (registry: DeviceRegistry): readonly Flag[] => [
	...registry.flags.map((flag): Flag => ({...flag, group: 'devices'})),
	...machineWideFlags,
];

/** Every flag of `openvmm`. */
export const flags: readonly Flag[] = allFlags(deviceRegistry);

/** Other environment variables that openvmm reads. */
export const environment = {
	OPENVMM_LOG: 'how much is logged: trace, debug, info, warn, error or silent (warn; info with --log-file)',
} as const;
