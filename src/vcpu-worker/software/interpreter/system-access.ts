import {type FunctionBuilder, type Int, i32, i64, type Local, type Memory} from '#support/wasm';
import {kindNumber, type SystemOperation, type SystemRegister} from '#vcpu-worker/software/semantics';
import {
	CpuState,
	longCode,
	MicroOp,
	SegmentState,
	Stop,
	segmentBaseAt,
	supervisorTlb,
	TableState,
	tlbBytes,
	userCode,
} from '#vcpu-worker/software/state';
import type {GuestAccess} from './guest-access.ts';

/** AC and IOPL in RFLAGS. */
const Flag = {AC: 0x4_0000, IOPL: 0x3000} as const;
/** What POPF changes (SDM volume 2, POPF): TF, DF, NT, AC and ID always; IOPL at privilege 0; IF where IOPL allows it. */
const poppable = {always: 0x24_4500, IOPL: 0x3000, IF: 0x200} as const;

const taskRegister = 7;
/** Registers of 64 bits that are not fields of the state, and those of 32. */
const bases: Partial<Record<SystemRegister, number>> = {
	tableBase: CpuState.offset('gdtr') + TableState.offset('base'),
	interruptBase: CpuState.offset('idtr') + TableState.offset('base'),
	taskBase: segmentBaseAt(taskRegister),
};
const limits: Partial<Record<SystemRegister, number>> = {
	tableLimit: CpuState.offset('gdtr') + TableState.offset('limit'),
	interruptLimit: CpuState.offset('idtr') + TableState.offset('limit'),
	taskLimit: segmentBaseAt(taskRegister) + SegmentState.offset('limit'),
};

/** A step's access to registers of the system, and to memory as its instructions see it. */
export class SystemAccess implements SystemOperation {
	readonly #f: FunctionBuilder;
	readonly #state: Memory<'i32'>;
	readonly #guest: GuestAccess;
	readonly #tlb: Local<'i32'>;
	readonly #record: Int<'i32'>;
	readonly #leave: (stop: Int<'i32'>) => void;

	constructor(
		f: FunctionBuilder,
		state: Memory<'i32'>,
		guest: GuestAccess,
		tlb: Local<'i32'>,
		record: Int<'i32'>,
		leave: (stop: Int<'i32'>) => void,
	) {
		this.#f = f;
		this.#state = state;
		this.#guest = guest;
		this.#tlb = tlb;
		this.#record = record;
		this.#leave = leave;
	}

	leaveUnless(condition: Int<'i32'>): void {
		this.#f.if(condition.isZero(), () => this.#leave(i32(Stop.system)));
	}

	goesOn(): Int<'i32'> {
		return this.#field('goesOn');
	}

	endsBehind(): Int<'i32'> {
		const kind = this.#state.load('i32', 16, this.#record, MicroOp.size + MicroOp.offset('kind'));
		return kind.eq(kindNumber('next.64'));
	}

	isUser(): Int<'i32'> {
		return this.#field('modeKey').and(userCode);
	}

	isLongCode(): Int<'i32'> {
		return this.#field('modeKey').and(longCode).ne(0);
	}

	exception(): Int<'i32'> {
		return this.#field('vector');
	}

	errorCode(): Int<'i32'> {
		return this.#field('errorCode');
	}

	register(name: SystemRegister): Int<'i64'> {
		const limit = limits[name];
		if (limit !== undefined) return this.#state.load('i64', 32, i32(0), limit);
		return this.#state.load('i64', 64, i32(0), bases[name] ?? CpuState.offset(name as 'efer'));
	}

	setRegister(name: 'kernelGsBase', value: Int<'i64'>): void {
		this.#f.store(this.#state, 64, i32(0), CpuState.offset(name), value);
	}

	base(segment: number): Int<'i64'> {
		return this.#state.load('i64', 64, i32(0), segmentBaseAt(segment));
	}

	setBase(segment: number, base: Int<'i64'>): void {
		this.#f.store(this.#state, 64, i32(0), segmentBaseAt(segment), base);
	}

	attributes(segment: number): Int<'i32'> {
		return this.#state.load('i32', 16, i32(0), segmentBaseAt(segment) + SegmentState.offset('attributes'));
	}

	selector(segment: number): Int<'i32'> {
		return this.#state.load('i32', 16, i32(0), segmentBaseAt(segment) + SegmentState.offset('selector'));
	}

	setSegment(segment: number, selector: Int<'i32'>, limit: Int<'i64'>, attributes: Int<'i32'>): void {
		const store = (width: 16 | 32 | 64, field: 'base' | 'limit' | 'attributes' | 'selector', value: Int) =>
			this.#f.store(this.#state, width, i32(0), segmentBaseAt(segment) + SegmentState.offset(field), value);
		store(64, 'base', i64(0));
		store(32, 'limit', limit.toI32());
		store(16, 'attributes', attributes);
		store(16, 'selector', selector);
	}

	knownMemory(address: Int<'i64'>): Int<'i64'> {
		return this.#guest.loadKnown(address, () => this.#leave(i32(Stop.system)));
	}

	storeFrame(address: Int<'i64'>, values: readonly Int<'i64'>[]): void {
		const f = this.#f;
		const leave = () => this.#leave(i32(Stop.system));
		f.if(
			address
				.add(values.length * 8 - 1)
				.and(~0xfffn)
				.ne(address.and(~0xfffn)),
			leave,
		);
		const place = f.let(this.#guest.placeOf(64, address, true));
		f.if(place.ltS(0), leave);
		for (const [index, value] of [...values.entries()].reverse()) this.#guest.storeAt(place, index * 8, value);
	}

	apply(privilege: 0 | 3, flags: Int<'i32'>): void {
		const f = this.#f;
		const set = (field: 'tlb' | 'modeKey' | 'poppableFlags', value: Int<'i32'>) =>
			f.store(this.#state, 32, i32(0), CpuState.offset(field), value);
		const isUser = privilege === 3;
		const state = (field: 'userTlb' | 'userKey') => this.#state.load('i32', 32, i32(0), CpuState.offset(field));
		const system = () => flags.and(Flag.AC).select(state('userTlb').add(tlbBytes), i32(supervisorTlb));
		// What has been found counts no more: it may be a page that these accesses must not reach.
		this.#guest.endLooks();
		f.set(this.#tlb, isUser ? state('userTlb') : system());
		set('tlb', this.#tlb);
		set('modeKey', isUser ? state('userKey').or(longCode) : i32(longCode));
		const {always, IOPL, IF} = poppable;
		const ofUser = flags
			.and(Flag.IOPL)
			.eq(Flag.IOPL)
			.select(i32(always | IF), i32(always));
		set('poppableFlags', isUser ? ofUser : i32(always | IOPL | IF));
	}

	#field(name: 'modeKey' | 'vector' | 'errorCode' | 'goesOn'): Int<'i32'> {
		return this.#state.load('i32', 32, i32(0), CpuState.offset(name));
	}
}
