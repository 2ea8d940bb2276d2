import {MappedMemory} from '#devices/guest-memory';
import {AttachedMachine} from '#devices/machine';
import {findDeviceModel} from '#devices/registry';
import {consolePort, type VmConfig} from '#main/config';
import {allocateRam, prefetchRam} from '#main/memory';
import {createMemoryLayout} from '#main/topology';
import {WorkerStock} from '#main/workers';
import {close, eventfd} from '#support/ffi';
import {physicalAddressBits} from '#vcpu-worker/cpuid';
import {interruptController, openKvm, Partition, supportedCpuid} from '#vcpu-worker/kvm';
import {DeviceThread} from './device-thread.ts';
import {kernelChips, noKernelChips} from './interrupt-chips.ts';
import {prepareBoot, readKernel} from './prepare-boot.ts';
import {VcpuGroup} from './vcpu-group.ts';
import {Vm} from './vm.ts';
import type {VmEnd} from './vm-end.ts';
import {hostedTopology, wireMachine} from './wire-machine.ts';
import {wireVcpus} from './wire-vcpus.ts';

/** What a machine's owner may choose beyond its configuration. */
export interface CreateOptions {
	/** Called with the bytes of memory committed so far, with `prefetch`. */
	readonly prefetched?: (doneBytes: number, totalBytes: number) => void;
	/** Called when the guest has ended and its action is `halt`: the machine stays, stopped, to be looked at or reset. */
	readonly halted?: (end: VmEnd) => void;
	/** How long the device worker looks for work before it sleeps, in nanoseconds. */
	readonly pollNs?: number;
	/** How often a vCPU's thread looks at a mailbox reply before it sleeps. */
	readonly mailboxSpins?: number;
	/** Threads started earlier; new ones are started where it has too few. */
	readonly stock?: WorkerStock;
}

const defaultPollNs = 50_000;
const defaultMailboxSpins = 2_000;

/** Steps that give back what was taken, last first. */
type Undo = (() => void | Promise<void>)[];

/**
 * Builds a machine, powered on and ready to {@link Vm.start}.
 * @throws VmmError for whatever the host cannot give or the configuration gets wrong; nothing is left behind
 */
export async function createVm(config: VmConfig, options: CreateOptions = {}): Promise<Vm> {
	const undo: Undo = [];
	try {
		const vm = await build(config, options, undo);
		await vm.powerOn();
		return vm;
	} catch (error) {
		for (const step of undo.reverse()) await step();
		throw error;
	}
}

async function build(config: VmConfig, options: CreateOptions, undo: Undo): Promise<Vm> {
	const files = readKernel(config);
	// Whatever goes wrong first is reported; the file's own failure is met where it is awaited.
	files.catch(() => {});
	const kvm = openKvm();
	undo.push(() => void close(kvm));
	const topology = hostedTopology(config, kvm);
	const workers = takeWorkers(options.stock ?? new WorkerStock(), topology.vps.length, undo);

	const cpuid = supportedCpuid(kvm);
	const addressBits = physicalAddressBits(cpuid);
	const memoryLayout = createMemoryLayout({size: config.memory.sizeBytes, physicalAddressBits: addressBits});
	const partition = createPartition(kvm, config, topology.vps[0]?.apicId ?? 0);
	undo.push(() => partition.close());
	if (topology.apicMode !== 'xapic') partition.enableExtendedApicIds();
	const ram = allocateRam(config.memory, memoryLayout.ram);
	undo.push(() => ram.dispose());
	for (const [slot, range] of ram.ranges.entries()) partition.setMemory({slot, ...range});

	const wakeFd = eventfd();
	undo.push(() => void close(wakeFd));
	const layout = wireMachine(config, topology.vps.length, ram.ranges, wakeFd);
	const {pollNs = defaultPollNs, mailboxSpins = defaultMailboxSpins} = options;
	const wiring = {layout, memory: ram.ranges};
	const vcpus = new VcpuGroup(
		wireVcpus({workers: workers.vcpus, topology, kvm, cpuid, partition, mailboxSpins, ...wiring}),
	);
	const devices = new DeviceThread(workers.devices, {vmFd: partition.fd, pollNs, ...wiring});
	undo.push(() => devices.dispose());
	const memory = new MappedMemory(ram.ranges);
	const host = {findModel: findDeviceModel, interrupts: interruptController(partition), memory};
	const machine = new AttachedMachine(layout, host);
	const image = prepareBoot(await files, config, topology, memoryLayout);
	if (config.memory.prefetch) await prefetchRam(ram.ranges, options.prefetched ?? (() => {}));
	await Promise.all([vcpus.ready(), devices.ready()]);
	return new Vm({
		machine,
		memory,
		image,
		vcpus,
		devices,
		chips: config.irqchip === 'kernel' ? kernelChips(partition.fd) : noKernelChips,
		actions: config.guestActions,
		halted: options.halted ?? (() => {}),
		consoleDevice: consolePort(config.serial),
		release: () => {
			partition.close();
			close(kvm);
			close(wakeFd);
			ram.dispose();
		},
	});
}

/** Takes a machine's threads from the stock. */
function takeWorkers(stock: WorkerStock, count: number, undo: Undo) {
	const devices = stock.takeDevices();
	const vcpus = Array.from({length: count}, () => stock.takeVcpu());
	undo.push(async () => {
		await Promise.all([devices, ...vcpus].map(({leave}) => leave()));
	});
	return {devices, vcpus};
}

function createPartition(kvm: number, config: VmConfig, bootApicId: number): Partition {
	const partition = Partition.create(kvm);
	try {
		partition.enableUserSpaceMsrs();
		partition.setBootCpu(bootApicId);
		if (config.irqchip === 'kernel') partition.createKernelIrqchip();
		else partition.createSplitIrqchip();
		return partition;
	} catch (error) {
		partition.close();
		throw error;
	}
}
