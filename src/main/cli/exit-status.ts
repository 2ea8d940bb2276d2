import {constants} from 'node:os';

/** One way in which `openvmm` ends. */
export interface ExitStatus {
	readonly status: number;
	readonly meaning: string;
	/** Error codes that end this way; a trailing `*` stands for any rest, and the longest match counts. */
	readonly codes: readonly string[];
}

/**
 * Every status that `openvmm` itself ends with. A guest may choose others: through the debug-exit port and
 * through `exit:STATUS` actions. Signals give 128 plus their number, as shells have it, although the end
 * is clean: who started openvmm learns that the guest did not end by itself.
 */
export const exitStatuses = {
	ok: {status: 0, meaning: 'the guest powered off, or the console said quit', codes: []},
	internal: {
		status: 1,
		meaning: 'the hypervisor or openvmm itself failed',
		codes: [
			'CLI_INTERNAL',
			'CORE_DUMP_*',
			'DECODE_*',
			'DESCRIPTOR_*',
			'DEVICE_FAILED',
			'DEVICE_HANGS',
			'DEVICE_STOP_TIMEOUT',
			'GSI_TABLE_*',
			'HOST_CALL_*',
			'INTERRUPT_INPUT_*',
			'PROFILE_FAILED',
			'KVM_*',
			'VCPU_*',
			'VM_*',
			'WIRE_*',
		],
	},
	usage: {
		status: 2,
		meaning: 'the command line or the configuration is wrong',
		codes: [
			'CLI_*',
			'CONFIG_*',
			'CPU_*',
			'TOPOLOGY_*',
			'MEMORY_SIZE_*',
			'NUMA_*',
			'SOFTWARE_*',
			'ACPI_*',
			'SMBIOS_*',
			'SERIAL_*',
			'FLAT_*',
			'BUS_*',
			'DEVICE_*',
			'IO_URING_*',
			'PCI_*',
			'PCIE_*',
			'HOT_PLUG_*',
			'VIRTIO_*',
			'NETWORK_*',
			'FOLDER_*',
			'NVME_*',
			'SCSI_*',
			'GDB_*',
			'PROFILE_*',
			'SYMBOLS_*',
			'INSPECT_*',
			'CONTROL_NAME_*',
			'CONTROL_SOCKET_*',
			'CONTROL_DIRECTORY_*',
			'VM_OPTION_INVALID',
		],
	},
	crash: {status: 3, meaning: 'the guest crashed (triple fault, or a panic that it reported)', codes: []},
	noHypervisor: {
		status: 4,
		meaning: 'no guest can run here: no usable hypervisor, or not the host for one',
		codes: ['KVM_MISSING', 'KVM_BUSY', 'KVM_API_VERSION', 'HOST_*'],
	},
	noPermission: {status: 5, meaning: 'no permission to use the hypervisor (/dev/kvm)', codes: ['KVM_PERMISSION']},
	kernel: {
		status: 6,
		meaning: 'the kernel, its initrd or its command line cannot be booted',
		codes: ['KERNEL_*', 'BOOT_*', 'COMMAND_LINE_*'],
	},
	memory: {
		status: 7,
		meaning: 'too little memory: in the host for the machine, at its start or later, or in the machine for its kernel',
		codes: [
			'MEMORY_*',
			'INITRD_TOO_LARGE',
			'CONFIG_HOST_MEMORY_*',
			'CONFIG_HUGEPAGES_SHORT',
			'CONFIG_MEMORY_FILE_ROOM',
		],
	},
	snapshot: {
		status: 8,
		meaning: 'the snapshot is damaged, of another machine or version, or not for this host',
		codes: [
			'SNAPSHOT_*',
			'STATE_*',
			'VCPU_NEEDS_MISSING',
			'VCPU_MSR_REFUSED',
			'VCPU_COUNTER_FREQUENCY',
			'VM_CLOCK_TOO_FAR',
		],
	},
	noMachine: {
		status: 9,
		meaning: 'a command for a running machine did not reach it, or was given up',
		codes: ['CONTROL_*', 'AGENT_*', 'OPERATION_ABORTED'],
	},
	resetLoop: {
		status: 10,
		meaning: 'the guest started again and again without getting anywhere (--guest-reset-limit)',
		codes: [],
	},
	image: {
		status: 11,
		meaning: 'an image cannot be made, fetched or used, or the kernel that it needs cannot be fetched',
		codes: [
			'PACKAGE_*',
			'PACKAGES_*',
			'MIRROR_*',
			'EXT4_*',
			'TREE_*',
			'IMAGE_*',
			'OCI_*',
			'REGISTRY_*',
			'GUEST_KERNEL_*',
		],
	},
	disk: {
		status: 12,
		meaning: 'a disk or an image of one cannot be made, opened, read or written, or has faults',
		codes: ['DISK_*'],
	},
	forced: {
		status: 13,
		meaning: 'a guest did not shut down in its time, and its machine was ended',
		codes: ['CONTROL_MACHINE_FORCED'],
	},
	hangup: {status: 129, meaning: 'SIGHUP ended it', codes: []},
	interrupted: {status: 130, meaning: 'SIGINT ended it (Ctrl-C, where stdin is no terminal)', codes: []},
	terminated: {status: 143, meaning: 'SIGTERM ended it', codes: []},
} as const satisfies Record<string, ExitStatus>;

/** All ends as a reader sees them: the status, and what it means. */
export const exitStatusRows: readonly (readonly [string, string])[] = [
	...Object.values(exitStatuses).map(({status, meaning}) => [`${status}`, meaning] as const),
	['128 + n', 'signal n ended it: SIGQUIT (131), SIGALRM (142), SIGXCPU (152) and others'],
];

/** The status for a signal that ends openvmm in order. */
export const statusOfSignal = (signal: NodeJS.Signals): number => 128 + constants.signals[signal];

/** The status for an error's code; that of an internal failure for a code that the table does not name. */
export const statusOfError = (code: string): number => (matchesOf(code)[0]?.row ?? exitStatuses.internal).status;

/** Finds a code in the table, the match that counts first. */
export function matchesOf(code: string): {readonly row: ExitStatus; readonly pattern: string}[] {
	const matches = Object.values<ExitStatus>(exitStatuses).flatMap((row) =>
		row.codes.filter((pattern) => matchesPattern(pattern, code)).map((pattern) => ({row, pattern})),
	);
	return matches.sort((a, b) => b.pattern.length - a.pattern.length);
}

function matchesPattern(pattern: string, code: string): boolean {
	return pattern.endsWith('*') ? code.startsWith(pattern.slice(0, -1)) : code === pattern;
}
