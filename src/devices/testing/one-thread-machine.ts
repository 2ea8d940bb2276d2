import type {PagesBackEnd} from '#devices/bar-pages';
import type {DeviceInstance} from '#devices/device';
import type {DoorbellBackEnd} from '#devices/doorbells';
import {MappedMemory} from '#devices/guest-memory';
import {plainMemory} from '#devices/guest-memory/testing';
import type {InterruptController} from '#devices/interrupts';
import {tellingInterrupts} from '#devices/interrupts/testing';
import {
	AttachedMachine,
	type DeviceFailurePolicy,
	layOutMachine,
	type MachineLayout,
	type ModelFinder,
} from '#devices/machine';
import {findDeviceModel} from '#devices/registry';
import {MailboxCaller, mailboxBytes, type WakerHandle, WakerState} from '#support/mailbox';

/** Parts that a test brings to {@link oneThreadMachine}. */
export interface OneThreadParts {
	/** Defaults to the registry's. */
	readonly findModel?: ModelFinder;
	/** Receiver of interrupts; without it they go nowhere. */
	readonly interrupts?: InterruptController;
	/** Rings doorbells; without it the bus does. */
	readonly doorbells?: DoorbellBackEnd;
	/** Defaults to no memory at all. */
	readonly memory?: MappedMemory;
	/** Maps memory of BARs; without it accesses come by the bus. */
	readonly pages?: PagesBackEnd;
	/** Decides what a failing device ends; the machine unless given. */
	readonly deviceFailure?: DeviceFailurePolicy;
	/** Number of its workers; one unless given. */
	readonly workers?: number;
	/** See `MachineHost.isShared`. */
	readonly isShared?: boolean;
	/** Of a machine that another thread has too; it has been reset there. */
	readonly layout?: MachineLayout;
}

/** A machine, powered on, with nobody but this thread: accesses to owned devices are given up at once where no device backs are made. */
export function oneThreadMachine(devices: readonly DeviceInstance[], parts: OneThreadParts = {}) {
	const {
		findModel = findDeviceModel,
		interrupts = tellingInterrupts(),
		memory = new MappedMemory(plainMemory()),
	} = parts;
	const wakers = Array.from({length: parts.workers ?? 1}, () => {
		return {buffer: new SharedArrayBuffer(WakerState.byteLength), wakeFd: -1};
	});
	const [waker] = wakers as [WakerHandle];
	const mailbox = {buffer: new SharedArrayBuffer(mailboxBytes(1)), callers: 1, waker};
	const layout =
		parts.layout ??
		layOutMachine(devices, findModel, {
			modules: [],
			wakers,
			mailbox,
			...(parts.deviceFailure && {deviceFailure: parts.deviceFailure}),
		});
	const {doorbells, pages, isShared = false} = parts;
	const backEnds = {...(doorbells && {doorbells}), ...(pages && {pages})};
	const machine = new AttachedMachine(layout, {findModel, interrupts, memory, isShared, ...backEnds});
	if (parts.layout === undefined) machine.reset();
	const caller = new MailboxCaller(mailbox, 0, {spins: 1, patienceMs: 1});
	return {machine, layout, mailbox, caller, bus: machine.bus(caller)};
}
