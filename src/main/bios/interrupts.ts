import {bootLayout} from '#main/loader';
import {concatBytes, littleEndian} from '#support/wire';
import type {BiosFacts} from './bios-data.ts';

/** The segment of {@link bootLayout.biosCode}. */
const segment = 0xf000;
const vectorCount = 256;

/**
 * A service that does not exist: carry and zero are set in the caller's flags, AH is 86h. That says "not supported"
 * (15h, 10h), "failed" (13h) and "no key" (16h). The code is short enough to be written down; `x86-assembler` checks it.
 */
const refuse = Uint8Array.of(
	0x55, // push bp
	...[0x89, 0xe5], // mov bp, sp
	...[0x80, 0x4e, 0x06, 0x41], // or byte ptr [bp + 6], 41h
	0x5d, // pop bp
	...[0xb4, 0x86], // mov ah, 86h
	0xcf, // iret
);

/** Exceptions and interrupts of devices, which nobody serves before the guest does. */
const ignore = Uint8Array.of(0xcf); // iret

/** mov ax, value; iret */
const answer = (value: number) => concatBytes(Uint8Array.of(0xb8), littleEndian(value, 2), Uint8Array.of(0xcf));

/** The interrupts that a program calls: 10h to 1Ah (Ralf Brown's Interrupt List). */
const services = {first: 0x10, last: 0x1a, equipment: 0x11, baseMemory: 0x12} as const;

/** The interrupt vectors at 0 and the code that they point to. */
export function buildInterrupts({equipment, baseMemory}: BiosFacts): {vectors: Uint8Array; code: Uint8Array} {
	const handlers = [ignore, refuse, answer(equipment), answer(baseMemory)];
	const [ignoreAt, refuseAt, equipmentAt, memoryAt] = handlers.map(
		(_, index) => bootLayout.biosCode + concatBytes(...handlers.slice(0, index)).length - segment * 16,
	) as [number, number, number, number];
	const offsetOf = (vector: number) => {
		if (vector === services.equipment) return equipmentAt;
		if (vector === services.baseMemory) return memoryAt;
		return vector >= services.first && vector <= services.last ? refuseAt : ignoreAt;
	};
	const vectors = Array.from({length: vectorCount}, (_, vector) =>
		littleEndian(segment * 2 ** 16 + offsetOf(vector), 4),
	);
	return {vectors: concatBytes(...vectors), code: concatBytes(...handlers)};
}
