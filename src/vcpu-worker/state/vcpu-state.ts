import {generalRegisterNames, ownRegisterNames, segmentNames} from '#devices/processor';
import {
	bytesOf,
	hex64,
	listOf,
	mapOf,
	oneOf,
	orNone,
	record,
	type SavedValue,
	stateError,
	type ValueOf,
	wholeNumber,
	yesOrNo,
} from '#support/saved-state';
import {msrIndex, msrName} from '#vcpu-worker/registers';
import {cpuidTable} from './cpuid-table.ts';

/** Counts up when a saved state changes so that older programs would misread it. */
const version = 3;

/** Larger than any processor's so far (AMX needs some 11 KiB). */
const maxXsaveBytes = 2 ** 20;
/** The legacy region and the header (Intel SDM vol. 1, 13.4). */
const minXsaveBytes = 576;
const maxMsrs = 4096;

const u8 = wholeNumber(0xff);
const u16 = wholeNumber(0xffff);
const u32 = wholeNumber(0xffff_ffff);

/** The same kind of value under each of some names. */
const each = <const N extends string, T>(names: readonly N[], of: SavedValue<T>): Readonly<Record<N, SavedValue<T>>> =>
	Object.fromEntries(names.map((name) => [name, of])) as Readonly<Record<N, SavedValue<T>>>;

const descriptorTable = record({base: hex64, limit: u16});

/** See `Segment`. */
const segment = record({
	base: hex64,
	limit: u32,
	selector: u16,
	type: wholeNumber(15),
	present: yesOrNo,
	dpl: wholeNumber(3),
	db: yesOrNo,
	s: yesOrNo,
	l: yesOrNo,
	g: yesOrNo,
});

const special = record({
	...each(segmentNames, segment),
	gdt: descriptorTable,
	idt: descriptorTable,
	...each(['cr0', 'cr2', 'cr3', 'cr4', 'cr8', 'efer', 'apicBase'], hex64),
});

/** Events that are under way or wait to be: Intel SDM vol. 3, 7.9 and 26.3. */
const events = record({
	/** An exception that is being delivered. What it leaves in CR2 or DR6 is there already. */
	exception: orNone(record({vector: u8, errorCode: orNone(u32)})),
	/** An external or software interrupt that is being delivered. */
	interrupt: orNone(record({vector: u8, isSoftware: yesOrNo})),
	/** Interrupts wait for the end of the next instruction: after STI, or a load of SS. */
	shadow: record({sti: yesOrNo, movSs: yesOrNo}),
	nmi: record({injected: yesOrNo, pending: u8, masked: yesOrNo}),
	smm: record({active: yesOrNo, pending: yesOrNo, insideNmi: yesOrNo, latchedInit: yesOrNo}),
	/** Vector of a start-up message that has come. */
	startupVector: u8,
});
/** Events of {@link VcpuState}. */
export type VcpuEvents = ValueOf<typeof events>;

/** Activities of a processor when it runs (Intel SDM vol. 3, 9.4.3). */
export const activities = ['running', 'halted', 'waiting for INIT', 'waiting for start-up', 'starting up'] as const;
export type Activity = (typeof activities)[number];

const msrs = mapOf({name: msrName, parse: msrIndex}, hex64, maxMsrs);
const apic = bytesOf(1024, 1024);

const state = record({
	/** Answers of CPUID. */
	cpuid: cpuidTable,
	general: record(each(generalRegisterNames, hex64)),
	special,
	/** Extended control register 0; none where the processor has no XSAVE. */
	xcr0: orNone(hex64),
	/**
	 * x87, SSE and all further vector and tile registers: an XSAVE image in the standard format (Intel SDM vol. 1, 13.4.1 to
	 * 13.4.3), whose components lie where CPUID leaf D says.
	 */
	vector: record({
		/** The state components that the processor has, as bits of XCR0. */
		components: hex64,
		image: bytesOf(minXsaveBytes, maxXsaveBytes),
	}),
	debug: record(each(['dr0', 'dr1', 'dr2', 'dr3', 'dr6', 'dr7'], hex64)),
	/** By index: those that are not what they were at power-on (`resetMsrTable`). The time-stamp counter is not among them: see `clock`. */
	msrs,
	/** The register page of the local APIC (Intel SDM vol. 3, 11.4.1). */
	apic,
	events,
	activity: oneOf(activities),
	/** The time-stamp counter, and its frequency. */
	clock: record({khz: wholeNumber(2 ** 31 - 1), counter: hex64}),
});

