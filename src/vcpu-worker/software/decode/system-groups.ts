import type {Opcode} from './opcode-table.ts';

/** What of an instruction's prefixes chooses among instructions; `..` is none. */
export type Prefix = '..' | '66' | 'f2' | 'f3';

/**
 * Operations of groups 7, 9 and 15, which go by the form of the operand and by prefixes too (SDM volume 2, table A-6): prefix, the
 * middle bits of ModRM with `m` for memory and `r` for a register, or all of ModRM, and the same columns as in the table of opcodes.
 * `any` is whatever prefix, `nofx` none of F2 and F3.
 */
const rows = {
	group7: `
.. c1 vmcall .
.. d9 vmcall .
any c8 monitor .
any c9 mwait .
.. ca clac .
.. cb stac .
.. d0 xgetbv .
.. d1 xsetbv .
any f8 swapgs . only64
any f9 rdtscp .`,
	group9: `
any m1 cmpxchg8b M lock
.. m3 xrstors Mx
.. m4 xsavec Mx
.. m5 xsaves Mx
nofx r6 rdrand Ev
nofx r7 rdseed Ev
f3 r7 rdpid Rq`,
	group15: `
.. m0 fxsave Mx
.. m1 fxrstor Mx
.. m2 ldmxcsr Ed vector
.. m3 stmxcsr Ed vector
.. m4 xsave Mx
.. m5 xrstor Mx
.. m6 xsaveopt Mx
.. m7 clflush Eb
66 m6 clwb Eb
66 m7 clflushopt Eb
f3 r0 readFsBase Ev only64
f3 r1 readGsBase Ev only64
f3 r2 writeFsBase Ev only64
f3 r3 writeGsBase Ev only64
nofx r5 lfence .
nofx r6 mfence .
nofx r7 sfence .`,
} as const;

const prefixesOf: Readonly<Record<string, readonly Prefix[]>> = {
	any: ['..', '66', 'f2', 'f3'],
	nofx: ['..', '66'],
};

const groups: ReadonlyMap<string, ReadonlyMap<string, Opcode>> = new Map(
	Object.entries(rows).map(([group, text]) => [group, parse(text)]),
);

function parse(text: string): ReadonlyMap<string, Opcode> {
	const members = new Map<string, Opcode>();
	for (const row of text.trim().split('\n')) {
		const [prefix = '', place = '', name = '', operands = '.', ...words] = row.split(' ');
		const opcode = {name, operands: operands === '.' ? [] : operands.split(','), words: new Set(words)};
		for (const one of prefixesOf[prefix] ?? [prefix]) members.set(`${one} ${place}`, opcode);
	}
	return members;
}

/** Tells whether a group's operations are these. */
export const isSystemGroup = (name: string): boolean => groups.has(name);

/** The operation that ModRM and a prefix choose in such a group. */
export function systemGroupMember({name}: Opcode, modRm: number, prefix: Prefix): Opcode | undefined {
	const members = groups.get(name);
	const form = modRm >> 6 === 3 ? 'r' : 'm';
	return members?.get(`${prefix} ${modRm.toString(16)}`) ?? members?.get(`${prefix} ${form}${(modRm >> 3) & 7}`);
}
