/**
 * x87 (SDM volume 2, tables ). Of what it leaves undefined, FSW's condition codes are told by form (volume 1, table 8-1). Opcodes that the tables do
 * not have, though processors take them as others, are not here, nor are FXSAVE and FXRSTOR.
 */
import {type Form, type FormOptions, formsOf, type Row} from './form.ts';
import {Fsw} from './x87-state.ts';

const {C0, C1, C2, C3, U, P} = Fsw;
const hex = (value: number): string => value.toString(16).toUpperCase();

const all = {undefinedFsw: C0 | C1 | C2 | C3} as const satisfies FormOptions;
const none = {undefinedFsw: 0} as const satisfies FormOptions;
const pushes = {pushes: true} as const satisfies FormOptions;

/** ModRM.reg says which; for those to ST(i) the reversed ones change places. */
const arithmetic = ['add', 'mul', 'com', 'comp', 'sub', 'subr', 'div', 'divr'].flatMap((name, digit): Row[] => {
	const isCompare = name.startsWith('com');
	const options = isCompare ? none : {};
	const rows: Row[] = [
		[`f${name}`, `D8 /${digit}`, 'Md:ss', options],
		[`f${name}`, `DC /${digit}`, 'Mq:sd', options],
		[`fi${name}`, `DA /${digit}`, 'Md', options],
		[`fi${name}`, `DE /${digit}`, 'Mw', options],
		[`f${name}`, `D8 ${hex(0xc0 + 8 * digit)}`, 'S', options],
	];
	if (isCompare) return rows;
	const toOther = hex(0xc0 + 8 * (digit < 4 ? digit : digit ^ 1));
	rows.push([`f${name} to`, `DC ${toOther}`, 'S'], [`f${name}p`, `DE ${toOther}`, 'S']);
	return rows;
});

const comparisons: readonly Row[] = [
	['fcompp', 'DE D9', '', none],
	['fucom', 'DD E0', 'S', none],
	['fucomp', 'DD E8', 'S', none],
	['fucompp', 'DA E9', '', none],
	// The manual clears C1; processors of AMD leave it.
	['fcomi', 'DB F0', 'S', all],
	['fcomip', 'DF F0', 'S', all],
	['fucomi', 'DB E8', 'S', all],
	['fucomip', 'DF E8', 'S', all],
	['ftst', 'D9 E4', '', none],
	['fxam', 'D9 E5', '', none],
];

const moves: readonly Row[] = [
	['fld', 'D9 /0', 'Md:ss', pushes],
	['fld', 'DD /0', 'Mq:sd', pushes],
	['fld', 'DB /5', 'Mt', pushes],
	['fld', 'D9 C0', 'S', pushes],
	['fild', 'DF /0', 'Mw', pushes],
	['fild', 'DB /0', 'Md', pushes],
	['fild', 'DF /5', 'Mq', pushes],
	['fbld', 'DF /4', 'Mt:bcd', pushes],
	...['1', 'l2t', 'l2e', 'pi', 'lg2', 'ln2', 'z'].map(
		(name, index): Row => [`fld${name}`, `D9 ${hex(0xe8 + index)}`, '', pushes],
	),
	['fst', 'D9 /2', 'Md:ss'],
	['fst', 'DD /2', 'Mq:sd'],
	['fst', 'DD D0', 'S'],
	['fstp', 'D9 /3', 'Md:ss'],
	['fstp', 'DD /3', 'Mq:sd'],
	['fstp', 'DB /7', 'Mt'],
	['fstp', 'DD D8', 'S'],
	['fist', 'DF /2', 'Mw'],
	['fist', 'DB /2', 'Md'],
	['fistp', 'DF /3', 'Mw'],
	['fistp', 'DB /3', 'Md'],
	['fistp', 'DF /7', 'Mq'],
	['fisttp', 'DF /1', 'Mw', {feature: 'pni'}],
	['fisttp', 'DB /1', 'Md', {feature: 'pni'}],
	['fisttp', 'DD /1', 'Mq', {feature: 'pni'}],
	['fbstp', 'DF /6', 'Mt:bcd'],
	['fxch', 'D9 C8', 'S'],
	...['b', 'e', 'be', 'u'].flatMap((condition, index): Row[] => [
		[`fcmov${condition}`, `DA ${hex(0xc0 + 8 * index)}`, 'S'],
		[`fcmovn${condition}`, `DB ${hex(0xc0 + 8 * index)}`, 'S'],
	]),
];

