/**
 * The integer instructions of 64-bit mode that user mode can run and whose outcome depends on nothing but the state (SDM volume 2,
 * appendix A, tables ). Without those of segments, also FS and GS, and far transfers: a case has no segment registers.
 */
import {type Form, type FormOptions, formsOf, type Row} from './form.ts';
import {undefinedAfter as after} from './undefined-results.ts';

const conditions = ['o', 'no', 'b', 'ae', 'e', 'ne', 'be', 'a', 's', 'ns', 'p', 'np', 'l', 'ge', 'le', 'g'] as const;
const hex = (value: number): string => value.toString(16).toUpperCase().padStart(2, '0');

/** ADD to CMP: six opcodes each, and the immediates' group 1. */
const arithmetic = ['add', 'or', 'adc', 'sbb', 'and', 'sub', 'xor', 'cmp'].flatMap((name, index): Row[] => {
	const isLogic = ['or', 'and', 'xor'].includes(name);
	const flags: FormOptions = isLogic ? {undefined: after.logic} : {};
	const toMemory: FormOptions = {...flags, lock: name !== 'cmp'};
	const base = 8 * index;
	return [
		[name, hex(base), 'Eb Gb', toMemory],
		[name, hex(base + 1), 'Ev Gv', toMemory],
		[name, hex(base + 2), 'Gb Eb', flags],
		[name, hex(base + 3), 'Gv Ev', flags],
		[name, hex(base + 4), 'ab Ib', flags],
		[name, hex(base + 5), 'av Iz', flags],
		[name, `80 /${index}`, 'Eb Ib', toMemory],
		[name, `81 /${index}`, 'Ev Iz', toMemory],
		[name, `83 /${index}`, 'Ev Ib', toMemory],
	];
});

/** Group 2. The count of D0 and D1 is one, that of D2 and D3 is in CL. */
const shifts = ['rol', 'ror', 'rcl', 'rcr', 'shl', 'shr', 'sal', 'sar'].flatMap((name, digit): Row[] => {
	const kind = digit < 4 ? after.rotate : name === 'sar' ? after.shiftArithmetic : after.shift;
	const options: FormOptions = {undefined: kind, role: 'count'};
	const encodings = ['C0', 'C1', 'D0', 'D1', 'D2', 'D3'];
	return encodings.map((opcode, index) => [
		name,
		`${opcode} /${digit}`,
		`${index % 2 === 0 ? 'Eb' : 'Ev'}${index < 2 ? ' Ib' : ''}`,
		options,
	]);
});

const shiftDouble: FormOptions = {undefined: after.shiftDouble, role: 'count'};

/** Groups 3, 4 and 5, and what else multiplies and divides. */
const unary: readonly Row[] = [
	...([0, 1] as const).flatMap((digit): Row[] => [
		['test', `F6 /${digit}`, 'Eb Ib', {undefined: after.logic}],
		['test', `F7 /${digit}`, 'Ev Iz', {undefined: after.logic}],
	]),
	['not', 'F6 /2', 'Eb', {lock: true}],
	['not', 'F7 /2', 'Ev', {lock: true}],
	['neg', 'F6 /3', 'Eb', {lock: true}],
	['neg', 'F7 /3', 'Ev', {lock: true}],
	['mul', 'F6 /4', 'Eb', {undefined: after.multiply}],
	['mul', 'F7 /4', 'Ev', {undefined: after.multiply}],
	['imul', 'F6 /5', 'Eb', {undefined: after.multiply}],
	['imul', 'F7 /5', 'Ev', {undefined: after.multiply}],
	['div', 'F6 /6', 'Eb', {undefined: after.divide, role: 'divide'}],
	['div', 'F7 /6', 'Ev', {undefined: after.divide, role: 'divide'}],
	['idiv', 'F6 /7', 'Eb', {undefined: after.divide, role: 'divide'}],
	['idiv', 'F7 /7', 'Ev', {undefined: after.divide, role: 'divide'}],
	['inc', 'FE /0', 'Eb', {lock: true}],
	['inc', 'FF /0', 'Ev', {lock: true}],
	['dec', 'FE /1', 'Eb', {lock: true}],
	['dec', 'FF /1', 'Ev', {lock: true}],
	['imul', '0F AF', 'Gv Ev', {undefined: after.multiply}],
	['imul', '69', 'Gv Ev Iz', {undefined: after.multiply}],
	['imul', '6B', 'Gv Ev Ib', {undefined: after.multiply}],
	['test', '84', 'Eb Gb', {undefined: after.logic}],
	['test', '85', 'Ev Gv', {undefined: after.logic}],
	['test', 'A8', 'ab Ib', {undefined: after.logic}],
	['test', 'A9', 'av Iz', {undefined: after.logic}],
];

