import type {PciMessages} from '#devices/device';
import type {InterruptLine, MessageInterrupts} from '#devices/interrupts';
import {Command, type ConfigSpace, Header, Msix, MsixControl, Status} from '#devices/pci/config-space';
import type {CapabilityPlaces} from './function-layout.ts';
import {MsiMessages} from './msi-messages.ts';
import type {MsixTable} from './msix-table.ts';

/** What a function's interrupts are made of. */
export interface InterruptParts {
	readonly space: ConfigSpace;
	readonly places: CapabilityPlaces;
	/** One byte a vector, its line's level: shared state. */
	readonly levels: Uint8Array;
	readonly table: MsixTable | undefined;
	/** INTA. */
	readonly pin: InterruptLine | undefined;
	readonly messages: MessageInterrupts;
}

/**
 * The interrupts of one function, as one thread drives them: by MSI-X, MSI or INTA, as the guest has it now. Every call is
 * made under the function's lock.
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
		return this.#msixOn || this.#msi?.enabled === true;
	}

	signal(vector: number): void {
		if (!(vector >= 0 && vector < this.#parts.levels.length)) return;
		const {table} = this.#parts;
		if (this.#msixOn && table !== undefined) {
			if (this.#sendMsix(table, vector)) return;
			table.setPending(vector, true);
		} else if (this.#msi?.enabled) {
			const shared = this.#msi.shared(vector);
			if (!this.#sendMsi(this.#msi, shared)) this.#msi.setPending(shared, true);
		}
	}

	/** After anything the guest may have changed: what is pending and no longer masked goes out, INTA gets its level. */
	settle(): void {
		const {levels, table} = this.#parts;
		for (let vector = 0; vector < levels.length; vector++) {
			if (this.#msixOn) {
				if (table?.isPending(vector) && this.#sendMsix(table, vector)) table.setPending(vector, false);
			} else if (this.#msi?.enabled && vector < 32) {
				if (this.#msi.isPending(vector) && this.#sendMsi(this.#msi, vector)) this.#msi.setPending(vector, false);
			}
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
		};
	}

	/** False when it is masked, or the function may not write to memory. */
	#sendMsix(table: MsixTable, vector: number): boolean {
		if (!this.#isMaster || (this.#msixControl & MsixControl.MASK_ALL) !== 0 || table.isMasked(vector)) return false;
		this.#parts.messages.send(table.addressLow(vector), table.addressHigh(vector), table.data(vector));
		return true;
	}

	#sendMsi(msi: MsiMessages, vector: number): boolean {
		if (!this.#isMaster || msi.isMasked(vector)) return false;
		this.#parts.messages.send(msi.addressLow(), msi.addressHigh(), msi.data(vector));
		return true;
	}

	#drivePin(): void {
		const {space, levels, pin} = this.#parts;
		let asserted = false;
		for (let vector = 0; vector < levels.length; vector++) asserted ||= levels[vector] !== 0;
		space.set(Header.STATUS, 2, Status.INTERRUPT, asserted ? Status.INTERRUPT : 0);
		const isOff = this.enabled || (space.read(Header.COMMAND, 2) & Command.INTX_DISABLE) !== 0;
		pin?.setLevel(asserted && !isOff);
	}

	get #isMaster(): boolean {
		return (this.#parts.space.read(Header.COMMAND, 2) & Command.MASTER) !== 0;
	}

	get #msixControl(): number {
		const {space, places} = this.#parts;
		return places.msix === undefined ? 0 : space.read(places.msix + Msix.CONTROL, 2);
	}

	get #msixOn(): boolean {
		return (this.#msixControl & MsixControl.ENABLE) !== 0;
	}
}
