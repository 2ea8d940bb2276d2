/** Makes the contents of the archives in the fixtures: noise, repeats of it near and far, runs of one byte, text. */
export function pattern(): Uint8Array {
	const bytes = new Uint8Array(300_000);
	let state = 1;
	for (let at = 0; at < 4096; at++) {
		state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0;
		bytes[at] = state >>> 24;
	}
	for (let at = 4096; at < 200_000; at += 4096) bytes.copyWithin(at, 0, 4096 - (at % 97));
	bytes.fill(0x90, 100_000, 150_000);
	for (let at = 200_000; at < bytes.length; at++)
		bytes[at] = 'OpenVMM in TypeScript. '.charCodeAt(at % 23) + ((at >> 12) & 1);
	return bytes;
}
