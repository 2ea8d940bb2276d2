import test from 'ava';
import {halt} from '#test/tmk';
import {startKernel} from './guest-processor.ts';
import {bytesOf, expected, type OpcodeCase, opcodeCases} from './opcode-map.ts';

const undefinedOpcode = 6;
const stackAt = 0x8000;
const hlt = 0xf4;
/** Cases lie behind each other, each with bytes that end it. */
const [casesAt, caseBytes, casesEnd] = [0x10_0000, 32, 0x3f_0000];
/** Tables that map the low GiB to itself. */
const tables = 0x3f_0000;
/** Attributes of code by its size, and the bit of EFER that it wants. */
const codeOf = {16: 0x809b, 32: 0xc09b, 64: 0xa09b} as const;
/** PE, MP, ET, NE; PAE, OSFXSR, OSXMMEXCPT, FSGSBASE, OSXSAVE; SCE; x87, SSE, AVX. */
const control = {cr0: 0x33n, cr4: 0x5_0620n, efer: 1n, xcr0: 7n};

/** Executes one case at privilege 0 and tells whether it is an undefined instruction. */
function* run(cases: Iterable<OpcodeCase>): Generator<{readonly one: OpcodeCase; readonly isUndefined: boolean}> {
	let machine = start();
	let at = casesAt;
	for (const one of cases) {
		if (at + caseBytes > casesEnd) {
			machine = start();
			at = casesAt;
		}
		const {guest, saved, faults} = machine;
		const {core} = guest.processor;
		guest.ram.fill(hlt, at, at + caseBytes);
		guest.ram.set(bytesOf(one), at);
		core.restore(saved);
		const isLong = one.codeSize === 64;
		Object.assign(core.state, control, {rip: isLong ? BigInt(at) : 0n});
		if (isLong) Object.assign(core.state, {cr0: control.cr0 | (1n << 31n), efer: control.efer | 0x500n});
		Object.assign(core.state.segments[1] ?? {}, {base: isLong ? 0n : BigInt(at), attributes: codeOf[one.codeSize]});
		guest.processor.changed();
		// A case before may have been HLT.
		guest.processor.interrupt(0);
		faults.length = 0;
		// Without a budget it ends at a jump too, before code is found where later cases are.
		guest.processor.run(0);
		const [fault] = faults;
		yield {one, isUndefined: fault?.vector === undefinedOpcode && fault.rip === (isLong ? BigInt(at) : 0n)};
		at += caseBytes;
	}
}

/** A processor whose exceptions are noted, and end it. */
function start() {
	const guest = startKernel(halt());
	const {core, interrupts} = guest.processor;
	const faults: {vector: number; rip: bigint}[] = [];
	interrupts.raise = ({vector}) => {
		faults.push({vector, rip: core.state.rip});
		return false;
	};
	const entries = new BigUint64Array(guest.ram.buffer, tables, 3 * 512);
	for (const table of [0, 1]) entries[table * 512] = BigInt(tables + (table + 1) * 0x1000) | 7n;
	for (let index = 0; index < 512; index++) entries[2 * 512 + index] = (BigInt(index) << 21n) | 0x87n;
	core.state.cr3 = BigInt(tables);
	core.state.general.fill(BigInt(stackAt));
	return {guest, saved: core.save(), faults};
}

for (const codeSize of [16, 32, 64] as const)
	test(`${codeSize}-bit code has the instructions of the manual, and no others`, (t) => {
		const wrong: string[] = [];
		let count = 0;
		for (const {one, isUndefined} of run(opcodeCases(codeSize))) {
			count++;
			const wanted = expected(one);
			if (wanted !== 'unsaid' && isUndefined !== (wanted === 'undefined'))
				wrong.push(
					`${bytesOf(one)
						.map((byte) => byte.toString(16).padStart(2, '0'))
						.join(' ')} should be ${wanted}`,
				);
		}
		t.true(count > 5_000);
		t.deepEqual(wrong, []);
	});
