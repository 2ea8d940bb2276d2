import type {DeviceServices} from '#devices/device';
import {gpeCount} from '#devices/interrupts';
import type {FieldsView} from '#support/wire';
import type {AcpiPmFields} from './state.ts';

/** Name of the input of a general-purpose event. */
export const gpeName = (event: number): string => `gpe-${event}`;

const names: readonly string[] = Array.from({length: gpeCount}, (_, event) => gpeName(event));

/** The GPE0 block (ACPI 6.5, 4.8.4.1): an event's status is set by its input and cleared by the guest. */
export class GeneralPurposeEvents {
	readonly #state: FieldsView<AcpiPmFields>;
	readonly #services: Pick<DeviceServices, 'isAsserted'>;

	constructor(state: FieldsView<AcpiPmFields>, services: Pick<DeviceServices, 'isAsserted'>) {
		this.#state = state;
		this.#services = services;
	}

	/** True when an enabled event has happened. */
	get pending(): boolean {
		return (this.#state.gpeStatus & this.#state.gpeEnable) !== 0;
	}

	/** The input called `name` changed: its fall leaves the status as it is. */
	inputChanged(name: string): void {
		if (this.#services.isAsserted(name)) this.#state.gpeStatus |= 1 << names.indexOf(name);
	}

	/** Clears the status bits that are written as ones, but for those whose input is still asserted. */
	clear(value: number): void {
		this.#state.gpeStatus &= ~value;
		for (const name of names) this.inputChanged(name);
	}
}
