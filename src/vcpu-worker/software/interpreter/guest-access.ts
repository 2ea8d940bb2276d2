import {
	callOf,
	type FuncOf,
	type FunctionBuilder,
	type Int,
	type IntType,
	i32,
	type Memory,
	type Table,
	type Vector,
	type Width,
} from '#support/wasm';
import {CpuState, tlbEntries, tlbEntry} from '#vcpu-worker/software/state';
import type {LookedWindow, LookingAccess, SharedLooks} from './registers.ts';

/** Memories and functions that generated code uses. */
export interface Imports {
	/** The processor's own memory. */
	readonly state: Memory<'i32'>;
	/** The guest's RAM. */
	readonly ram: Memory<'i64'>;
	/**
	 * Does an access that the TLB does not serve: address, width in bits, `AccessKind`, record; of the module itself. What it
	 * reads or writes is in `transfer`. Returns the `Stop` where it must not be.
	 */
	readonly access: FuncOf<'i32'>;
	/** Floating point in exact arithmetic; see `FloatUnit.compute`. */
	readonly compute: FuncOf<'i32'>;
	/** Carries out a record's operation of the x87; returns 1 where its instruction is to end without its other steps. */
	readonly x87: FuncOf<'i32'>;
	/**
	 * Carries out a record's instruction of the system amid its block, if it can: RIP is that of the next instruction then. Returns 0
	 * where it has, the `Stop` where code is to leave, and the record to go on at for one that ends in the next page, or behind which a block ends.
	 */
	readonly system: FuncOf<'i32'>;
	/**
	 * Translations by number: each takes the address of its table (`tableAt`) and the number of the block at which it begins, and returns a `Stop` or
	 * `goOn`.
	 */
	readonly translations: Table<'i32'>;
	/** Linear address in a segment, of the module itself; see `buildSegmentCheck`. */
	readonly check: FuncOf<'i64'>;
}

const pageBits = 12;
const entryBits = Math.log2(tlbEntry.size);

/** Kinds of accesses. */
export const AccessKind = {
	read: 0,
	/** A read by an instruction that will write there. */
	readForWrite: 1,
	write: 2,
	/** Of the second half of `transfer`, which gets what was there. */
	compareExchange: 3,
} as const;

/** What code does behind an access that the TLB does not serve. */
interface AccessEnds {
	/** Leaves after one that failed. */
	leave(stop: Int<'i32'>): void;
	/** Goes on after a store. */
	stored(): void;
	/** Leaves, to have somebody else begin the instruction anew; undefined: the access is done here. */
	readonly missed: (() => void) | undefined;
	readonly looks: SharedLooks | undefined;
}

/** Address of the entry that a page has among those of a class. */
export function entryOf(address: Int<'i64'>, tlb: Int<'i32'>): Int<'i32'> {
	// The page's number times the size of an entry.
	const distance = address.shrU(pageBits - entryBits).and(BigInt((tlbEntries - 1) * tlbEntry.size));
	return distance.toI32().add(tlb);
}

/** Access to guest memory through the TLB: one comparison decides on page, permission, and everything that is not plain RAM. */
export class GuestAccess {
	readonly #imports: Imports;
	readonly #f: FunctionBuilder;
	/** Address of the TLB entries in use. */
	readonly #tlb: Int<'i32'>;
	readonly #ends: AccessEnds;

	constructor(imports: Imports, f: FunctionBuilder, tlb: Int<'i32'>, ends: AccessEnds) {
		this.#imports = imports;
		this.#f = f;
		this.#tlb = tlb;
		this.#ends = ends;
	}