const highestVtl = 2;

/** A processor's trust levels, where it has entered others than 0. */
const levels = record({
	/** The one whose registers are the processor's. */
	current: wholeNumber(highestVtl),
	/** State that each of the others has for itself (TLFS, "Private State"). */
	others: listOf(
		record({
			vtl: wholeNumber(highestVtl),
			general: record(each(ownRegisterNames, hex64)),
			special,
			dr7: hex64,
			msrs,
			apic,
			events,
			activity: oneOf(activities),
		}),
		highestVtl,
	),
});
/** Levels of {@link VcpuState}. */
export type VcpuLevels = ValueOf<typeof levels>;

/** State that a back end keeps beside what every processor has. Only one of the same kind looks into it, and checks it. */
export interface VcpuExtension {
	/** The back end's: see `Hypervisor.kind`. */
	readonly kind: string;
	/** Data that survives JSON. */
	readonly data: unknown;
}

/** Everything that makes up a processor, whatever runs it. */
export interface VcpuState extends ValueOf<typeof state> {
	readonly levels?: VcpuLevels;
	readonly extension?: VcpuExtension;
}

/** The state as data that survives JSON. */
export const saveVcpuState = ({extension, levels: each, ...common}: VcpuState): unknown => ({
	version,
	...(state.save(common) as object),
	...(each && {levels: levels.save(each)}),
	...(extension && {extension}),
});

/**
 * The state that {@link saveVcpuState} gave, which may be anybody's.
 * @throws VmmError STATE_VERSION_UNKNOWN, STATE_FIELD_WRONG
 */
export function parseVcpuState(saved: unknown): VcpuState {
	const {version: found, extension, levels: savedLevels, ...rest} = (saved ?? {}) as Readonly<Record<string, unknown>>;
	if (found !== version) throw stateError('STATE_VERSION_UNKNOWN', {struct: 'vcpu', found, version});
	const common = state.parse(rest, 'vcpu');
	const wrong = (field: string) => stateError('STATE_FIELD_WRONG', {struct: 'vcpu', field});
	if (common.clock.khz === 0) throw wrong('clock.khz');
	const {components, image} = common.vector;
	if ((componentsInUse(image) & ~components) !== 0n) throw wrong('vector.components');
	return {
		...common,
		...(savedLevels !== undefined && {levels: parseLevels(savedLevels)}),
		...(extension !== undefined && {extension: parseExtension(extension)}),
	};
}

/** States that have been parsed, which all clones of a snapshot begin with. */
const parsed = new WeakMap<object, VcpuState>();

/** What {@link parseVcpuState} gives, parsed once: nobody changes either. @throws as that */
export function parsedVcpuState(saved: unknown): VcpuState {
	if (typeof saved !== 'object' || saved === null) return parseVcpuState(saved);
	const known = parsed.get(saved) ?? parseVcpuState(saved);
	parsed.set(saved, known);
	return known;
}

/** Levels of which each is there once. */
function parseLevels(saved: unknown): VcpuLevels {
	const {current, others} = levels.parse(saved, 'vcpu.levels');
	const numbers = new Set([current, ...others.map(({vtl}) => vtl)]);
	if (numbers.size !== others.length + 1)
		throw stateError('STATE_FIELD_WRONG', {struct: 'vcpu', field: 'levels.others'});
	return {current, others};
}

/** XSTATE_BV of an XSAVE image: components that are not in their initial state (Intel SDM vol. 1, 13.4.2). */
export const componentsInUse = ({buffer, byteOffset, byteLength}: Uint8Array): bigint =>
	new DataView(buffer, byteOffset, byteLength).getBigUint64(512, true);

function parseExtension(saved: unknown): VcpuExtension {
	const {kind, data} = (saved ?? {}) as Readonly<Record<string, unknown>>;
	if (typeof kind !== 'string') throw stateError('STATE_FIELD_WRONG', {struct: 'vcpu', field: 'extension.kind'});
	return {kind, data};
}