const bits: readonly Row[] = [
	['shld', '0F A4', 'Ev Gv Ib', shiftDouble],
	['shld', '0F A5', 'Ev Gv', shiftDouble],
	['shrd', '0F AC', 'Ev Gv Ib', shiftDouble],
	['shrd', '0F AD', 'Ev Gv', shiftDouble],
	...['bt', 'bts', 'btr', 'btc'].flatMap((name, index): Row[] => {
		const options: FormOptions = {undefined: after.bitTest, lock: name !== 'bt'};
		return [
			[name, `0F ${hex(0xa3 + 8 * index)}`, 'Ev Gv', {...options, role: 'bitOffset'}],
			[name, `0F BA /${4 + index}`, 'Ev Ib', options],
		];
	}),
	['bsf', '0F BC', 'Gv Ev', {undefined: after.bitScan}],
	['bsr', '0F BD', 'Gv Ev', {undefined: after.bitScan}],
	['tzcnt', 'F3 0F BC', 'Gv Ev', {undefined: after.countZeros, feature: 'bmi1'}],
	['lzcnt', 'F3 0F BD', 'Gv Ev', {undefined: after.countZeros, feature: 'abm'}],
	['popcnt', 'F3 0F B8', 'Gv Ev', {feature: 'popcnt'}],
	['crc32', 'F2 0F 38 F0', 'Gy Eb', {feature: 'sse4_2'}],
	['crc32', 'F2 0F 38 F1', 'Gy Ev', {feature: 'sse4_2'}],
	['adcx', '66 0F 38 F6', 'Gy Ey', {feature: 'adx'}],
	['adox', 'F3 0F 38 F6', 'Gy Ey', {feature: 'adx'}],
	// BSWAP of 16 bits is undefined.
	['bswap', '0F C8', 'Zy'],
];

const moves: readonly Row[] = [
	['mov', '88', 'Eb Gb'],
	['mov', '89', 'Ev Gv'],
	['mov', '8A', 'Gb Eb'],
	['mov', '8B', 'Gv Ev'],
	['mov', 'A0', 'ab Ob'],
	['mov', 'A1', 'av Ov'],
	['mov', 'A2', 'Ob ab'],
	['mov', 'A3', 'Ov av'],
	['mov', 'B0', 'Zb Ib'],
	['mov', 'B8', 'Zv Iv'],
	['mov', 'C6 /0', 'Eb Ib'],
	['mov', 'C7 /0', 'Ev Iz'],
	['movzx', '0F B6', 'Gv Eb'],
	['movzx', '0F B7', 'Gv Ew'],
	['movsx', '0F BE', 'Gv Eb'],
	['movsx', '0F BF', 'Gv Ew'],
	['movsxd', '63', 'Gy Ed'],
	['movbe', '0F 38 F0', 'Gv Mv', {feature: 'movbe'}],
	['movbe', '0F 38 F1', 'Mv Gv', {feature: 'movbe'}],
	...[0, 1, 2, 3, 4, 5].flatMap((digit): Row[] => [
		['mov from sreg', `8C /${digit}`, 'Rv'],
		['mov from sreg', `8C /${digit}`, 'Mw'],
	]),
	['lea', '8D', 'Gv M', {role: 'address'}],
	['movnti', '0F C3', 'My Gy', {isStrict: true}],
	['xchg', '86', 'Eb Gb', {lock: true}],
	['xchg', '87', 'Ev Gv', {lock: true}],
	// With register 0 it is NOP.
	['xchg', '90', 'av Zv', {isStrict: true}],
	['xadd', '0F C0', 'Eb Gb', {lock: true}],
	['xadd', '0F C1', 'Ev Gv', {lock: true}],
	['cmpxchg', '0F B0', 'Eb Gb', {lock: true, role: 'compareExchange'}],
	['cmpxchg', '0F B1', 'Ev Gv', {lock: true, role: 'compareExchange'}],
	['cmpxchg8b', '0F C7 /1', 'Mq', {lock: true, role: 'compareExchangePair', isStrict: true}],
	[
		'cmpxchg16b',
		'0F C7 /1',
		'Mdq',
		{lock: true, role: 'compareExchangePair', isStrict: true, sizes: [64], isAligned: true},
	],
	['xlat', 'D7', '', {role: 'translate', sizes: [8]}],
	['cbw, cwde, cdqe', '98', '', {sizes: [16, 32, 64]}],
	['cwd, cdq, cqo', '99', '', {sizes: [16, 32, 64]}],
	...conditions.flatMap((condition, index): Row[] => [
		[`cmov${condition}`, `0F ${hex(0x40 + index)}`, 'Gv Ev'],
		// ModRM.reg is not used.
		[`set${condition}`, `0F ${hex(0x90 + index)}`, 'Eb'],
	]),
];

