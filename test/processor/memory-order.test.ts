import test from 'ava';
import {tlbEntries} from '#vcpu-worker/software/state';
import {GuestThreads} from '#vcpu-worker/software/system/testing';

const codeAt = 0x20_0000;
const otherCodeAt = 0x20_1000;
const data = 0x40_0000;
/** Pages so far apart have the same entry of the TLB: each access goes the slow way. */
const sameEntry = tlbEntries * 4096;
const hlt = 0xf4;

/** The prefix or opcode by which an instruction has operands of so many bytes. */
const sizes = {2: [0x66], 4: [], 8: [0x48]} as const;

for (const [bytes, prefix] of Object.entries(sizes)) {
	for (const [where, at] of [
		['in a page like any other', data + 0x100],
		['beside code', codeAt + 0x800],
		['that is not aligned, beside code', codeAt + 0x801],
	] as const) {
		// That crosses a multiple of 8, and is not whole.
		if ((at % 8) + Number(bytes) > 8) continue;
		test.serial(`an access of ${bytes} bytes ${where} is whole`, async (t) => {
			const rounds = 100_000;
			const guest = new GuestThreads(2);
			const {ram} = guest.lone;
			// Again: MOV EBX,[RSI]; MOV [RDI],RAX; NOT RAX; DEC ECX; JNE again.
			const store = [0x8b, 0x1e, ...prefix, 0x89, 0x07, 0x48, 0xf7, 0xd0, 0xff, 0xc9];
			ram.set([...store, 0x75, -(store.length + 2) & 0xff, hlt], codeAt);
			// Again: MOV EBX,[RSI]; XOR EAX,EAX; MOV RAX,[RDI]; LEA RDX,[RAX+1]; CMP RDX,1; JA out; DEC ECX; JNE again; out: HLT.
			const load = [0x8b, 0x1e, ...prefix, 0x8b, 0x07, ...prefix, 0x8d, 0x50, 1, ...prefix, 0x83, 0xfa, 1];
			ram.set([0x31, 0xc0, ...load, 0x77, 4, 0xff, 0xc9, 0x75, -(load.length + 6) & 0xff, hlt], otherCodeAt);
			const general = [0n, BigInt(rounds), 0n, 0n, 0n, 0n, BigInt(data + sameEntry + 0x100), BigInt(at)];
			guest.start([
				{entry: codeAt, general},
				{entry: otherCodeAt, general},
			]);
			const [, reader] = await guest.ends();
			t.is(reader?.general[1], 0n, `${reader?.general[0]?.toString(16)} was stored by nobody`);
		});
	}
}
