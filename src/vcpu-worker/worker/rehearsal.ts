import {acpiPmKind} from '#devices/chipset/acpi-pm';
import {cmosRtcKind} from '#devices/chipset/cmos-rtc';
import {i8042Kind} from '#devices/chipset/i8042';
import {ioApic82093aaKind} from '#devices/chipset/ioapic-82093aa';
import {missingKind} from '#devices/chipset/missing';
import {pic8259Kind} from '#devices/chipset/pic-8259';
import {pit8254Kind} from '#devices/chipset/pit-8254';
import {powerOffPortsKind} from '#devices/chipset/power-off-ports';
import {pvpanicKind} from '#devices/chipset/pvpanic';
import type {DeviceInstance} from '#devices/device';
import {ledgerBytes, type MappedRange, pageBytes, pageClockBytes} from '#devices/guest-memory';
import {layOutMachine, type MachineLayout} from '#devices/machine';
import {type LoadedTypes, loadDeviceModels} from '#devices/registry';
import {mailboxBytes, WakerState} from '#support/mailbox';
import {allocateSharedMemory} from '#support/shared-memory';
import type {BackEnd, Hypervisor} from '#vcpu-worker/hypervisor';
import {vcpuSharedBytes} from '#vcpu-worker/protocol';
import type {VcpuWorkerData} from './worker-data.ts';

/** Devices that most machines have. */
const kinds = [
	...[pic8259Kind, ioApic82093aaKind, pit8254Kind, cmosRtcKind, acpiPmKind],
	...[i8042Kind, pvpanicKind, powerOffPortsKind, missingKind],
] as const;

/** A machine of one processor that no guest runs on. */
export interface Rehearsal {
	readonly data: VcpuWorkerData;
	close(): void;
}

/** Makes a machine for a thread that has none to try its work on. */
export async function openRehearsal(hypervisor: Hypervisor & BackEnd): Promise<Rehearsal> {
	const partition = hypervisor.create({irqchip: 'split', processors: 1});
	const {processor, handle, watch} = partition;
	const range = pageOfRam();
	partition.map(range);
	const memory = {ranges: [range], clock: new SharedArrayBuffer(pageClockBytes), ...(watch && {watch})};
	const vcpu = partition.openVcpu({index: 0, apicId: 0, apicMode: 'xapic', cpuid: processor.cpuid});
	const control = {buffer: new SharedArrayBuffer(vcpuSharedBytes), byteOffset: 0};
	const layout = layoutOf(await loadDeviceModels([]));
	const data = {layout, memory, partition: handle, index: 0, vcpu, control, mailboxSpins: 1};
	return {data, close: () => partition.close()};
}

function layoutOf({findType, findModel}: LoadedTypes): MachineLayout {
	const facts = {ram: [], bornMs: 0, generationId: '', hasSystem: false, has: () => false};
	const devices = kinds.map((kind): DeviceInstance => {
		return {name: kind, kind, config: findType(kind)?.configure?.({}, facts) ?? {}};
	});
	const waker = {buffer: new SharedArrayBuffer(WakerState.byteLength), wakeFd: -1};
	const mailbox = {buffer: new SharedArrayBuffer(mailboxBytes(1)), callers: 1, waker};
	return layOutMachine(devices, findModel, {modules: [], wakers: [waker], mailbox});
}

/** Nobody executes what is there, and no system call is given its address. */
function pageOfRam(): MappedRange {
	const ledger = {memory: {buffer: new SharedArrayBuffer(ledgerBytes(pageBytes))}, offset: 0};
	return {gpa: 0, length: pageBytes, memory: allocateSharedMemory(pageBytes), offset: 0, hostAddress: 0, ledger};
}
