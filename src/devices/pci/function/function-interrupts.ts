import type {PciMessages} from '#devices/device';
import type {InterruptLine, MessageInterrupts} from '#devices/interrupts';
import {Command, type ConfigSpace, Header, Msix, MsixControl, Status} from '#devices/pci/config-space';
import {isSame, sequence} from '#support/shared-memory';
import type {CapabilityPlaces} from './function-layout.ts';
import {MsiMessages} from './msi-messages.ts';
import type {MsixTable} from './msix-table.ts';

/** Parts of a function's interrupts. */
export interface InterruptParts {
	readonly space: ConfigSpace;
	readonly places: CapabilityPlaces;
	/** One byte a vector, its line's level: shared state. */
	readonly levels: Uint8Array;
	readonly table: MsixTable | undefined;
	/** INTA. */
	readonly pin: InterruptLine | undefined;
	readonly messages: MessageInterrupts;
	/** See `PciSlot.interruptSequence`. */
	readonly sequence: Int32Array;
}

/**
 * The interrupts of one function, as one thread drives them: by MSI-X, MSI or INTA, as the guest has it now. Every call but
 * {@link signal} is made under the function's lock.
 */
export class FunctionInterrupts implements PciMessages {
	readonly #parts: InterruptParts;
	readonly #msi: MsiMessages | undefined;
	/** By vector. */
	readonly lines: readonly InterruptLine[];

	constructor(parts: InterruptParts) {
		this.#parts = parts;
		this.#msi = parts.places.msi === undefined ? undefined : new MsiMessages(parts.space, parts.places.msi);
		this.lines = Array.from(parts.levels, (_, vector) => this.#makeLine(vector));
	}

	get enabled(): boolean {
		return this.#on !== undefined;
	}

	signal(vector: number): boolean {
		const {levels, messages, sequence: words} = this.#parts;
		if (levels[vector] === undefined) return false;
		for (;;) {
			const number = sequence(words);
			const on = this.#on;
			const entry = on?.entry(vector) ?? 0;
			const isHeld = on !== undefined && this.#isHeld(on, entry);
			const low = on?.addressLow(entry) ?? 0;
			const high = on?.addressHigh(entry) ?? 0;
			const data = on?.data(entry) ?? 0;
			// The values read belong together if nobody has changed anything meanwhile.
			if (!isSame(words, number)) continue;
			if (on === undefined) return false;
			if (!isHeld) {
				messages.send(low, high, data);
				return true;
			}
			on.setPending(entry);
			// The guest may have let it go before it was pending, and then nobody else sends it.
			if (isSame(words, number) || !on.takePending(entry)) return true;
		}
	}

	/** After anything the guest may have changed: what is pending and no longer masked goes out, INTA gets its level. */
	settle(): void {
		const {levels, messages} = this.#parts;
		const on = this.#on;
		const entries = on === undefined ? 0 : Math.min(levels.length, on.entries);
		for (let entry = 0; on !== undefined && entry < entries; entry++) {
			if (!on.isPending(entry) || this.#isHeld(on, entry) || !on.takePending(entry)) continue;
			messages.send(on.addressLow(entry), on.addressHigh(entry), on.data(entry));
		}
		this.#drivePin();
	}

	#makeLine(vector: number): InterruptLine {
		const {levels} = this.#parts;
		return {
			setLevel: (asserted) => {
				const rises = asserted && levels[vector] === 0;
				levels[vector] = asserted ? 1 : 0;
				if (rises) this.signal(vector);
				this.#drivePin();
			},
			rise: () => {
				levels[vector] = 1;
				this.signal(vector);
				this.#drivePin();
			},
		};
	}

	/** The kind of messages that the guest has turned on. */
	get #on(): MsixTable | MsiMessages | undefined {
		if ((this.#msixControl & MsixControl.ENABLE) !== 0) return this.#parts.table;
		return this.#msi?.enabled ? this.#msi : undefined;
	}

	/** It is masked, or the function may not write to memory. */
	#isHeld(on: MsixTable | MsiMessages, entry: number): boolean {
		if ((this.#parts.space.read(Header.COMMAND, 2) & Command.MASTER) === 0) return true;
		return (on !== this.#msi && (this.#msixControl & MsixControl.MASK_ALL) !== 0) || on.isMasked(entry);
	}

	#drivePin(): void {
		const {space, levels, pin} = this.#parts;
		let asserted = false;
		for (let vector = 0; vector < levels.length; vector++) asserted ||= levels[vector] !== 0;
		space.set(Header.STATUS, 2, Status.INTERRUPT, asserted ? Status.INTERRUPT : 0);
		const isOff = this.enabled || (space.read(Header.COMMAND, 2) & Command.INTX_DISABLE) !== 0;
		pin?.setLevel(asserted && !isOff);
	}

	get #msixControl(): number {
		const {space, places} = this.#parts;
		return places.msix === undefined ? 0 : space.read(places.msix + Msix.CONTROL, 2);
	}
}
