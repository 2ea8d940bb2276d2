import type {AccessSize, PciDeviceServices, PciFront} from '#devices/device';
import {measureDisk} from '#devices/storage/source';
import type {Controller} from './controller.ts';
import {AsyncEvents} from './events.ts';
import {attachKind, detachKind, type NamespaceCommand, type NamespaceConfig, type NvmeConfig} from './handle.ts';
import {slotOf, takeSlot} from './namespace-slots.ts';
import {adminSizes, Configuration, capability, pageBytes, Register, Shutdown, version} from './registers.ts';

/** Names of the vectors; the first one's line stands for all while messages are off. */
export const vectorNames: readonly string[] = Array.from({length: 64}, (_, vector) => `vector-${vector}`);

/** The line that is INTA. */
export const lineOf = (services: PciDeviceServices) => services.line('vector-0');

/** What of Controller Configuration the driver may change while the controller is enabled (NVM Express Base 2.0, 3.1.3.5). */
const changeable = Configuration.SHUTDOWN | Configuration.SUBMISSION_ENTRY | Configuration.COMPLETION_ENTRY;
const addressMask = -pageBytes;

/** Registers of a controller, but for its doorbells (3.1.3). */
export class NvmeFront implements PciFront {
	readonly #controller: Controller;
	readonly #services: PciDeviceServices;
	readonly #namespaces: readonly NamespaceConfig[];

	constructor({namespaces}: NvmeConfig, controller: Controller, services: PciDeviceServices) {
		this.#namespaces = namespaces;
		this.#controller = controller;
		this.#services = services;
	}

	read(_region: number, offset: number, size: AccessSize): number {
		const value = this.#word(offset & ~3) >> (8 * (offset & 3));
		return size === 4 ? value | 0 : value & (2 ** (8 * size) - 1);
	}

	/** Registers are written by whole words. */
	write(_region: number, offset: number, size: AccessSize, value: number): void {
		if (size !== 4) return;
		const {state, isEnabled} = this.#controller;
		switch (offset) {
			case Register.INTMS:
				state.interruptMask |= value;
				break;
			case Register.INTMC:
				state.interruptMask &= ~value;
				break;
			case Register.CC:
				this.#configure(value);
				return;
			default:
				if (!isEnabled && state.resetting === 0) this.#placeAdminQueue(offset, value);
				return;
		}
		if (!this.#services.pci.enabled) lineOf(this.#services).setLevel(this.#controller.isLineUp);
	}

	reset(): void {
		this.#controller.powerOn();
		for (const each of this.#namespaces) takeSlot(this.#controller.state, each);
	}

	control(command: NamespaceCommand): void {
		const {state} = this.#controller;
		if (command.kind === measureDisk.kind) state.measures++;
		else if (command.kind === attachKind) this.#attach(command.nsid, true);
		else if (command.kind === detachKind) this.#attach(command.nsid, false);
		this.#services.notifyBack();
	}

	rested(): void {
		if (this.#controller.state.resetting === 0) return;
		this.#controller.reset();
		lineOf(this.#services).setLevel(false);
	}

	restored(): void {
		this.#controller.restored();
	}

	/** Has the driver see a namespace or not, which it learns by an event. */
	#attach(nsid: number | undefined, isAttached: boolean): void {
		const {state, isLive} = this.#controller;
		const config = this.#namespaces.find((each) => each.nsid === nsid);
		if (config === undefined) return;
		const slot = slotOf(state, config.nsid);
		// One that has just come may be attached before the machine goes on.
		const bit = 1 << (slot < 0 ? takeSlot(state, config) : slot);
		const wanted = isAttached ? state.detachedNamespaces & ~bit : state.detachedNamespaces | bit;
		if (wanted >>> 0 === state.detachedNamespaces) return;
		state.detachedNamespaces = wanted;
		state.changedNamespaces |= bit;
		if (isLive) state.events |= AsyncEvents.NAMESPACES.bit;
	}

	#word(offset: number): number {
		const {state, status} = this.#controller;
		switch (offset) {
			case Register.CAP:
				return capability[0];
			case Register.CAP_HIGH:
				return capability[1];
			case Register.VS:
				return version;
			case Register.INTMS:
			case Register.INTMC:
				return state.interruptMask;
			case Register.CC:
				return state.configuration;
			case Register.CSTS:
				return status;
			case Register.AQA:
				return state.adminSizes;
			case Register.ASQ:
				return state.adminSubmissionLow;
			case Register.ASQ_HIGH:
				return state.adminSubmissionHigh;
			case Register.ACQ:
				return state.adminCompletionLow;
			case Register.ACQ_HIGH:
				return state.adminCompletionHigh;
			default:
				return 0;
		}
	}

	#placeAdminQueue(offset: number, value: number): void {
		const {state} = this.#controller;
		switch (offset) {
			case Register.AQA:
				state.adminSizes = value & adminSizes;
				return;
			case Register.ASQ:
				state.adminSubmissionLow = value & addressMask;
				return;
			case Register.ASQ_HIGH:
				state.adminSubmissionHigh = value;
				return;
			case Register.ACQ:
				state.adminCompletionLow = value & addressMask;
				return;
			case Register.ACQ_HIGH:
				state.adminCompletionHigh = value;
		}
	}

	#configure(value: number): void {
		const {state} = this.#controller;
		// What the driver writes before a reset is done has no effect (3.7.2 has it wait).
		if (state.resetting !== 0) return;
		const [was, wanted] = [state.configuration, value & Configuration.ALL];
		if ((was & Configuration.ENABLE) === 0) {
			state.configuration = wanted;
			if ((wanted & Configuration.ENABLE) !== 0) this.#controller.enable();
		} else if ((wanted & Configuration.ENABLE) === 0) {
			state.configuration = wanted;
			state.resetting = 1;
			this.#services.restBack();
			return;
		} else state.configuration = (was & ~changeable) | (wanted & changeable);
		this.#shutDown(was);
	}

	/** The driver tells that it stops (3.6): what is in caches is made durable. */
	#shutDown(was: number): void {
		const {state, isLive} = this.#controller;
		const shutdown = state.configuration & Configuration.SHUTDOWN;
		if (shutdown === 0 || shutdown === (was & Configuration.SHUTDOWN)) return;
		state.shutdown = isLive ? Shutdown.UNDER_WAY : Shutdown.COMPLETE;
		if (isLive) this.#services.notifyBack();
	}
}
