import {concatBytes} from '#support/wire';
import {type Aml, integer, namePath, withPackageLength} from './encoding.ts';

const extended = 0x5b;
const [operationRegionOp, fieldOp] = [0x80, 0x81];
const systemMemory = 0;
/** DWordAcc, NoLock, Preserve (ACPI 6.5, 20.2.5.2, FieldFlags). */
const dwordAccess = 0x03;
const bitsOfDword = 32;

/** `OperationRegion (path, SystemMemory, base, length)` (ACPI 6.5, 19.6.100). */
export function memoryRegion(path: string, base: number, length: number): Aml {
	const lead = Uint8Array.of(extended, operationRegionOp);
	return concatBytes(lead, namePath(path), Uint8Array.of(systemMemory), integer(base), integer(length));
}

/** `Field (region, DWordAcc, NoLock, Preserve)` of 32-bit fields without gaps, by name (ACPI 6.5, 19.6.48). */
export function dwordFields(region: string, names: readonly string[]): Aml {
	const fields = names.map((field) => concatBytes(namePath(field), Uint8Array.of(bitsOfDword)));
	const body = withPackageLength(concatBytes(namePath(region), Uint8Array.of(dwordAccess), ...fields));
	return concatBytes(Uint8Array.of(extended, fieldOp), body);
}