const native = {isNative: true, sizes: [64, 16]} as const satisfies FormOptions;

const flags: readonly Row[] = [
	...(
		[
			['cmc', 'F5'],
			['clc', 'F8'],
			['stc', 'F9'],
			['cld', 'FC'],
			['std', 'FD'],
		] as const
	).map(([name, opcode]): Row => [name, opcode, '', {sizes: [8]}]),
	['sahf', '9E', '', {sizes: [8], feature: 'lahf_lm'}],
	['lahf', '9F', '', {sizes: [8], feature: 'lahf_lm'}],
	['pushf', '9C', '', {...native, role: 'stack'}],
	['popf', '9D', '', {...native, role: 'popFlags'}],
];

const stack: readonly Row[] = [
	['push', '50', 'Zn', {role: 'stack'}],
	['pop', '58', 'Zn', {role: 'stack'}],
	['push', '68', 'Iz', {...native, role: 'stack'}],
	['push', '6A', 'Ib', {...native, role: 'stack'}],
	['push', 'FF /6', 'En', {role: 'stack'}],
	// FS and GS, whose selectors are 0 as are those of DS and ES (AMD64 ABI of Linux).
	...['0F A0', '0F A8'].map((opcode): Row => ['push sreg', opcode, '', {...native, role: 'stack'}]),
	['pop', '8F /0', 'En', {role: 'popOperand'}],
	['enter', 'C8', 'Iw Ib', {isNative: true, sizes: [64], role: 'enter', isStrict: true}],
	['leave', 'C9', '', {...native, role: 'leave'}],
];

/** Intel's processors ignore an operand-size prefix at near branches, AMD's do not: they have none. */
const near = {isStrict: true, isNative: true, sizes: [64]} as const satisfies FormOptions;
const branches: readonly Row[] = [
	['jmp', 'EB', 'Jb', {...near, role: 'branch'}],
	['jmp', 'E9', 'Jd', {...near, role: 'branch'}],
	['jmp', 'FF /4', 'Eq', {...near, role: 'jumpIndirect'}],
	['call', 'E8', 'Jd', {...near, role: 'callNear'}],
	['call', 'FF /2', 'Eq', {...near, role: 'callIndirect'}],
	['ret', 'C3', '', {...near, role: 'return'}],
	['ret', 'C2', 'Iw', {...near, role: 'return'}],
	...conditions.flatMap((condition, index): Row[] => [
		[`j${condition}`, hex(0x70 + index), 'Jb', {...near, role: 'branch'}],
		[`j${condition}`, `0F ${hex(0x80 + index)}`, 'Jd', {...near, role: 'branch'}],
	]),
	['loopne', 'E0', 'Jb', {...near, role: 'loop'}],
	['loope', 'E1', 'Jb', {...near, role: 'loop'}],
	['loop', 'E2', 'Jb', {...near, role: 'loop'}],
	['jrcxz', 'E3', 'Jb', {...near, role: 'loop'}],
];

const strings: readonly Row[] = (
	[
		['movs', 0xa4, 'rep'],
		['cmps', 0xa6, 'repe'],
		['stos', 0xaa, 'rep'],
		['lods', 0xac, 'rep'],
		['scas', 0xae, 'repe'],
	] as const
).flatMap(([name, opcode, repeat]): Row[] => [
	[name, hex(opcode), '', {role: 'string', repeat, sizes: [8]}],
	[name, hex(opcode + 1), '', {role: 'string', repeat, sizes: [16, 32, 64]}],
]);