/** Of ST(0), and ST(1) where there are two. */
const functions: readonly Row[] = [
	['fchs', 'D9 E0'],
	['fabs', 'D9 E1'],
	['fxtract', 'D9 F4', '', pushes],
	['fprem1', 'D9 F5', '', {...none, role: 'remainder'}],
	['fprem', 'D9 F8', '', {...none, role: 'remainder'}],
	['fsqrt', 'D9 FA'],
	['frndint', 'D9 FC'],
	['fscale', 'D9 FD', '', {role: 'scale'}],
];

/** Within 1.5 units in the last place, 1 to nearest (SDM volume 1, 8.3.10): what of flags depends on the last place may differ too. */
const transcendental: FormOptions = {inexact: 1.5, inexactResults: 1, undefinedFsw: C0 | C1 | C2 | C3 | U | P};
/** C2 tells that the operand is out of range. */
const trigonometric: FormOptions = {...transcendental, undefinedFsw: C0 | C1 | C3 | U | P, role: 'trigonometric'};
const transcendentals: readonly Row[] = [
	['f2xm1', 'D9 F0', '', {...transcendental, role: 'exponential'}],
	['fyl2x', 'D9 F1', '', {...transcendental, role: 'logarithm'}],
	['fpatan', 'D9 F3', '', {...transcendental, role: 'arctangent'}],
	['fyl2xp1', 'D9 F9', '', {...transcendental, role: 'logarithmNearOne'}],
	['fsin', 'D9 FE', '', trigonometric],
	['fcos', 'D9 FF', '', trigonometric],
	['fptan', 'D9 F2', '', {...trigonometric, ...pushes, inexactResults: 2}],
	['fsincos', 'D9 FB', '', {...trigonometric, ...pushes, inexactResults: 2}],
];

/** 28 bytes of environment, 108 with the registers; 14 and 94 with 66, unless REX.W takes that back. */
const control: readonly Row[] = [
	['fincstp', 'D9 F7'],
	['fdecstp', 'D9 F6'],
	['ffree', 'DD C0', 'S', all],
	['fnop', 'D9 D0', '', all],
	['fwait', '9B', '', all],
	['fnclex', 'DB E2', '', all],
	['fninit', 'DB E3', '', none],
	['fldcw', 'D9 /5', 'Mw', {...all, role: 'loadControl'}],
	['fnstcw', 'D9 /7', 'Mw', all],
	['fnstsw', 'DD /7', 'Mw', all],
	['fnstsw ax', 'DF E0', '', all],
	...([64, 16] as const).flatMap((size): Row[] => {
		const [environment, state] = size === 64 ? ['M28', 'M108'] : ['M14', 'M94'];
		const sized = {sizes: [size], isNative: true};
		return [
			['fldenv', 'D9 /4', environment, {...none, ...sized, role: 'loadEnvironment'}],
			['frstor', 'DD /4', state, {...none, ...sized, role: 'loadEnvironment'}],
			['fnstenv', 'D9 /6', environment, {...all, ...sized, role: 'storeEnvironment'}],
			['fnsave', 'DD /6', state, {...none, ...sized, role: 'storeEnvironment'}],
		];
	}),
];

export const x87Forms: readonly Form[] = formsOf(
	[...arithmetic, ...comparisons, ...moves, ...functions, ...transcendentals, ...control],
	{unit: 'x87', feature: 'fpu', undefinedFsw: C0 | C2 | C3},
);
