import {feature, registerFile} from './register-file.ts';

type Bits = Readonly<Record<string, readonly [start: number, end: number] | number>>;

/** Named bits of registers (Intel SDM vol. 1, 3.4.3 and 10.2.3; vol. 3, 2.2.1 and 2.5). */
const flagTypes: Readonly<Record<string, {readonly size: 4 | 8; readonly of: string; readonly bits: Bits}>> = {
	x64_eflags: {
		size: 4,
		of: feature.core,
		bits: {
			...{CF: 0, '': 1, PF: 2, AF: 4, ZF: 6, SF: 7, TF: 8, IF: 9, DF: 10, OF: 11, IOPL: [12, 13]},
			...{NT: 14, RF: 16, VM: 17, AC: 18, VIF: 19, VIP: 20, ID: 21},
		},
	},
	x64_mxcsr: {
		size: 4,
		of: feature.sse,
		bits: {
			...{IE: 0, DE: 1, ZE: 2, OE: 3, UE: 4, PE: 5, DAZ: 6, IM: 7, DM: 8, ZM: 9, OM: 10, UM: 11, PM: 12, FZ: 15},
		},
	},
	x64_cr0: {
		size: 8,
		of: feature.system,
		bits: {PE: 0, MP: 1, EM: 2, TS: 3, ET: 4, NE: 5, WP: 16, AM: 18, NW: 29, CD: 30, PG: 31},
	},
	x64_cr4: {
		size: 8,
		of: feature.system,
		bits: {
			...{VME: 0, PVI: 1, TSD: 2, DE: 3, PSE: 4, PAE: 5, MCE: 6, PGE: 7, PCE: 8, OSFXSR: 9, OSXMMEXCPT: 10},
			...{UMIP: 11, LA57: 12, VMXE: 13, SMXE: 14, FSGSBASE: 16, PCIDE: 17, OSXSAVE: 18, SMEP: 20, SMAP: 21},
			...{PKE: 22, CET: 23, PKS: 24},
		},
	},
	x64_efer: {
		size: 8,
		of: feature.system,
		bits: {SCE: 0, LME: 8, LMA: 10, NXE: 11, SVME: 12, LMSLE: 13, FFXSR: 14, TCE: 15},
	},
};

/** The vector type of SSE registers, as GDB's own descriptions have it. */
const vectorTypes = `
<vector id="v4f" type="ieee_single" count="4"/><vector id="v2d" type="ieee_double" count="2"/>
<vector id="v16i8" type="int8" count="16"/><vector id="v8i16" type="int16" count="8"/>
<vector id="v4i32" type="int32" count="4"/><vector id="v2i64" type="int64" count="2"/>
<union id="vec128"><field name="v4_float" type="v4f"/><field name="v2_double" type="v2d"/>
<field name="v16_int8" type="v16i8"/><field name="v8_int16" type="v8i16"/><field name="v4_int32" type="v4i32"/>
<field name="v2_int64" type="v2i64"/><field name="uint128" type="uint128"/></union>`;

function flagsOf(name: string): string {
	const types = Object.entries(flagTypes).filter(([, {of}]) => of === name);
	return types.map(([id, {size, bits}]) => `<flags id="${id}" size="${size}">${fieldsOf(bits)}</flags>`).join('\n');
}

function fieldsOf(bits: Bits): string {
	const rows = Object.entries(bits).map(([name, place]) => {
		const [start, end] = typeof place === 'number' ? [place, place] : place;
		return {name, start, end};
	});
	rows.sort((a, b) => a.start - b.start);
	return rows.map(({name, start, end}) => `<field name="${name}" start="${start}" end="${end}"/>`).join('');
}

function featureXml(name: string): string {
	const rows = registerFile
		.filter((register) => register.feature === name)
		.map(({name: register, bits, type}) => `<reg name="${register}" bitsize="${bits}" type="${type}"/>`);
	const types = [flagsOf(name), name === feature.sse ? vectorTypes : ''];
	return [`<feature name="${name}">`, ...types, ...rows, '</feature>'].filter((line) => line !== '').join('\n');
}

/** The target description (GDB manual, appendix G): what registers there are, in the order of their numbers. */
export const targetXml: string = [
	'<?xml version="1.0"?>',
	'<!DOCTYPE target SYSTEM "gdb-target.dtd">',
	'<target version="1.0">',
	'<architecture>i386:x86-64</architecture>',
	...Object.values(feature).map(featureXml),
	'</target>',
].join('\n');
