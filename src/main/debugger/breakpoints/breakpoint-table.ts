import {
	type Breakpoints,
	type DebugHit,
	type DebugSupport,
	type HardwareBreakpoint,
	maxHardwareBreakpoints,
} from '#vcpu-worker/debug';
import {watchPieces} from './watch-pieces.ts';

/** Types of `Z` packets (GDB manual, appendix E.2). */
export const breakpointType = {software: 0, hardware: 1, write: 2, read: 3, access: 4} as const;

/** A breakpoint as the client asked for it. */
export interface BreakpointRequest {
	readonly type: number;
	readonly address: bigint;
	/** Bytes watched; for instructions the length of the replaced one, which is of no interest here. */
	readonly length: number;
}

/** Result of a request. `unsupported`: this kind of breakpoint does not exist here. */
export type InsertResult = 'ok' | 'unsupported' | 'no memory' | 'too many';

/** Mechanism of a breakpoint. */
type Means =
	| {readonly kind: 'int3'; readonly physical: number}
	| {readonly kind: 'registers'; readonly pieces: readonly HardwareBreakpoint[]}
	| {readonly kind: 'stepping'};

interface Entry extends BreakpointRequest {
	readonly means: Means;
}

/** Breakpoint that a processor came to, in the words of a stop reply. */
export interface HitReason {
	readonly kind: 'swbreak' | 'hwbreak' | 'watch' | 'awatch';
	readonly address: bigint;
}

/** Every breakpoint costs each start and stop of the guest a moment. */
const maxBreakpoints = 1024;

/** A client's breakpoints, and the means for them on this host. */
export class BreakpointTable {
	readonly #support: DebugSupport;
	readonly #entries = new Map<string, Entry>();

	constructor(support: DebugSupport) {
		this.#support = support;
	}

	/** @param translate - the client's view of memory, for breakpoints that live there */
	insert(request: BreakpointRequest, translate: (address: bigint) => number | undefined): InsertResult {
		const key = keyOf(request);
		if (this.#entries.has(key)) return 'ok';
		if (this.#entries.size >= maxBreakpoints) return 'too many';
		const means = this.#meansFor(request, translate);
		if (typeof means === 'string') return means;
		this.#entries.set(key, {...request, means});
		return 'ok';
	}

	/** False when there is no such breakpoint. */
	remove(request: BreakpointRequest): boolean {
		return this.#entries.delete(keyOf(request));
	}

	/** Gives the machine's part in all of them. */
	toBreakpoints(): Breakpoints {
		const entries = [...this.#entries.values()];
		const software = entries.flatMap(({means}) => (means.kind === 'int3' ? [means.physical] : []));
		return {
			software: [...new Set(software)],
			hardware: this.#inRegisters().map(({piece}) => piece),
			stops: entries.flatMap(({means, address}) => (means.kind === 'stepping' ? [address] : [])),
		};
	}

	/** Tells why this processor stopped; undefined for the end of a step. */
	reasonOf({stop}: DebugHit): HitReason | undefined {
		if (stop.kind === 'step') return undefined;
		if (stop.kind === 'breakpoint') return {kind: 'swbreak', address: 0n};
		const {entry} = this.#inRegisters()[stop.index] ?? {};
		if (entry === undefined) return undefined;
		const kinds = {0: 'swbreak', 1: 'hwbreak', 2: 'watch', 4: 'awatch'} as const;
		return {kind: kinds[entry.type as keyof typeof kinds], address: entry.address};
	}

	#meansFor(request: BreakpointRequest, translate: (address: bigint) => number | undefined): Means | InsertResult {
		const {type, address, length} = request;
		const {software, hardware} = this.#support;
		if (type === breakpointType.software && software) {
			const physical = translate(address);
			return physical === undefined ? 'no memory' : {kind: 'int3', physical};
		}
		if (type === breakpointType.software || type === breakpointType.hardware) {
			const pieces = [{address, kind: 'execute', length: 1} as const];
			if (hardware && this.#fits(pieces)) return {kind: 'registers', pieces};
			// Debug registers that are all taken are the client's to count, as on every processor.
			return hardware && type === breakpointType.hardware ? 'too many' : {kind: 'stepping'};
		}
		// x86 cannot watch reads alone; a client that hears so watches accesses, or steps and looks.
		if (!hardware || (type !== breakpointType.write && type !== breakpointType.access)) return 'unsupported';
		const pieces = watchPieces(address, length, type === breakpointType.write ? 'write' : 'access');
		return pieces !== undefined && this.#fits(pieces) ? {kind: 'registers', pieces} : 'too many';
	}

	#fits(pieces: readonly HardwareBreakpoint[]): boolean {
		return this.#inRegisters().length + pieces.length <= maxHardwareBreakpoints;
	}

	/** Lists the content of the debug registers, in their order. */
	#inRegisters(): {readonly entry: Entry; readonly piece: HardwareBreakpoint}[] {
		return [...this.#entries.values()].flatMap((entry) =>
			entry.means.kind === 'registers' ? entry.means.pieces.map((piece) => ({entry, piece})) : [],
		);
	}
}

const keyOf = ({type, address, length}: BreakpointRequest): string => `${type} ${address} ${length}`;
