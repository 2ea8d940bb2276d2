import type {ConfigLayout} from '../config-layout.ts';
import {CapabilityId} from '../registers.ts';

/** MSI capability with 64-bit addresses and per-vector masks (PCI Express Base 6.0, 7.7.1). Offsets in it. */
export const Msi = {
	CONTROL: 2,
	ADDRESS: 4,
	ADDRESS_UPPER: 8,
	DATA: 12,
	MASK: 16,
	PENDING: 20,
	length: 24,
	mostVectors: 32,
} as const;

/** Message control. */
export const MsiControl = {
	ENABLE: 1,
	/** log2 of the vectors that the guest allows, in bits 4–6. */
	enabledShift: 4,
	/** log2 of the vectors that the device would like, in bits 1–3. */
	capableShift: 1,
	WIDE_ADDRESS: 1 << 7,
	VECTOR_MASKS: 1 << 8,
} as const;

/** Adds the capability; `vectors` is at most 32. */
export function addMsi(layout: ConfigLayout, vectors: number): number {
	const at = layout.capability(CapabilityId.MSI, Msi.length);
	const exponent = Math.ceil(Math.log2(vectors));
	const masks = (2 ** vectors - 1) >>> 0;
	layout.register(at + Msi.CONTROL, 2, {
		value: (exponent << MsiControl.capableShift) | MsiControl.WIDE_ADDRESS | MsiControl.VECTOR_MASKS,
		writable: MsiControl.ENABLE | (0b111 << MsiControl.enabledShift),
	});
	layout.register(at + Msi.ADDRESS, 4, {writable: 0xffff_fffc});
	layout.register(at + Msi.ADDRESS_UPPER, 4, {writable: 0xffff_ffff});
	layout.register(at + Msi.DATA, 2, {writable: 0xffff});
	layout.register(at + Msi.MASK, 4, {writable: masks});
	layout.register(at + Msi.PENDING, 4, {live: masks});
	return at;
}
