import type {ConfigLayout} from '../config-layout.ts';
import {CapabilityId} from '../registers.ts';

/** MSI-X capability (PCI Express Base 6.0, 7.7.2). Offsets in it. */
export const Msix = {CONTROL: 2, TABLE: 4, PENDING: 8, length: 12, mostVectors: 2048} as const;

/** Message control: bits 0–10 are the number of vectors less one. */
export const MsixControl = {MASK_ALL: 1 << 14, ENABLE: 1 << 15} as const;

/** Place of table and pending bits: the register of their BAR, and offsets in it, multiples of 8. */
export interface MsixPlace {
	readonly bar: number;
	readonly table: number;
	readonly pending: number;
}

/** Adds the capability. */
export function addMsix(layout: ConfigLayout, vectors: number, {bar, table, pending}: MsixPlace): number {
	const at = layout.capability(CapabilityId.MSIX, Msix.length);
	layout.register(at + Msix.CONTROL, 2, {value: vectors - 1, writable: MsixControl.MASK_ALL | MsixControl.ENABLE});
	layout.register(at + Msix.TABLE, 4, {value: table | bar});
	layout.register(at + Msix.PENDING, 4, {value: pending | bar});
	return at;
}
