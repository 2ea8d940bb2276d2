import type {DebugPlan, DebugStop} from '#vcpu-worker/debug';
import {guestStatus, judgeException} from '#vcpu-worker/debug';
import type {Core} from '#vcpu-worker/software/interpreter';
import type {Mmu, WatchedPages} from '#vcpu-worker/software/mmu';
import {Cr4} from './control-state.ts';

/** Bits of DR6 and DR7 (SDM volume 3, 18.2.3 and 18.2.4). */
export const DebugBit = {BD: 0x2000, BS: 0x4000, GD: 0x2000} as const;

/** What of DR6 and DR7 can be written, and what is always set. */
const status = {writable: 0xe00fn, set: 0xffff_0ff0n} as const;
const control = {writable: 0xffff_23ffn, set: 0x400n} as const;
/** Number of breakpoints, and bits that each has in DR7 beside its two enabling ones. */
const count = 4;
const kinds = ['execute', 'write', 'port', 'access'] as const;
const lengths = [1, 2, 8, 4] as const;

/** A place that is watched. */
interface Point {
	readonly address: bigint;
	readonly length: number;
	readonly kind: (typeof kinds)[number];
	/** Its bit among those that have been hit. */
	readonly bit: number;
}

/** The host's breakpoints have bits above those of the guest. */
const hostShift = 4;
const guestMask = 0xf;

/** The value that a write leaves in DR6 or DR7. */
export const debugValue = (number: number, value: bigint): bigint => {
	if (number < 6) return value;
	const {writable, set} = number === 6 ? status : control;
	return (value & writable) | set;
};

/** Breakpoints of the guest's debug registers and of the host's debugger, and what has been hit of them. */
export class DebugUnit implements WatchedPages {
	/** Reason for the last stop for the host's debugger. */
	stop: DebugStop | undefined;
	/** The next instruction is to be executed alone: it accesses what is watched. */
	isAwaited = false;
	/** MOV or POP to SS was last: no debug exception comes before the next instruction has been executed (SDM volume 3, 6.8.3). */
	isHeld = false;
	/** What that instruction has hit. */
	#held = 0;
	#hits = 0;
	/** What the delivery of an exception or interrupt has hit: a trap before the first instruction of its handler. */
	#pending = 0;
	/** An instruction is executed alone, or by TypeScript: its accesses are noted, and done. */
	#isNoting = false;
	#isTraced = false;
	#plan: DebugPlan | undefined;
	#points: readonly Point[] = [];
	readonly #pages = new Set<bigint>();
	readonly #codePages = new Set<bigint>();
	readonly #core: Core;
	readonly #mmu: Mmu;

	constructor(core: Core, mmu: Mmu) {
		this.#core = core;
		this.#mmu = mmu;
	}

	get plan(): DebugPlan | undefined {
		return this.#plan;
	}

