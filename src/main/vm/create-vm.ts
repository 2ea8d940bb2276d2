import {MappedMemory} from '#devices/guest-memory';
import {AttachedMachine, layOutMachine, type MachineLayout} from '#devices/machine';
import {findDeviceModel} from '#devices/registry';
import {consolePort, type VmConfig} from '#main/config';
import {describeDevices} from '#main/machine';
import {allocateRam, type GuestRam, prefetchRam} from '#main/memory';
import {
	cpuidTopology,
	createMemoryLayout,
	createProcessorTopology,
	type ProcessorTopology,
	readHostTopology,
} from '#main/topology';
import {close, eventfd} from '#support/ffi';
import {DoorbellState, mailboxBytes} from '#support/mailbox';
import {allocateSharedPages} from '#support/shared-memory';
import {type CpuidEntry, type CpuidOptions, guestCpuid, isAmdHost, physicalAddressBits} from '#vcpu-worker/cpuid';
import {
	Cap,
	interruptController,
	kvmKind,
	msrIndexList,
	openKvm,
	Partition,
	supportedCpuid,
	vcpuMmapSize,
} from '#vcpu-worker/kvm';
import {resetMsrs} from '#vcpu-worker/msr-policy';
import {VcpuControl} from '#vcpu-worker/protocol';
import {DeviceThread} from './device-thread.ts';
import {kernelChips, noKernelChips} from './interrupt-chips.ts';
import {prepareBoot, readKernel} from './prepare-boot.ts';
import {VcpuGroup} from './vcpu-group.ts';
import {VcpuThread} from './vcpu-thread.ts';
import {Vm} from './vm.ts';

/** Where long steps report. */
export interface CreateOptions {
	/** Bytes of memory committed so far, with `prefetch`. */
	readonly prefetched?: (doneBytes: number, totalBytes: number) => void;
	/** Time from the last work to sleep in the device worker, in nanoseconds. */
	readonly pollNs?: number;
	/** Looks at a mailbox reply before a vCPU thread sleeps. */
	readonly mailboxSpins?: number;
}

const defaultPollNs = 50_000;
const defaultMailboxSpins = 2_000;

/**
 * Builds a machine, powered on and ready to {@link Vm.start}.
 * @throws VmmError for whatever the host cannot give or the configuration gets wrong; nothing is left behind
 */
export async function createVm(config: VmConfig, options: CreateOptions = {}): Promise<Vm> {
	const undo: (() => void | Promise<void>)[] = [];
	try {
		return await build(config, options, undo);
	} catch (error) {
		for (const step of undo.reverse()) await step();
		throw error;
	}
}

async function build(config: VmConfig, options: CreateOptions, undo: (() => void | Promise<void>)[]): Promise<Vm> {
	const files = readKernel(config);
	// Whatever goes wrong first is reported; the file's own failure is met where it is awaited.
	files.catch(() => {});
	const kvm = openKvm();
	undo.push(() => void close(kvm));
	const topology = hostedTopology(config, kvm);
	const cpuid = supportedCpuid(kvm);
	const memoryLayout = createMemoryLayout({
		size: config.memory.sizeBytes,
		physicalAddressBits: physicalAddressBits(cpuid),
	});
	const partition = Partition.create(kvm);
	undo.push(() => partition.close());
	if (topology.apicMode !== 'xapic') partition.enableExtendedApicIds();
	partition.enableUserSpaceMsrs();
	partition.setBootCpu(topology.vps[0]?.apicId ?? 0);
	if (config.irqchip === 'kernel') partition.createKernelIrqchip();
	else partition.createSplitIrqchip();
	const ram = allocateRam(config.memory, memoryLayout.ram);
	undo.push(() => ram.dispose());
	for (const [slot, range] of ram.ranges.entries()) partition.setMemory({slot, ...range});

	const layout = wireMachine(config, topology, ram, undo);
	const {pollNs = defaultPollNs, mailboxSpins = defaultMailboxSpins} = options;
	const threads = spawnVcpus({topology, kvm, cpuid, partition, layout, ram, mailboxSpins});
	const vcpus = new VcpuGroup(threads);
	undo.push(() => vcpus.dispose());
	const devices = new DeviceThread({layout, memory: ram.ranges, vmFd: partition.fd, pollNs});
	undo.push(() => devices.dispose());
	const memory = new MappedMemory(ram.ranges);
	const machine = new AttachedMachine(layout, {
		findModel: findDeviceModel,
		interrupts: interruptController(partition),
		memory,
	});
	const image = prepareBoot(await files, config, topology, memoryLayout);
	if (config.memory.prefetch) await prefetchRam(ram.ranges, options.prefetched ?? (() => {}));
	await Promise.all([vcpus.ready(), devices.ready()]);
	const vm = new Vm({
		machine,
		memory,
		image,
		vcpus,
		devices,
		chips: config.irqchip === 'kernel' ? kernelChips(partition.fd) : noKernelChips,
		actions: config.guestActions,
		consoleDevice: consolePort(config.serial),
		release: () => {
			partition.close();
			close(kvm);
			close(layout.doorbell.wakeFd);
			ram.dispose();
		},
	});
	await vm.powerOn();
	return vm;
}

