import type {Aml} from './aml/index.ts';
import type {FadtFields} from './fadt.ts';

/** Description of one device of a machine in the ACPI tables. */
export interface AcpiDescription {
	/** Its device objects and what they use, for the `\_SB` scope of the DSDT. */
	readonly device?: Aml;
	/** Its event method, for the `\_GPE` scope. */
	readonly event?: Aml;
	/** AML outside all scopes. */
	readonly root?: Aml;
	/** Its fields of the FADT, if it is part of the fixed hardware. */
	readonly fadt?: FadtFields;
	/** ISA interrupts of its that are level-triggered, active high, for the MADT: others of the ISA's are edges. */
	readonly levelInterrupts?: readonly number[];
	/** A whole table of its own. */
	readonly table?: AcpiTable;
}

/** A table, without the header that all have. */
export interface AcpiTable {
	/** Four letters. */
	readonly signature: string;
	readonly revision: number;
	readonly body: Uint8Array;
}

/** Gives objects of a kind of which a machine may have several names that differ. */
export class AcpiNames {
	readonly #counts = new Map<string, number>();

	/** @param prefix - one to three capital letters, as many fewer objects can there be: `V` is followed by `V000`, `V001` and so on */
	next(prefix: string): string {
		const count = this.#counts.get(prefix) ?? 0;
		this.#counts.set(prefix, count + 1);
		return (
			prefix +
			count
				.toString(16)
				.toUpperCase()
				.padStart(4 - prefix.length, '0')
		);
	}
}
