import type {FieldsView} from '#support/wire';
import {type Pic8259Fields, Pic8259State} from './state.ts';

/** Index of a chip in the fields of the state: master, slave. */
export type ChipIndex = 0 | 1;

/** The state of one chip, each field a byte. */
export type ChipRegisters = {-readonly [K in keyof Pic8259Fields]: number};

/** The bytes of `chip` in the shared state. */
export function chipRegisters(state: FieldsView<Pic8259Fields>, chip: ChipIndex): ChipRegisters {
	const registers = {} as ChipRegisters;
	for (const name of Object.keys(Pic8259State.fields) as (keyof Pic8259Fields)[]) {
		const pair = state[name];
		Object.defineProperty(registers, name, {
			get: () => pair[chip],
			set: (value: number) => {
				pair[chip] = value;
			},
		});
	}
	return registers;
}