function hostedTopology({processors}: VmConfig, kvm: number): ProcessorTopology {
	const {count, vpsPerSocket, smt, x2apic, apicIdOffset} = processors;
	const probe = Partition.fromFd(kvm);
	const limits = {
		maxVcpus: probe.checkExtension(Cap.MAX_VCPUS),
		maxVcpuIds: probe.checkExtension(Cap.MAX_VCPU_ID),
	};
	const host = readHostTopology();
	return createProcessorTopology({processors: count, vpsPerSocket, smt, x2apic, apicIdOffset, host, limits});
}

function wireMachine(
	config: VmConfig,
	topology: ProcessorTopology,
	ram: GuestRam,
	undo: (() => void)[],
): MachineLayout {
	const wakeFd = eventfd();
	undo.push(() => void close(wakeFd));
	const doorbell = {buffer: new SharedArrayBuffer(DoorbellState.byteLength), wakeFd};
	const callers = topology.vps.length;
	const mailbox = {buffer: new SharedArrayBuffer(mailboxBytes(callers)), callers, doorbell};
	const devices = describeDevices(config, ram.ranges, Date.now());
	return layOutMachine(devices, findDeviceModel, {doorbell, mailbox});
}

interface VcpuParts {
	readonly topology: ProcessorTopology;
	readonly kvm: number;
	/** What KVM can show to a guest. */
	readonly cpuid: readonly CpuidEntry[];
	readonly partition: Partition;
	readonly layout: MachineLayout;
	readonly ram: GuestRam;
	readonly mailboxSpins: number;
}

const pageSize = 4096;

/** Starts every vCPU's thread; they create their vCPUs side by side. */
function spawnVcpus({topology, kvm, cpuid, partition, layout, ram, mailboxSpins}: VcpuParts): VcpuThread[] {
	const runBytes = Math.ceil(vcpuMmapSize(kvm) / pageSize) * pageSize;
	const runs = allocateSharedPages(runBytes * topology.vps.length);
	const controls = new SharedArrayBuffer(VcpuControl.byteLength * topology.vps.length);
	const options = cpuidOptions(topology, partition);
	const msrIndexes = msrIndexList(kvm);
	const msrs = resetMsrs({isAmd: isAmdHost(cpuid), nestedVirt: false, listed: new Set(msrIndexes)});
	const xsaveSize = partition.checkExtension(Cap.XSAVE2);
	return topology.vps.map((vp) => {
		const {index, apicId} = vp;
		return new VcpuThread({
			index,
			apicId,
			vmFd: partition.fd,
			run: {buffer: runs, byteOffset: runBytes * index, byteLength: runBytes},
			control: {buffer: controls, byteOffset: VcpuControl.byteLength * index},
			layout,
			memory: ram.ranges,
			cpuid: guestCpuid(cpuid, cpuidTopology(topology, vp), options),
			x2apicEnabled: topology.apicMode === 'x2apic-enabled',
			msrs,
			msrIndexes,
			xsaveSize,
			mailboxSpins,
		});
	});
}

/** What the host decides about the guest's CPUID. */
function cpuidOptions(topology: ProcessorTopology, partition: Partition): CpuidOptions {
	const x2apic = topology.apicMode !== 'xapic';
	return {
		nestedVirt: false,
		x2apic,
		tscDeadline: partition.checkExtension(Cap.TSC_DEADLINE_TIMER) !== 0,
		// There a guest's VMCALL hangs (guide, "Hosts").
		hypercalls: kvmKind() !== 'pvm',
	};
}
