/** State of the kernel's interrupt controllers and timer, for save and restore. */
import type {Fields, PlainFields, Wire} from '#support/wire';
import {ArgumentBuffer} from './argument-buffer.ts';
import {Irqchip, Pit} from './constants.ts';
import {kvmIoctl} from './ioctl.ts';
import {
	type IoapicState,
	KvmIoapicState,
	KvmIrqchip,
	KvmPicState,
	KvmPitState2,
	type PicState,
	type PitState,
} from './structs-vm.ts';

/** Both 8259As and the I/O APIC. */
export interface IrqchipState {
	readonly picMaster: PicState;
	readonly picSlave: PicState;
	readonly ioapic: IoapicState;
}

const chipOffset = KvmIrqchip.offset('chip');

function getChip<F extends Fields>(vmFd: number, id: number, layout: Wire<F>): PlainFields<F> {
	const buffer = new ArgumentBuffer(KvmIrqchip.size);
	kvmIoctl(vmFd, 'KVM_GET_IRQCHIP', buffer.with(KvmIrqchip, {chip_id: id}), `chip ${id}`);
	return layout.read(buffer.view, chipOffset);
}

function setChip<F extends Fields>(vmFd: number, id: number, layout: Wire<F>, state: PlainFields<F>): void {
	const buffer = new ArgumentBuffer(KvmIrqchip.size);
	buffer.with(KvmIrqchip, {chip_id: id});
	layout.write(buffer.view, chipOffset, state);
	kvmIoctl(vmFd, 'KVM_SET_IRQCHIP', buffer, `chip ${id}`);
}

/** KVM_GET_IRQCHIP for every chip. The VM has kernel interrupt controllers and its vCPUs are stopped. */
export const getIrqchip = (vmFd: number): IrqchipState => ({
	picMaster: getChip(vmFd, Irqchip.PIC_MASTER, KvmPicState),
	picSlave: getChip(vmFd, Irqchip.PIC_SLAVE, KvmPicState),
	ioapic: getChip(vmFd, Irqchip.IOAPIC, KvmIoapicState),
});

/** KVM_SET_IRQCHIP for every chip. */
export function setIrqchip(vmFd: number, state: IrqchipState): void {
	setChip(vmFd, Irqchip.PIC_MASTER, KvmPicState, state.picMaster);
	setChip(vmFd, Irqchip.PIC_SLAVE, KvmPicState, state.picSlave);
	setChip(vmFd, Irqchip.IOAPIC, KvmIoapicState, state.ioapic);
}

/** KVM_GET_PIT2. */
export function getPit(vmFd: number): PitState {
	const buffer = new ArgumentBuffer(KvmPitState2.size);
	kvmIoctl(vmFd, 'KVM_GET_PIT2', buffer);
	return KvmPitState2.read(buffer.view);
}

/** KVM_SET_PIT2. */
export function setPit(vmFd: number, state: PitState): void {
	kvmIoctl(vmFd, 'KVM_SET_PIT2', new ArgumentBuffer(KvmPitState2.size).with(KvmPitState2, state));
}

/** The 8254's modes that interrupt again and again: rate generator and square wave, by KVM's numbers. */
const periodicModes = [2, 3];

/** Lets a PIT that ticks begin its period anew, with no ticks owed: KVM drops them when the count is loaded. */
export function restartPit(vmFd: number): void {
	const state = getPit(vmFd);
	if (periodicModes.includes(state.channels[0]?.mode ?? 0)) setPit(vmFd, state);
}

/** Keeps the kernel's PIT from interrupting, as long as an HPET takes its place (KVM_PIT_FLAGS_HPET_LEGACY). */
export function setPitReplaced(vmFd: number, replaced: boolean): void {
	const state = getPit(vmFd);
	const flags = replaced ? state.flags | Pit.FLAGS_HPET_LEGACY : state.flags & ~Pit.FLAGS_HPET_LEGACY;
	setPit(vmFd, {...state, flags});
}