/** They do nothing, or nothing that a case can see. */
const nothing: readonly Row[] = [
	['nop', '90', '', {sizes: [16, 32, 64]}],
	['pause', 'F3 90', '', {sizes: [32]}],
	// Of these, processors with MPX and CET have made other instructions.
	...[0x18, 0x1a, 0x1b, 0x1e].map((opcode): Row => ['nop', `0F ${hex(opcode)} /4`, 'Ev', {role: 'address'}]),
	...[0x19, 0x1c, 0x1d, 0x1f].map((opcode): Row => ['nop', `0F ${hex(opcode)}`, 'Ev', {role: 'address'}]),
	...[0, 1, 2, 3].map(
		(digit): Row => ['prefetch', `0F 18 /${digit}`, 'M', {role: 'address', isStrict: true, sizes: [32]}],
	),
	['prefetchw', '0F 0D', 'M', {role: 'address', isStrict: true, sizes: [32], feature: '3dnowprefetch'}],
	['lfence', '0F AE E8', '', {isStrict: true, sizes: [32]}],
	['mfence', '0F AE F0', '', {isStrict: true, sizes: [32]}],
	['sfence', '0F AE F8', '', {isStrict: true, sizes: [32]}],
	['clflush', '0F AE /7', 'Mb', {isStrict: true, feature: 'clflush', sizes: [32]}],
	['clflushopt', '66 0F AE /7', 'Mb', {isStrict: true, feature: 'clflushopt', sizes: [32]}],
	['clwb', '66 0F AE /6', 'Mb', {isStrict: true, feature: 'clwb', sizes: [32]}],
];

const invalid = (encoding: string): Row => ['invalid', encoding, '', {isStrict: true, sizes: [32]}];
const privileged = (encoding: string): Row => ['privileged', encoding, '', {isStrict: true, sizes: [32]}];
/** Opcodes that 64-bit mode does not have or that are never to have a meaning, and what user mode may not do. */
const faulting: readonly Row[] = [
	['int3', 'CC', '', {isStrict: true, sizes: [32]}],
	...[
		'06',
		'07',
		'0E',
		'16',
		'17',
		'1E',
		'1F',
		'27',
		'2F',
		'37',
		'3F',
		'60',
		'61',
		'9A',
		'CE',
		'D4',
		'D5',
		'D6',
		'EA',
	].map(invalid),
	...[0, 1, 2, 3, 4, 5, 6, 7].map(
		(digit): Row => ['invalid', `82 /${digit}`, 'E Ib', {isStrict: true, role: 'address', sizes: [32]}],
	),
	['invalid', 'FF /7', 'E', {isStrict: true, role: 'address', sizes: [32]}],
	...['0F 0B', '0F 04', '0F 0A', '0F 0C', '0F B9 C0', '0F FF C0'].map(invalid),
	// HLT, CLI, STI, IN, OUT, INS, OUTS, CLTS, INVD, WBINVD, WRMSR, RDMSR, MOV of control and debug registers.
	...['F4', 'FA', 'FB', 'EC', 'ED', 'EE', 'EF', '6C', '6D', '6E', '6F'].map(privileged),
	...['E4', 'E5', 'E6', 'E7'].map((opcode): Row => ['privileged', opcode, 'Ib', {isStrict: true, sizes: [32]}]),
	// Interrupts that user mode may not ask for.
	...['CD 30', 'CD 50', 'CD FF'].map(privileged),
	// SYSRET, SWAPGS.
	...['0F 06', '0F 07', '0F 08', '0F 09', '0F 30', '0F 32', '0F 01 F8'].map(privileged),
	...[0xc0, 0xd0, 0xd8, 0xe0].flatMap((operands) =>
		['0F 20', '0F 22'].map((opcode) => privileged(`${opcode} ${hex(operands)}`)),
	),
	...[0xc0, 0xc8, 0xd0, 0xd8, 0xf0, 0xf8].flatMap((operands) =>
		['0F 21', '0F 23'].map((opcode) => privileged(`${opcode} ${hex(operands)}`)),
	),
	// LLDT, LTR; LGDT, LIDT, LMSW, INVLPG: whatever their operand is.
	...['0F 00 /2', '0F 00 /3', '0F 01 /2', '0F 01 /3', '0F 01 /6', '0F 01 /7'].map(
		(encoding): Row => ['privileged', encoding, 'M', {isStrict: true, role: 'address', sizes: [32]}],
	),
	// XRSTORS, XSAVES.
	...['0F C7 /3', '0F C7 /5'].map(
		(encoding): Row => ['privileged', encoding, 'M', {isStrict: true, role: 'address', sizes: [32], feature: 'xsaves'}],
	),
	...['0F 00 /2', '0F 00 /3', '0F 01 /6'].map(
		(encoding): Row => ['privileged', encoding, 'R', {isStrict: true, sizes: [32]}],
	),
];

export const integerForms: readonly Form[] = formsOf([
	...arithmetic,
	...shifts,
	...unary,
	...bits,
	...moves,
	...flags,
	...stack,
	...branches,
	...strings,
	...nothing,
	...faulting,
]);
