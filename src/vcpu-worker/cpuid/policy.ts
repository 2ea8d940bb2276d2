import type {CpuidEntry} from './cpuid-entry.ts';
import type {CpuidTopology} from './cpuid-topology.ts';
import type {CpuChoice} from './models.ts';

/** A machine's wishes for its processors' CPUID. */
export interface CpuidOptions {
	/** Offer x2APIC. */
	readonly x2apic: boolean;
	/** See `ProcessorOffer`. */
	readonly tscDeadline: boolean;
	/**
	 * The guest can make hypercalls; the default. On hosts where VMCALL does not work, the KVM features that use it
	 * must not be offered.
	 */
	readonly hypercalls?: boolean;
	/** MSI addresses may carry 15-bit destinations, which machines with APIC ids from 255 on need. */
	readonly extendedDestinations?: boolean;
	/** The processor that was asked for; that of the host when absent. */
	readonly cpu?: CpuChoice;
	/** See `ProcessorOffer`. */
	readonly onRequest?: readonly string[];
}

/** Registers of an answer. */
export type CpuidRegister = 'eax' | 'ebx' | 'ecx' | 'edx';

/** Some bits of one register of one leaf. */
export interface CpuidBits {
	readonly function: number;
	/** Only this subleaf; all when absent. */
	readonly index?: number;
	readonly register: CpuidRegister;
	readonly mask: number;
}

/** Facts that rules decide by. */
export interface CpuidContext {
	readonly options: CpuidOptions;
	readonly topology: CpuidTopology;
	/** AMD or Hygon: has the extended topology leaves of AMD. */
	readonly isAmd: boolean;
	/** The highest basic leaf. */
	readonly maxBasic: number;
	/** The partition's offer, before any rule. */
	readonly offered: readonly CpuidEntry[];
}

/** Action of a rule where it applies. */
export type CpuidAction =
	| {readonly clear: readonly CpuidBits[]}
	| {readonly set: readonly CpuidBits[]}
	/** Takes whole leaves away: the guest reads zeros, or what its vendor returns for a leaf that does not exist. */
	| {readonly drop: (entry: CpuidEntry) => boolean}
	/** Rewrites the entries of a leaf that exist. */
	| {readonly edit: {readonly function: number; readonly apply: (entry: CpuidEntry, c: CpuidContext) => CpuidEntry}}
	/** Puts these entries in place of all of the leaf's. */
	| {readonly replace: {readonly function: number; readonly entries: (c: CpuidContext) => readonly CpuidEntry[]}};

/** One decision about what the guest sees, and why. */
export interface CpuidRule {
	/** Unique, kebab-case; shown in inspect. */
	readonly name: string;
	readonly reason: string;
	/** Applies always when absent. */
	readonly when?: (c: CpuidContext) => boolean;
	readonly action: CpuidAction;
}

/** Applies the rules in order. The result is ascending by leaf and subleaf. */
export function applyRules(rules: readonly CpuidRule[], context: CpuidContext): CpuidEntry[] {
	let entries = [...context.offered];
	for (const rule of rules) {
		if (rule.when?.(context) ?? true) entries = applyAction(rule.action, entries, context);
	}
	return entries.sort((a, b) => a.function - b.function || a.index - b.index);
}

/** True when some entry has some of the bits. */
export function hasBits(entries: readonly CpuidEntry[], bits: CpuidBits): boolean {
	return entries.some((entry) => matches(entry, bits) && (entry[bits.register] & bits.mask) !== 0);
}

/** The entries without these bits. */
export const clearBits = (entries: readonly CpuidEntry[], bits: readonly CpuidBits[]): CpuidEntry[] =>
	entries.map((entry) => changeBits(entry, bits, (value, mask) => value & ~mask));

function applyAction(action: CpuidAction, entries: readonly CpuidEntry[], c: CpuidContext): CpuidEntry[] {
	if ('clear' in action) return clearBits(entries, action.clear);
	if ('set' in action) return entries.map((entry) => changeBits(entry, action.set, (value, mask) => value | mask));
	if ('drop' in action) return entries.filter((entry) => !action.drop(entry));
	if ('edit' in action) {
		const {edit} = action;
		return entries.map((entry) => (entry.function === edit.function ? edit.apply(entry, c) : entry));
	}
	const {replace} = action;
	return [...entries.filter((entry) => entry.function !== replace.function), ...replace.entries(c)];
}

function changeBits(
	entry: CpuidEntry,
	all: readonly CpuidBits[],
	change: (value: number, mask: number) => number,
): CpuidEntry {
	const registers = {eax: entry.eax, ebx: entry.ebx, ecx: entry.ecx, edx: entry.edx};
	for (const bits of all) {
		if (matches(entry, bits)) registers[bits.register] = change(registers[bits.register], bits.mask) >>> 0;
	}
	return {...entry, ...registers};
}

function matches(entry: CpuidEntry, bits: CpuidBits): boolean {
	return entry.function === bits.function && (bits.index === undefined || bits.index === entry.index);
}
