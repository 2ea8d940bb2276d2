import {type Form, formsOf, integerForms, Rflags, type Row} from '#test/silicon';

const {CF, AF, OF, SF, ZF} = Rflags;

/** Modes in which cases are executed. */
export const modes = ['inner32', 'inner16', 'outer32', 'outer16', 'virtual', 'real'] as const;
export type Mode = (typeof modes)[number];

/** What a case needs beyond operands; see `generate.ts`. */
export type LegacyRole =
	| 'absentSelector'
	| 'codePointer'
	| 'dataSelector'
	| 'farCall'
	| 'farReturn'
	| 'interruptReturn'
	| 'popSegment'
	| 'pointerInMemory'
	| 'port'
	| 'stackSegment'
	| 'stackSelector';

export interface LegacyForm {
	readonly form: Form;
	/** Sizes of the operand that prefixes choose between; 8 where they choose nothing. */
	readonly sizes: readonly (8 | 16 | 32)[];
	readonly role?: LegacyRole;
	/** It may only be executed where that is an exception. */
	readonly isOuterOnly?: boolean;
}

const any = [16, 32] as const;
const one = [8] as const;

/** Instructions that 64-bit code does not have, and those of segments, which the silicon oracle cannot run. */
const rows: readonly (readonly [Row, LegacyForm['sizes'], LegacyRole?])[] = [
	[['daa', '27', '', {sizes: [8], undefined: OF}], one],
	[['das', '2F', '', {sizes: [8], undefined: OF}], one],
	[['aaa', '37', '', {sizes: [8], undefined: OF | SF | ZF | 4}], one],
	[['aas', '3F', '', {sizes: [8], undefined: OF | SF | ZF | 4}], one],
	[['aam', 'D4', 'Ib', {undefined: OF | AF | CF}], one],
	[['aad', 'D5', 'Ib', {undefined: OF | AF | CF}], one],
	[['salc', 'D6', '', {sizes: [8]}], one],
	...[0, 1, 2, 3, 4, 5, 6, 7].map((digit): [Row, LegacyForm['sizes']] => [
		['alias', `82 /${digit}`, 'Eb Ib', {undefined: AF}],
		one,
	]),
	[['inc', '40', 'Zv'], any],
	[['dec', '48', 'Zv'], any],
	[['pusha', '60', '', {sizes: [32], role: 'stack'}], any],
	[['popa', '61', '', {sizes: [32], role: 'stack'}], any],
	[['bound', '62', 'Gv M8'], any],
	[['arpl', '63', 'Ew Gw', {isStrict: true}], one],
	[['into', 'CE', '', {sizes: [8]}], one],
	[['int', 'CD', 'Ib'], one],
	[['les', 'C4', 'Gv M6'], any, 'pointerInMemory'],
	[['lds', 'C5', 'Gv M6'], any, 'pointerInMemory'],
	[['lss', '0F B2', 'Gv M6'], any, 'stackSelector'],
	[['lfs', '0F B4', 'Gv M6'], any, 'pointerInMemory'],
	[['lgs', '0F B5', 'Gv M6'], any, 'pointerInMemory'],
	...[0, 3, 4, 5].map((digit): [Row, LegacyForm['sizes'], LegacyRole] => [
		['mov sreg', `8E /${digit}`, 'Ew'],
		any,
		'dataSelector',
	]),
	[['mov ss', '8E /2', 'Ew'], any, 'stackSelector'],
	...[0, 1, 2, 3, 4, 5].map((digit): [Row, LegacyForm['sizes']] => [['mov from sreg', `8C /${digit}`, 'Ev'], any]),
	...['06', '0E', '16', '1E', '0F A0', '0F A8'].map((opcode): [Row, LegacyForm['sizes']] => [
		['push sreg', opcode, '', {sizes: [32], role: 'stack'}],
		any,
	]),
	...['07', '1F', '0F A1', '0F A9'].map((opcode): [Row, LegacyForm['sizes'], LegacyRole] => [
		['pop sreg', opcode, '', {sizes: [32], role: 'stack'}],
		any,
		'popSegment',
	]),
	[['pop ss', '17', '', {sizes: [32], role: 'stack'}], any, 'stackSegment'],
	[['lar', '0F 02', 'Gv Ew'], any, 'absentSelector'],
	[['lsl', '0F 03', 'Gv Ew'], any, 'absentSelector'],
	[['verr', '0F 00 /4', 'Ew'], one, 'absentSelector'],
	[['verw', '0F 00 /5', 'Ew'], one, 'absentSelector'],
	[['sldt', '0F 00 /0', 'Ev'], any],
	[['str', '0F 00 /1', 'Ev'], any],
	[['smsw', '0F 01 /4', 'Ev'], any],
	[['sgdt', '0F 01 /0', 'M6', {sizes: [32]}], any],
	[['sidt', '0F 01 /1', 'M6', {sizes: [32]}], any],
	[['jmp far', 'EA', 'I4 Iw', {sizes: [32]}], any, 'codePointer'],
	[['call far', '9A', 'I4 Iw', {sizes: [32]}], any, 'codePointer'],
	[['jmp far', 'FF /5', 'M6', {sizes: [32]}], any, 'farCall'],
	[['call far', 'FF /3', 'M6', {sizes: [32]}], any, 'farCall'],
	[['retf', 'CB', '', {sizes: [32], role: 'stack'}], any, 'farReturn'],
	[['retf', 'CA', 'Iw', {sizes: [32], role: 'stack'}], any, 'farReturn'],
	[['iret', 'CF', '', {sizes: [32], role: 'stack'}], any, 'interruptReturn'],
];

/** Features that x86-64-v2 has. */
const features = new Set([undefined, 'popcnt', 'sse4_2', 'lahf_lm', 'clflush']);
/** Of several sizes of the same encoding, the one that all others are made of. */
const legacy = rows.flatMap(([row, sizes, role]): LegacyForm[] => {
	const forms = formsOf([row]);
	const form = forms.find(({size}) => size === 32) ?? forms[0];
	return form === undefined ? [] : [{form, sizes, ...(role !== undefined && {role})}];
});

const isHere = ({mnemonic, feature, opcode, size, isWide}: Form): boolean =>
	features.has(feature) &&
	!isWide &&
	size !== 16 &&
	mnemonic !== 'movsxd' &&
	mnemonic !== 'cmpxchg16b' &&
	!(mnemonic === 'invalid' && opcode.length === 1) &&
	!(mnemonic === 'nop' && opcode.length === 2);

/** INS, OUTS, IN and OUT. */
const portOpcodes = new Set([0x6c, 0x6d, 0x6e, 0x6f, 0xe4, 0xe5, 0xe6, 0xe7, 0xec, 0xed, 0xee, 0xef]);

const shared = integerForms.filter(isHere).map((form): LegacyForm => {
	const isPrivileged = form.mnemonic === 'privileged';
	const isPort = isPrivileged && portOpcodes.has(form.opcode[0] as number);
	const isFixed = form.isStrict === true && form.isNative !== true && form.mnemonic !== 'xchg';
	return {
		form,
		sizes: form.size === 8 || isFixed ? [8] : [16, 32],
		...(isPort && {role: 'port'}),
		...(isPrivileged && {isOuterOnly: true}),
	};
});

/** All forms of cases. */
export const legacyForms: readonly LegacyForm[] = [...shared, ...legacy];