	load<T extends IntType>(type: T, width: Width, address: Int<'i64'>, forWrite: boolean, record: Int<'i32'>): Int<T> {
		const {ram, state} = this.#imports;
		const f = this.#f;
		const value = f.local(type);
		this.#probe(
			address,
			width,
			forWrite ? tlbEntry.writePage : tlbEntry.readPage,
			(at, offset) => f.set(value, ram.load(type, width, at, offset)),
			(at) => {
				this.#slow(at, width, forWrite ? AccessKind.readForWrite : AccessKind.read, record);
				f.set(value, state.load(type, width, i32(0), CpuState.offset('transfer')));
			},
		);
		return value;
	}

	store(width: Width, address: Int<'i64'>, value: Int, record: Int<'i32'>): void {
		const {ram, state} = this.#imports;
		const f = this.#f;
		const kept = f.let(value);
		this.#probe(
			address,
			width,
			tlbEntry.writePage,
			(at, offset) => f.store(ram, width, at, offset, kept),
			(at) => {
				f.store(state, 64, i32(0), CpuState.offset('transfer'), kept.toI64U());
				this.#slow(at, width, AccessKind.write, record);
			},
		);
	}

	/** Atomic operations need an address that is a multiple of their size: others go the slow way. */
	compareExchange(width: Width, address: Int<'i64'>, expected: Int, value: Int, record: Int<'i32'>): Int {
		const {ram, state} = this.#imports;
		const f = this.#f;
		const [wanted, replacement] = [f.let(expected), f.let(value)];
		const found = f.local(wanted.type);
		const transfer = CpuState.offset('transfer');
		this.#probe(
			address,
			width,
			tlbEntry.writePage,
			(at) => f.set(found, ram.cmpxchg(width, at, 0, wanted, replacement)),
			(at) => {
				f.store(state, 64, i32(0), transfer, replacement.toI64U());
				f.store(state, 64, i32(0), transfer + 8, wanted.toI64U());
				this.#slow(at, width, AccessKind.compareExchange, record);
				f.set(found, state.load(wanted.type, width, i32(0), transfer + 8));
			},
			'atomic',
		);
		return found;
	}

	/** 64 bits that the TLB knows; `otherwise` leaves code. */
	loadKnown(address: Int<'i64'>, otherwise: () => void): Int<'i64'> {
		const f = this.#f;
		const value = f.local('i64');
		const {ram} = this.#imports;
		this.#probe(address, 64, tlbEntry.readPage, (at) => f.set(value, ram.load('i64', 64, at)), otherwise, 'whole');
		return value;
	}

	/** Place in RAM of an access that the TLB knows; else -1. */
	placeOf(width: Width, address: Int<'i64'>, forWrite: boolean): Int<'i64'> {
		const f = this.#f;
		const place = f.local('i64');
		const page = forWrite ? tlbEntry.writePage : tlbEntry.readPage;
		this.#probe(
			address,
			width,
			page,
			(at) => f.set(place, at),
			() => f.set(place, -1),
			'whole',
		);
		return place;
	}

	/** Stores 64 bits at a place in RAM that {@link placeOf} has given. */
	storeAt(place: Int<'i64'>, offset: number, value: Int<'i64'>): void {
		this.#f.store(this.#imports.ram, 64, place, offset, value);
	}

	/** Accesses from here on go by no look that has been had. */
	endLooks(): void {
		this.#ends.looks?.end();
	}

	copy(target: Int<'i64'>, source: Int<'i64'>, bytes: Int<'i64'>): void {
		this.#f.copy(this.#imports.ram, target, source, bytes);
	}

	fill(target: Int<'i64'>, value: Int<'i32'>, bytes: Int<'i64'>): void {
		this.#f.fill(this.#imports.ram, target, value, bytes);
	}

	/** Both parts of what two pages hold are there before one is read. */
	loadVector(address: Int<'i64'>, record: Int<'i32'>): Vector {
		const {ram, state} = this.#imports;
		const f = this.#f;
		const value = f.vectorLocal();
		this.#probe(
			address,
			128,
			tlbEntry.readPage,
			(at, offset) => f.setVector(value, ram.loadVector(at, offset)),
			(at) => {
				this.#slow(at, 128, AccessKind.read, record);
				f.setVector(value, state.loadVector(i32(0), CpuState.offset('transfer')));
			},
		);
		return value;
	}

	/** Both parts of what two pages hold may be written before one is. */
	storeVector(address: Int<'i64'>, value: Vector, record: Int<'i32'>): void {
		const {ram, state} = this.#imports;
		const f = this.#f;
		const kept = f.letVector(value);
		this.#probe(
			address,
			128,
			tlbEntry.writePage,
			(at, offset) => f.storeVector(ram, at, offset, kept),
			(at) => {
				f.storeVector(state, i32(0), CpuState.offset('transfer'), kept);
				this.#slow(at, 128, AccessKind.write, record);
			},
		);
	}

	#slow(at: Int<'i64'>, width: Width | 128, kind: number, record: Int<'i32'>): void {
		const {access} = this.#imports;
		const f = this.#f;
		const stop = f.let(callOf(access, at, i32(width), i32(kind), record));
		f.if(stop, () => this.#ends.leave(stop));
		if (kind >= AccessKind.write) this.#ends.stored();
	}

	/**
	 * @param kind - a plain access may be left to others; not one that tells by itself what is missed, nor an atomic operation, which is also to be
	 * aligned: what it sets before it would be set twice
	 */
	#probe(
		address: Int<'i64'>,
		width: Width | 128,
		page: number,
		fast: (at: Int<'i64'>, offset: number) => void,
		slow: (at: Int<'i64'>) => void,
		kind: 'plain' | 'whole' | 'atomic' = 'plain',
	): void {
		const {state} = this.#imports;
		const f = this.#f;
		const missed = kind === 'plain' ? this.#ends.missed : undefined;
		// Others may have asked to drop entries, while this one waits for them.
		if (kind === 'atomic') this.endLooks();
		const begin = f.out.length;
		const at = f.let(address);
		const entry = f.let(entryOf(at, this.#tlb));
		// An access that ends in the next page has another page than the entry's.
		const last = width === 8 ? at : at.add(width / 8 - 1);
		const place = at.add(state.load('i64', 64, entry, tlbEntry.addend));
		const known = state.load('i64', 64, entry, page);
		const linear = last.and(~0xfffn);
		if (missed !== undefined) {
			let [missedBegin, missedEnd] = [0, 0];
			f.ifUnlikely(known.ne(linear), () => {
				missedBegin = f.out.length;
				missed();
				missedEnd = f.out.length;
			});
			fast(place, 0);
			const {sum} = address;
			if (sum === undefined) return;
			const isWrite = page === tlbEntry.writePage;
			const places = {begin, end: f.out.length, missedBegin, missedEnd};
			const look: LookingAccess['look'] = (before, window, leave) => {
				f.set(at, address.sub(before));
				f.set(entry, entryOf(at, this.#tlb));
				this.#look(at, entry, window, leave);
				fast(window.place, before);
			};
			this.#ends.looks?.note({sum, bytes: width / 8, isWrite, ...places, look, goBy: fast});
			return;
		}
		const isHere = known.eq(linear);
		f.ifLikely(
			kind === 'atomic' && width !== 8
				? isHere.and(
						at
							.toI32()
							.and(width / 8 - 1)
							.eq(0),
					)
				: isHere,
			() => fast(place, 0),
			() => slow(at),
		);
	}

	/** Looks for the page of a window that begins at an address, whose place in RAM is known from there on. */
	#look(first: Int<'i64'>, entry: Int<'i32'>, {bytes, isWrite, place, differ}: LookedWindow, leave: () => void): void {
		const {state} = this.#imports;
		const f = this.#f;
		const last = first.add(bytes - 1);
		const known = state.load('i64', 64, entry, isWrite ? tlbEntry.writePage : tlbEntry.readPage);
		f.ifUnlikely(known.ne(last.and(~0xfffn)), () => {
			f.set(differ, first.xor(last));
			leave();
		});
		f.set(place, first.add(state.load('i64', 64, entry, tlbEntry.addend)));
	}
}
