import type {BootImage, BootMachine} from '../boot-image.ts';

/** Checks the promises of every boot image. Returns the broken ones: none for a sound image. */
export function imageFaults(image: BootImage, machine: BootMachine, inputBytes: number): string[] {
	const faults: string[] = [];
	const extents = image.pieces.map(({name, gpa, data, length = data.length}) => ({name, gpa, data, end: gpa + length}));
	for (const [index, {name, gpa, data, end}] of extents.entries()) {
		if (!Number.isSafeInteger(gpa) || !Number.isSafeInteger(end)) faults.push(`${name}: not whole numbers`);
		if (gpa + data.length > end) faults.push(`${name}: more data than room`);
		if (!machine.ram.some((ram) => gpa >= ram.gpa && end <= ram.gpa + ram.length)) faults.push(`${name}: not in RAM`);
		for (const other of [
			...extents.slice(index + 1),
			...machine.reserved.map((r) => ({...r, end: r.gpa + r.length})),
		]) {
			if (gpa < other.end && other.gpa < end) faults.push(`${name}: overlaps 0x${other.gpa.toString(16)}`);
		}
	}
	const rip = Number(image.entry.general.rip ?? -1n) + Number(image.entry.special.cs?.base ?? 0n);
	if (!extents.some(({gpa, data}) => rip >= gpa && rip < gpa + data.length)) faults.push('entry outside the image');
	const bytes = extents.reduce((sum, {data}) => sum + data.length, 0);
	// An ELF's segments may show the same bytes of the file several times; they are views, not copies.
	const buffers = new Set(extents.map(({data}) => data.buffer));
	const memory = [...buffers].reduce((sum, buffer) => sum + buffer.byteLength, 0);
	if (memory > inputBytes + 0x10000) faults.push(`holds ${memory} bytes for ${inputBytes} of input (${bytes} shown)`);
	return faults;
}
