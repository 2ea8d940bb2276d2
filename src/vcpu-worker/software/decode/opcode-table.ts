import type {Feature} from './features.ts';

/**
 * Opcodes (Intel SDM volume 2, appendix A): number, name of the operation, operands in the letters of A.2, and words:
 * `d64` defaults to 64-bit operands in 64-bit mode and has no 32-bit ones there, `no64` and `only64` exist only outside and inside
 * of it, `lock` may have the prefix where it writes memory. A group's operation is chosen by the middle bits of ModRM.
 *
 * `bare` has no meaning with a prefix that chooses among instructions: 66, F2, F3; `with66` needs the first of them alone. `no16` has no operands of 16 bits: they
 * have 64 with REX.W, else 32.
 *
 * Letters beside A.2's: `R` is a general register whatever ModRM says of memory, `C` the number of a control or debug register, `S` that of a
 * segment register, also as a constant, `P` a far pointer in the code,
 * `T` a register of the x87 in ModRM's low bits, `Ibs` is a byte with its sign, `Z` the register in the opcode's low bits, `A` the accumulator, `1` the constant.
 */
const oneByte = `
${'add or adc sbb and sub xor cmp'
	.split(' ')
	.map((name, index) => {
		const lock = name === 'cmp' ? '' : 'lock';
		const at = (offset: number) => (index * 8 + offset).toString(16).padStart(2, '0');
		return `${at(0)} ${name} Eb,Gb ${lock}
${at(1)} ${name} Ev,Gv ${lock}
${at(2)} ${name} Gb,Eb
${at(3)} ${name} Gv,Ev
${at(4)} ${name} Ab,Ib
${at(5)} ${name} Av,Iz`;
	})
	.join('\n')}
06 pushSegment S0 no64
07 popSegment S0 no64
0e pushSegment S1 no64
16 pushSegment S2 no64
17 popSegment S2 no64
1e pushSegment S3 no64
1f popSegment S3 no64
27 daa . no64
2f das . no64
37 aaa . no64
3f aas . no64
40+ inc Zv no64
48+ dec Zv no64
50+ push Zv d64
58+ pop Zv d64
6c ins Xb
6d ins Xv
6e outs Xb
6f outs Xv
60 pusha . no64
61 popa . no64
62 bound Gv,M no64
63 arpl Ew,Gw no64
63 movsxd Gv,Ed only64
68 push Iz d64
69 imul Gv,Ev,Iz
6a push Ibs d64
6b imul Gv,Ev,Ibs
70++ jcc Jb
80 group1 Eb,Ib
81 group1 Ev,Iz
83 group1 Ev,Ibs
84 test Eb,Gb
82 group1 Eb,Ib no64
85 test Ev,Gv
86 xchg Eb,Gb lock
87 xchg Ev,Gv lock
88 mov Eb,Gb
89 mov Ev,Gv
8a mov Gb,Eb
8b mov Gv,Ev
8c movFromSegment Ev,S
8d lea Gv,M
8e movToSegment S,Ew
8f group1a Ev d64
90 nop
91+ xchg Zv,Av
98 extend
99 cwd
9a callFar P no64
9b fwait . x87
9c pushf . d64
9d popf . d64
9e sahf
9f lahf
a0 mov Ab,Ob
a1 mov Av,Ov
a2 mov Ob,Ab
a3 mov Ov,Av
a4 movs Xb
a5 movs Xv
a6 cmps Xb
a7 cmps Xv
a8 test Ab,Ib
a9 test Av,Iz
aa stos Xb
ab stos Xv
ac lods Xb
ad lods Xv
ae scas Xb
af scas Xv
b0+ mov Zb,Ib
b8+ mov Zv,Iv
c0 group2 Eb,Ib
c1 group2 Ev,Ib
c2 ret Iw d64
c3 ret . d64
c4 loadFar Gv,M,S0 no64
c5 loadFar Gv,M,S3 no64
c6 group11 Eb,Ib
c7 group11 Ev,Iz
c8 enter Iw,Ib d64
ca retf Iw
cb retf
c9 leave . d64
cc int3 .
cd int Ib
cf iret .
d0 group2 Eb,1
d1 group2 Ev,1
d2 group2 Eb,CL
d3 group2 Ev,CL
ce into . no64
d4 aam Ib no64
d5 aad Ib no64
d6 salc . no64
d7 xlat
e0 loopne Jb
e1 loope Jb
e2 loop Jb
e3 jcxz Jb
e8 call Jz d64
e9 jmp Jz d64
ea jmpFar P no64
eb jmp Jb d64
e4 in Ab,Ib
e5 in Av,Ib
e6 out Ib,Ab
e7 out Ib,Av
ec in Ab
ed in Av
ee out Ab
ef out Av
f1 int1 .
f4 hlt .
f5 cmc
f6 group3b Eb
f7 group3v Ev
f8 clc
f9 stc
fa cli .
fb sti .
fc cld
fd std
fe group4 Eb
ff group5 Ev`;

