import type {GeneralRegisters, SpecialRegisters} from '#devices/processor';
import type {ProcessorRegisters, RegisterChanges} from '#vcpu-worker/registers';
import {field, tagWord, withField, withTagWord} from './fxsave.ts';

/** A register as the debugger knows it. */
export interface Register {
	readonly name: string;
	readonly bits: 32 | 64 | 80 | 128;
	/** A type of GDB's, or of the target description. */
	readonly type: string;
	readonly feature: string;
	read(registers: ProcessorRegisters): bigint;
	/** The change that gives it this value, unsigned and within its bits. */
	write(registers: ProcessorRegisters, value: bigint): RegisterChanges;
}

/** Features of GDB's own, and one of ours for what is not in them (GDB manual, appendix G.5.7). */
export const feature = {
	core: 'org.gnu.gdb.i386.core',
	sse: 'org.gnu.gdb.i386.sse',
	avx: 'org.gnu.gdb.i386.avx',
	segments: 'org.gnu.gdb.i386.segments',
	system: 'org.openvmm.x86.system',
} as const;

const general = (name: keyof GeneralRegisters, type: string, bits: 32 | 64 = 64): Register => ({
	name: name === 'rflags' ? 'eflags' : name,
	bits,
	type,
	feature: feature.core,
	read: ({general: values}) => values[name],
	write: ({general: values}, value) => ({general: {...values, [name]: value}}),
});

type SegmentName = 'cs' | 'ss' | 'ds' | 'es' | 'fs' | 'gs';

/** A selector; writing it leaves the hidden part of the segment as it is. */
const selector = (name: SegmentName): Register => ({
	name,
	bits: 32,
	type: 'int32',
	feature: feature.core,
	read: ({special}) => BigInt(special[name].selector),
	write: ({special}, value) => changeSpecial(special, {[name]: {...special[name], selector: Number(value & 0xffffn)}}),
});

const segmentBase = (name: SegmentName): Register => ({
	name: `${name}_base`,
	bits: 64,
	type: 'int64',
	feature: feature.segments,
	read: ({special}) => special[name].base,
	write: ({special}, base) => changeSpecial(special, {[name]: {...special[name], base}}),
});

type ControlName = 'cr0' | 'cr2' | 'cr3' | 'cr4' | 'cr8' | 'efer';

const control = (name: ControlName): Register => ({
	name,
	bits: 64,
	type: ['cr0', 'cr4', 'efer'].includes(name) ? `x64_${name}` : 'int64',
	feature: feature.system,
	read: ({special}) => special[name],
	write: ({special}, value) => changeSpecial(special, {[name]: value}),
});

const kernelGsBase: Register = {
	name: 'k_gs_base',
	bits: 64,
	type: 'int64',
	feature: feature.system,
	read: (registers) => registers.kernelGsBase,
	write: (_registers, value) => ({kernelGsBase: value}),
};

/** Part of the FXSAVE area. */
const saved = (name: string, bits: Register['bits'], type: string, at: number, size: number, of: string): Register => ({
	name,
	bits,
	type,
	feature: of,
	read: ({fxsave}) => field(fxsave, at, size),
	write: ({fxsave}, value) => ({fxsave: withField(fxsave, at, size, value)}),
});

/** The upper half of a YMM register: GDB puts the whole together. */
const upperHalf = (index: number): Register => ({
	name: `ymm${index}h`,
	bits: 128,
	type: 'uint128',
	feature: feature.avx,
	read: ({ymmHigh}) => field(ymmHigh, index * 16, 16),
	write: ({ymmHigh}, value) => ({ymmHigh: withField(ymmHigh, index * 16, 16, value)}),
});

const tags: Register = {
	...saved('ftag', 32, 'int', 4, 1, feature.core),
	read: ({fxsave}) => tagWord(fxsave),
	write: ({fxsave}, value) => ({fxsave: withTagWord(fxsave, value)}),
};

const changeSpecial = (before: SpecialRegisters, change: Partial<SpecialRegisters>): RegisterChanges => ({
	special: {...before, ...change},
});

const integers = ['rax', 'rbx', 'rcx', 'rdx', 'rsi', 'rdi'] as const;
const numbered = ['r8', 'r9', 'r10', 'r11', 'r12', 'r13', 'r14', 'r15'] as const;
const selectors = ['cs', 'ss', 'ds', 'es', 'fs', 'gs'] as const;
const controls = ['cr0', 'cr2', 'cr3', 'cr4', 'cr8', 'efer'] as const;
const times = <T>(count: number, make: (index: number) => T): T[] => Array.from({length: count}, (_, i) => make(i));

/** Every register, in the order of their numbers. */
export const registerFile: readonly Register[] = [
	...integers.map((name) => general(name, 'int64')),
	general('rbp', 'data_ptr'),
	general('rsp', 'data_ptr'),
	...numbered.map((name) => general(name, 'int64')),
	general('rip', 'code_ptr'),
	general('rflags', 'x64_eflags', 32),
	...selectors.map(selector),
	...times(8, (index) => saved(`st${index}`, 80, 'i387_ext', 32 + index * 16, 10, feature.core)),
	saved('fctrl', 32, 'int', 0, 2, feature.core),
	saved('fstat', 32, 'int', 2, 2, feature.core),
	tags,
	saved('fiseg', 32, 'int', 12, 2, feature.core),
	saved('fioff', 32, 'int', 8, 4, feature.core),
	saved('foseg', 32, 'int', 20, 2, feature.core),
	saved('fooff', 32, 'int', 16, 4, feature.core),
	saved('fop', 32, 'int', 6, 2, feature.core),
	...times(16, (index) => saved(`xmm${index}`, 128, 'vec128', 160 + index * 16, 16, feature.sse)),
	saved('mxcsr', 32, 'x64_mxcsr', 24, 4, feature.sse),
	...times(16, upperHalf),
	segmentBase('fs'),
	segmentBase('gs'),
	...controls.map(control),
	kernelGsBase,
];