	/** The host's debugger's plan for what is executed from now on. */
	set plan(plan: DebugPlan | undefined) {
		if (plan === undefined && this.#plan === undefined) return;
		this.#plan = plan;
		this.apply();
	}

	/** True where any instruction might be one to be executed alone. */
	get isUsed(): boolean {
		return this.isAwaited || this.#held !== 0 || this.#plan !== undefined || this.#codePages.size > 0;
	}

	/** A debug exception comes before the next instruction, and before interrupts. */
	get isPending(): boolean {
		return this.#pending !== 0;
	}

	/** True where nothing is watched either. */
	get isIdle(): boolean {
		return !this.isUsed && this.#points.length === 0;
	}

	/** Instructions are executed one by one for the host's debugger. */
	get isStepping(): boolean {
		return this.#plan !== undefined && this.#plan.step !== false;
	}

	/** Brings what is watched up to date, after DR0 to DR3, DR7, CR4 or the plan has changed. */
	apply(): void {
		const points = [...this.#guestPoints(), ...this.#hostPoints()];
		if (points.length === 0 && this.#points.length === 0) return;
		this.#points = points;
		this.#pages.clear();
		this.#codePages.clear();
		for (const {address, length, kind} of points) {
			if (kind === 'execute') this.#codePages.add(address >> 12n);
			else if (kind !== 'port') for (const at of [address, address + BigInt(length - 1)]) this.#pages.add(at >> 12n);
		}
		this.#mmu.watched = this.#pages.size > 0 ? this : undefined;
		this.#mmu.flush();
	}

	/** Tells whether the instruction at a linear address is to be executed alone. */
	isAlone(linear: bigint): boolean {
		return this.isAwaited || this.#held !== 0 || this.isStepping || this.#codePages.has(linear >> 12n);
	}

	/** Breakpoints at an instruction. */
	executed(linear: bigint): number {
		let bits = 0;
		for (const {kind, address, bit} of this.#points) if (kind === 'execute' && address === linear) bits |= bit;
		return bits;
	}

	/** Notes an access to a port. */
	port(port: number, bytes: number): void {
		if (this.#points.length > 0) this.#touch(BigInt(port), bytes, ['port']);
	}

	hasPage(low: number, high: number): boolean {
		return this.#pages.has(linearOf(low, high) >> 12n);
	}

	touch(low: number, high: number, bytes: number, isWrite: boolean): boolean {
		const before = this.#hits;
		this.#touch(linearOf(low, high), bytes, isWrite ? ['write', 'access'] : ['access']);
		if (this.#isNoting) return true;
		const isHit = this.#hits !== before;
		this.#hits = before;
		return !isHit;
	}

	/**
	 * Begins an instruction.
	 * @param isTraced - it is executed alone
	 */
	begin(isTraced: boolean): void {
		this.#isNoting = true;
		this.#isTraced = isTraced;
		this.isAwaited = false;
		this.#hits = 0;
	}

	/** Ends one; what it and one before that held it back have hit. */
	end(): number {
		this.#isNoting = false;
		const hits = this.#hits | this.#held;
		this.#hits = 0;
		this.#held = this.isHeld ? hits : 0;
		return this.isHeld ? 0 : hits;
	}

	/**
	 * Begins the delivery of an exception or interrupt, whose stack frame is an access as others are. What an instruction has hit
	 * that faults, or a delivery, is lost.
	 */
	beginDelivery(): void {
		this.#isNoting = true;
		this.#hits = 0;
	}

	/** Ends one that has come to its handler. */
	endDelivery(): void {
		this.#isNoting = false;
		this.#pending |= this.#hits;
		this.#hits = 0;
	}

	/** What deliveries have hit, once. */
	takePending(): number {
		const hits = this.#pending;
		this.#pending = 0;
		return hits;
	}

	/** Leaves in DR6 why there is a debug exception. */
	report(bits: number): void {
		const {debug} = this.#core.state;
		debug[6] = guestStatus(debug[6] as bigint, BigInt(bits));
	}

	/** Lets debug registers be used. */
	unguard(): void {
		const {debug} = this.#core.state;
		debug[7] = (debug[7] as bigint) & ~BigInt(DebugBit.GD);
	}

	/** An instruction of many elements is to end behind one of them, for a debug exception. */
	get endsElement(): boolean {
		return this.#isTraced || this.#hits !== 0;
	}

	/** Ends an instruction by an exception. */
	abandon(): void {
		this.isHeld = false;
		this.end();
	}

	/** Forgets what is to be reported: the processor has been reset. */
	reset(): void {
		this.abandon();
		this.#pending = 0;
	}

	/** Those of the bits that are the guest's. */
	static guestBits(hits: number): number {
		return hits & guestMask;
	}

	/** True where the host's debugger has asked for a stop before the instruction at this address, of which {@link stop} tells. */
	stopsBefore(linear: bigint, hits: number): boolean {
		const plan = this.#plan;
		if (plan === undefined) return false;
		if (plan.step === false && plan.stops.includes(linear)) this.stop = {kind: 'breakpoint'};
		else if (hits >> hostShift === 0) return false;
		else this.stop = judged(judgeException(plan, {vector: 1, pc: linear, physical: undefined, dr6: hostStatus(hits)}));
		return this.stop !== undefined;
	}

	/** The same after an instruction, before the one at this address. */
	stopsBehind(linear: bigint, hits: number): boolean {
		const plan = this.#plan;
		if (plan === undefined || (!this.isStepping && hits >> hostShift === 0)) return false;
		this.stop = judged(judgeException(plan, {vector: 1, pc: linear, physical: undefined, dr6: hostStatus(hits)}));
		return this.stop !== undefined;
	}

	/** True where the host's debugger has put the INT3 at a linear address there. */
	hasPlanted(linear: bigint): boolean {
		const plan = this.#plan;
		if (plan === undefined || plan.breakpoints.length === 0) return false;
		const low = Number(BigInt.asIntN(32, linear));
		const page = this.#mmu.fetch(low, Number(BigInt.asIntN(32, linear >> 32n)))?.page;
		const physical = page === undefined ? undefined : page + (low & 0xfff);
		this.stop = judged(judgeException(plan, {vector: 3, pc: linear, physical, dr6: 0n}));
		return this.stop !== undefined;
	}

	#touch(from: bigint, bytes: number, watchedKinds: readonly Point['kind'][]): void {
		const end = from + BigInt(bytes);
		for (const {address, length, kind, bit} of this.#points)
			if (watchedKinds.includes(kind) && from < address + BigInt(length) && address < end) this.#hits |= bit;
	}

	#guestPoints(): Point[] {
		const {debug, cr4} = this.#core.state;
		const dr7 = Number(debug[7]);
		const points: Point[] = [];
		for (let index = 0; index < count; index++) {
			if (((dr7 >> (index * 2)) & 3) === 0) continue;
			const condition = (dr7 >>> (16 + index * 4)) & 15;
			const kind = kinds[condition & 3] as Point['kind'];
			if (kind === 'port' && (Number(cr4) & Cr4.DE) === 0) continue;
			const length = kind === 'execute' ? 1 : (lengths[condition >> 2] as number);
			const address = (debug[index] as bigint) & ~BigInt(length - 1);
			points.push({address, length, kind, bit: 1 << index});
		}
		return points;
	}

	#hostPoints(): Point[] {
		const {hardware = [], stops = []} = this.#plan ?? {};
		return [
			...hardware.map((point, index) => ({...point, bit: 1 << (hostShift + index)})),
			...stops.map((address) => ({address, length: 1, kind: 'execute' as const, bit: 0})),
		];
	}
}

const linearOf = (low: number, high: number): bigint => (BigInt(high >>> 0) << 32n) | BigInt(low >>> 0);
const hostStatus = (hits: number): bigint => BigInt(hits >> hostShift);
const judged = (stop: ReturnType<typeof judgeException>): DebugStop | undefined =>
	typeof stop === 'object' ? stop : undefined;