const twoByte = `
00 group6 Ew
01 group7 M
02 lar Gv,Ew
03 lsl Gv,Ew
05 syscall .
06 clts .
07 sysret .
08 invd .
09 wbinvd .
0d prefetch M
18 nop Ev
19 nop Ev
1a nop Ev
1b nop Ev
1c nop Ev
1d nop Ev
1e nop Ev
1f nop Ev
20 movFromControl Rq,C
21 movFromDebug Rq,C
22 movToControl C,Rq
23 movToDebug C,Rq
30 wrmsr .
31 rdtsc .
32 rdmsr .
33 rdpmc .
34 sysenter .
35 sysexit .
40++ cmov Gv,Ev
80++ jcc Jz
90++ setcc Eb
a0 pushSegment S4 d64
a1 popSegment S4 d64
a2 cpuid .
a3 bt Ev,Gv
a4 shld Ev,Gv,Ib
a5 shld Ev,Gv,CL
a8 pushSegment S5 d64
a9 popSegment S5 d64
ab bts Ev,Gv lock
ac shrd Ev,Gv,Ib
ad shrd Ev,Gv,CL
ae group15 Ev
af imul Gv,Ev
b0 cmpxchg Eb,Gb lock
b1 cmpxchg Ev,Gv lock
b2 loadFar Gv,M,S2
b3 btr Ev,Gv lock
b4 loadFar Gv,M,S4
b5 loadFar Gv,M,S5
b6 movzx8 Gv,Eb
b7 movzx16 Gv,Ew
b8 popcnt Gv,Ev f3
ba group8 Ev,Ib
bb btc Ev,Gv lock
bc bsf Gv,Ev
bd bsr Gv,Ev
be movsx8 Gv,Eb
bf movsx16 Gv,Ew
c0 xadd Eb,Gb lock
c1 xadd Ev,Gv lock
c3 movnti Mv,Gv bare
c7 group9 Ev
c8+ bswap Zv`;

const map38 = `
82 invpcid Gq,Mx with66
f0 movbe Gv,Mv
f1 movbe Mv,Gv
f0/f2 crc32 Gd,Eb
f1/f2 crc32 Gd,Ev
f6/66 adcx Gv,Ev no16
f6/f3 adox Gv,Ev no16`;

/** Operations of a group by the middle bits of ModRM; `-` is none. */
const groups: Readonly<Record<string, string>> = {
	group1: 'add or adc sbb and sub xor cmp',
	group1a: 'pop - - - - - - -',
	group2: 'rol ror rcl rcr shl shr shl sar',
	group3b: 'test test not neg mul imulWide div idiv',
	group3v: 'test test not neg mul imulWide div idiv',
	group4: 'inc dec - - - - - -',
	group5: 'inc dec callTo callFar jmpTo jmpFar push -',
	group6: 'sldt str lldt ltr verr verw - -',
	group7: 'sgdt sidt lgdt lidt smsw - lmsw invlpg',
	group8: '- - - - bt bts btr btc',
	group11: 'mov - - - - - - -',
};
/** Operations of groups that may have LOCK. */
const lockable = new Set('add or adc sbb and sub xor not neg inc dec bts btr btc'.split(' '));
/** Operations of group 5 that have 64-bit operands in 64-bit mode whatever the prefixes. */
const wideInGroup5 = new Set(['callTo', 'jmpTo', 'push']);

/** One opcode. */
export interface Opcode {
	readonly name: string;
	readonly operands: readonly string[];
	readonly words: ReadonlySet<string>;
	/** The feature that it comes with, where its name does not tell. */
	readonly feature?: Feature | undefined;
}

/** Marks keys of opcodes that 64-bit code does not have. */
const legacy = '-legacy';

const maps = {
	oneByte: parse(oneByte),
	twoByte: parse(twoByte),
	map38: parse(map38),
	map3a: new Map<string, Opcode>(),
};
export type OpcodeMap = keyof typeof maps;

/** The opcode of this number in a map, with a mandatory prefix where it has one; a group's is not its operation yet. */
export function opcodeAt(
	map: OpcodeMap,
	number: number,
	prefix: '' | '66' | 'f2' | 'f3',
	is64: boolean,
): Opcode | undefined {
	const opcodes = maps[map];
	const old = is64 ? undefined : opcodes.get(`${number}/${prefix}${legacy}`);
	const found = old ?? opcodes.get(`${number}/${prefix}`);
	// Where 66 chooses nothing it is the size of operands.
	return found ?? (prefix === '66' ? opcodes.get(`${number}/`) : undefined);
}

/** The operation of a group. */
export function groupMember(opcode: Opcode, middle: number): Opcode | undefined {
	const members = groups[opcode.name];
	if (members === undefined) return opcode;
	const name = members.split(' ')[middle];
	if (name === undefined || name === '-') return undefined;
	const words = new Set(opcode.words);
	if (lockable.has(name)) words.add('lock');
	if (opcode.name === 'group5' && wideInGroup5.has(name)) words.add('d64');
	let {operands} = opcode;
	// The status word is in a register too.
	if (name === 'smsw' || name === 'lmsw') operands = ['Ew'];
	// Far pointers are in memory only.
	if (name === 'callFar' || name === 'jmpFar') operands = ['M'];
	if (opcode.name.startsWith('group3') && name === 'test')
		operands = [...operands, opcode.name === 'group3b' ? 'Ib' : 'Iz'];
	return {name, operands, words};
}

function parse(rows: string): ReadonlyMap<string, Opcode> {
	const opcodes = new Map<string, Opcode>();
	for (const row of rows.trim().split('\n')) {
		const [code = '', name = '', operands = '.', ...words] = row.trim().split(/\s+/);
		const [number = '', prefix = ''] = code.replace(/\++$/, '').split('/');
		const first = Number.parseInt(number, 16);
		// `+` is eight numbers for registers, `++` sixteen for conditions, from 91 on one less.
		const count = code.endsWith('++') ? 16 : code.endsWith('+') ? 8 - (first % 8) : 1;
		const opcode = {name, operands: operands === '.' ? [] : operands.split(','), words: new Set(words)};
		const key = `/${prefix}${opcode.words.has('no64') ? legacy : ''}`;
		for (let index = 0; index < count; index++) opcodes.set(`${first + index}${key}`, opcode);
	}
	return opcodes;
}
