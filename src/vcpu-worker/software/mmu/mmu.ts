import type {WideExchange} from '#support/ffi';
import {AccessKind, type Core} from '#vcpu-worker/software/interpreter';
import {
	AccessClass,
	addressSpaces,
	Stop,
	segmentBaseAt,
	spaceShift,
	supervisorTlb,
	tlbBytes,
	tlbEntries,
	tlbEntry,
	tlbOf,
	userCode,
	Walked,
	walkedParts,
} from '#vcpu-worker/software/state';
import type {Access, PagingMode, Translation} from './page-walk.ts';
import {hasReservedPointers, walk} from './page-walk.ts';
import type {PhysicalMemory} from './physical-memory.ts';

/** Devices at physical addresses that are no RAM. */
export interface DeviceSpace {
	/** Reads 1, 2 or 4 bytes. */
	read(gpa: number, bytes: 1 | 2 | 4): number;
	write(gpa: number, bytes: 1 | 2 | 4, value: number): void;
}

/** Pages that hold decoded code, by their place in the memory of RAM. */
export interface CodePages {
	/** True where some processor has decoded code of the page. */
	hasCode(place: number): boolean;
	/** Bytes have been written there, by the step of this record. @returns whether they are of its own block, which then ends behind it */
	written(place: number, length: number, record: number): boolean;
}

/** Pages whose accesses somebody wants to know of. */
export interface WatchedPages {
	hasPage(low: number, high: number): boolean;
	/** An access to one of them. @returns false where its instruction is to begin anew, and this access not to be done */
	touch(low: number, high: number, bytes: number, isWrite: boolean): boolean;
}

/** What `CpuState.vector` says where the instruction is to be executed alone: no exception. */
export const executeAlone = 256;

const entryWords = tlbEntry.size / 4;
/** Entries that are visited one by one, when stores are to go by none any more, at most: then all are looked through. */
const maxWritable = 4096;
/** Bits of offsets in large pages: 2 and 4 MiB, 1 GiB. */
const largeSizes = [21, 22, 30] as const;
/** Most large pages that are kept in mind. */
const maxLarge = 4096;
/** Those that are found without a look into a set: a power of two. */
const recentLarge = 64;
const mark = 1;
const pageFault = 14;
const generalProtection = 13;
const stackFault = 12;
const stackSegment = segmentBaseAt(2);

/** Index of the first word of the entry that a page has in a class. */
const entryAt = (tlb: number, low: number, high: number): number =>
	(tlb - supervisorTlb) / 4 + (((high << 20) | (low >>> 12)) & (tlbEntries - 1)) * entryWords;

/** An address space of which something is known, in entries of the TLB that are its own. */
class Space {
	/** Its PCID; undefined where none has these entries. */
	pcid: number | undefined;
	/** Entries that may be of translations which are not global, each once, as indexes of their first word. */
	readonly local: number[] = [];
	/** Its entries are such. */
	isFilled = false;
	/** When it became the present one, in loads of CR3. */
	since = 0;
	readonly number: number;

	constructor(number: number) {
		this.number = number;
	}
}

/** A number for a large page: its address in such pages, and its size. */
const largePage = (low: number, high: number, bits: number): number =>
	((high >>> 0) * (2 ** 32 / (1 << bits)) + (low >>> bits)) * 64 + bits;

/** True for an address that 48 bits make with their sign (SDM volume 1, 3.3.7.1); 57 bits with five levels of tables. */
export const isCanonical = (high: number, levels: number): boolean => {
	const shift = levels === 5 ? 7 : 16;
	return (high << shift) >> shift === high && (high >> (31 - shift) === 0 || high >> (31 - shift) === -1);
};

/** The same of a whole address. */
export const isCanonicalAddress = (address: bigint, levels: number): boolean =>
	isCanonical(Number(BigInt.asIntN(32, address >> 32n)), levels);

/** The memory management unit of one processor: fills its TLB, and does what the TLB does not serve. */
export class Mmu {
	/** Paging as the control registers have it. */
	mode: PagingMode = {
		levels: 0,
		root: 0,
		hasLargePages: false,
		protectsSupervisor: false,
		smep: false,
		smap: false,
		nx: false,
		hasGlobalPages: false,
		pcid: 0,
	};
	/** Addresses have 64 bits. */
	isLong = false;
	/** Does something while no other processor executes code. */
	exclusively: (action: () => void) => void = (action) => action();
	/** Exchanges 128 bits at a place in RAM at once; undefined where that can only be done {@link exclusively}. */
	exchangeWide: WideExchange | undefined;
	readonly memory: PhysicalMemory;
	devices: DeviceSpace;
	code: CodePages;
	/** Accesses to devices are not done: the instruction ends code, to be executed alone. */
	refusesDevices = false;
	/** Pages that get no entries in the TLB, as their accesses are watched. */
	watched: WatchedPages | undefined;
	readonly #core: Core;
	readonly #entries: Int32Array;
	/** The same as `Space.local`, of accesses by the supervisor. */
	readonly #local: number[] = [];
	readonly #spaces: readonly Space[] = Array.from({length: addressSpaces}, (_, number) => new Space(number));
	#space: Space = this.#spaces[0] as Space;
	/** Loads of CR3 with PCIDs. */
	#loads = 0;
	/** Entries that stores may go by, as indexes of their first word: those that do, and some that did; not all where it is full. */
	readonly #writable: number[] = [];
	/** Large pages that parts are known of. */
	readonly #large = new Set<number>();
	/** The last one that was met of those that have the same place here. */
	readonly #recentLarge = new Float64Array(recentLarge).fill(-1);
	readonly #transfer: Uint8Array;
	readonly #transferView: DataView;

	constructor(core: Core, memory: PhysicalMemory, devices: DeviceSpace, code: CodePages) {
		this.#core = core;
		this.memory = memory;
		this.devices = devices;
		this.code = code;
		const end = tlbOf(AccessClass.user, addressSpaces);
		this.#entries = new Int32Array(core.memory, supervisorTlb, (end - supervisorTlb) / 4);
		for (const [index, part] of memory.parts.slice(0, walkedParts).entries())
			Object.assign(core.state.ram[index] as object, part);
		this.#transfer = core.transfer;
		this.#transferView = new DataView(core.transfer.buffer, core.transfer.byteOffset, core.transfer.length);
	}

	/** Forgets all translations, and which blocks of code are at which linear addresses. */
	flush(): void {
		this.#core.forgetPages();
		this.#local.length = 0;
		for (const space of this.#spaces) {
			space.pcid = undefined;
			space.local.length = 0;
			// Others are filled when they are taken.
			space.isFilled = space === this.#space;
		}
		this.#space.pcid = this.mode.pcid;
		this.#core.forgetSpace(this.#space.number);
		this.#large.clear();
		this.#recentLarge.fill(-1);
		this.#core.forgetJumps();
	}

	/** Forgets all entries of the TLB, but not which blocks are where. */
	forgetEntries(): void {
		this.#core.forgetPages();
		this.#local.length = 0;
		for (const space of this.#spaces) {
			if (space.isFilled) this.#core.forgetSpace(space.number);
			space.local.length = 0;
		}
		this.#writable.length = 0;
	}

	/** Calls `visit` with the places of the pages that stores go to by the TLB. @returns false where these may be more than `most` */
	visitWritable(most: number, visit: (place: number) => void): boolean {
		const writable = this.#writable;
		if (writable.length > Math.min(most, maxWritable - 1)) return false;
		const quads = new BigInt64Array(this.#entries.buffer, this.#entries.byteOffset, this.#entries.length / 2);
		for (const at of writable) {
			const page = quads[(at + tlbEntry.writePage / 4) / 2] as bigint;
			if (page !== -1n) visit(Number(BigInt.asIntN(64, page + (quads[(at + tlbEntry.addend / 4) / 2] as bigint))));
		}
		return true;
	}

	/** Addresses of the entries that accesses may go by, of a class each. */
	get tables(): readonly number[] {
		const spaces = this.#spaces.filter(({isFilled}) => isFilled);
		const classes = [AccessClass.user, AccessClass.lifted];
		return [supervisorTlb, ...spaces.flatMap(({number}) => classes.map((each) => tlbOf(each, number)))];
	}

	/** Number of entries that a load of CR3 looks at. */
	get listed(): number {
		return this.#local.length + this.#space.local.length;
	}

	/** Forgets those of the present address space that are not global. */
	flushLocal(): void {
		if (!this.mode.hasGlobalPages) {
			this.flush();
			return;
		}
		this.#forgetSupervisor();
		this.#forgetSpace(this.#space);
	}

	/** The same of the address space that has a PCID. */
	flushSpace(pcid: number): void {
		if (pcid === this.mode.pcid) {
			this.flushLocal();
			return;
		}
		for (const space of this.#spaces) if (space.pcid === pcid) space.pcid = undefined;
	}

	/** The same of all address spaces. */
	flushSpaces(): void {
		for (const space of this.#spaces) if (space !== this.#space) space.pcid = undefined;
		this.flushLocal();
	}

	/**
	 * CR3 has another PCID, or the same: accesses go by translations of its address space from now on (SDM volume 3, 4.10.4.1).
	 * @param keeps - what is known of it from before stays
	 */
	load(keeps: boolean): void {
		const {pcid, hasGlobalPages} = this.mode;
		if (!hasGlobalPages) {
			this.flush();
			return;
		}
		this.#core.begin();
		// No entry of these tells its address space.
		this.#forgetSupervisor();
		const known = this.#spaces.find((space) => space.pcid === pcid);
		const space = known ?? this.#spaces.reduce((oldest, each) => (each.since < oldest.since ? each : oldest));
		if (known === undefined || !keeps) this.#forgetSpace(space);
		space.pcid = pcid;
		space.since = ++this.#loads;
		this.#enter(space);
	}

	#enter(space: Space): void {
		this.#space = space;
		const {state} = this.#core;
		const [tlb, key] = [tlbOf(AccessClass.user, space.number), userCode | (space.number << spaceShift)];
		if (state.tlb !== supervisorTlb) state.tlb += tlb - state.userTlb;
		if ((state.modeKey & userCode) !== 0) state.modeKey ^= key ^ state.userKey;
		Object.assign(state, {userTlb: tlb, userKey: key});
	}

	#forgetSupervisor(): void {
		this.#forgetListed(this.#local);
		this.#core.forgetLocalJumps();
	}

	#forgetSpace(space: Space): void {
		if (space.isFilled) this.#forgetListed(space.local);
		else this.#core.forgetSpace(space.number);
		space.isFilled = true;
		this.#core.forgetLocalJumps(space.number);
	}

	#forgetListed(listed: number[]): void {
		for (const at of listed) {
			const isLocal = this.#entries[at + tlbEntry.isLocal / 4] === mark;
			this.#entries.fill(-1, isLocal ? at : at + tlbEntry.isListed / 4, at + entryWords);
		}
		listed.length = 0;
	}

	/** Forgets that of one page, which may be large, in all address spaces: it may be global. */
	forgetPage(address: bigint): void {
		const [low, high] = [Number(BigInt.asIntN(32, address)), Number(BigInt.asIntN(32, address >> 32n))];
		if (largeSizes.some((bits) => this.#large.has(largePage(low, high, bits)))) {
			this.flush();
			return;
		}
		for (const tlb of this.tables) this.#forgetEntry(tlb, low, high);
		this.#core.forgetPageJumps(low, high);
	}

	#forgetEntry(tlb: number, low: number, high: number): void {
		const at = entryAt(tlb, low, high);
		if (this.#allows(at, tlbEntry.readPage, low, high)) this.#entries.fill(-1, at, at + tlbEntry.isLocal / 4);
	}

	/** Tells whether PAE's first table has reserved bits set in an entry that is present. */
	hasReservedPointers(root: number): boolean {
		return hasReservedPointers(this.memory, this.mode, root);
	}

	/**
	 * Makes stores to any page come by {@link access} once more: one holds code from now on, or somebody wants to know which pages are
	 * written.
	 */
	dropWritable(): void {
		const writable = this.#writable;
		if (writable.length < maxWritable) for (const at of writable) this.#dropWritableAt(at);
		else for (const tlb of this.tables) this.#dropWritableOf(tlb);
		writable.length = 0;
	}

	#dropWritableOf(tlb: number): void {
		const first = entryAt(tlb, 0, 0);
		for (let at = first; at < first + tlbBytes / 4; at += entryWords) this.#dropWritableAt(at);
	}

	#dropWritableAt(at: number): void {
		this.#entries[at + tlbEntry.writePage / 4] = -1;
		this.#entries[at + tlbEntry.writePage / 4 + 1] = -1;
	}

	/** Does what `SlowAccess` says. */
	readonly access = (low: number, high: number, width: number, kind: number, record: number): number => {
		const bytes = width / 8;
		const inPage = 4096 - (low & 0xfff);
		const first = this.#translate(low, high, kind, record);
		if (first === undefined || this.#isRefused(first)) return Stop.fault;
		if (bytes <= inPage && !this.#notes(low, high, bytes, kind)) return Stop.fault;
		if (kind === AccessKind.compareExchange && bytes <= inPage && (low & (bytes - 1)) === 0)
			return this.#exchangeAligned(first.page, low & 0xfff, bytes, record);
		if (bytes <= inPage && kind === AccessKind.compareExchange)
			return this.#exchangeApart(first, first, low & 0xfff, bytes, bytes, record);
		if (bytes <= inPage) return this.#perform(first, low & 0xfff, 0, bytes, kind, record);
		const nextLow = ((low & ~0xfff) + 0x1000) | 0;
		const nextHigh = nextLow === 0 ? (this.isLong ? (high + 1) | 0 : 0) : high;
		const second = this.#translate(nextLow, nextHigh, kind, record);
		if (second === undefined || this.#isRefused(second) || !this.#notes(low, high, bytes, kind)) return Stop.fault;
		if (kind === AccessKind.compareExchange)
			return this.#exchangeApart(first, second, low & 0xfff, inPage, bytes, record);
		return (
			this.#perform(first, low & 0xfff, 0, inPage, kind, record) ||
			this.#perform(second, 0, inPage, bytes - inPage, kind, record)
		);
	};

	/** Does what `FillEntry` says. */
	readonly fill = (low: number, high: number, walkedLow: number, walkedHigh: number): number => {
		const translation = {
			page: walkedHigh * 2 ** 32 + ((walkedLow & ~0xfff) >>> 0),
			isWritable: (walkedLow & Walked.writable) !== 0,
			isGlobal: (walkedLow & Walked.global) !== 0,
			sizeBits: walkedLow & Walked.sizeBits,
		};
		return this.#fill(this.#core.state.tlb, low, high, translation) ? 1 : 0;
	};

	/** Translates for a fetch; undefined after a page fault, which the state says. */
	fetch(low: number, high: number): Translation | undefined {
		const translation = this.#translated(low, high, 'fetch', this.#isUser());
		if (translation !== undefined) this.#noteLarge(translation, low, high);
		return translation;
	}

	/** Reads memory as the processor itself does for descriptors and the like; undefined after a page fault. */
	readSystem(address: bigint, bytes: number, isUser = false): bigint | undefined {
		const place = bytes > 8 ? -1 : this.#knownPlace(address, bytes, tlbEntry.readPage, isUser);
		if (place >= 0) return this.memory.readWord(place, bytes);
		const places = this.#placesOf(address, bytes, 'read', isUser);
		return places?.reduceRight((value, place) => (value << 8n) | BigInt(this.#readByte(place)), 0n);
	}

	/** Writes memory as the processor itself does: for a stack frame of an exception. False after a page fault. */
	writeSystem(address: bigint, bytes: number, value: bigint, isUser = false): boolean {
		const place = bytes > 8 ? -1 : this.#knownPlace(address, bytes, tlbEntry.writePage, isUser);
		if (place >= 0) {
			this.memory.writeWord(place, bytes, value);
			return true;
		}
		const places = this.#placesOf(address, bytes, 'write', isUser);
		if (places === undefined) return false;
		for (const [index, place] of places.entries()) this.#writeByte(place, Number((value >> BigInt(index * 8)) & 0xffn));
		return true;
	}

	/** True where {@link writeSystem} would write all of it; false after a page fault. */
	canWrite(address: bigint, bytes: number, isUser: boolean): boolean {
		if (this.#knownPlace(address, bytes, tlbEntry.writePage, isUser) >= 0) return true;
		return this.#placesOf(address, bytes, 'write', isUser) !== undefined;
	}

	/** Reads bytes as an instruction does that TypeScript carries out; false, and `target` without meaning, after a fault. */
	readBytes(address: bigint, target: Uint8Array, isUser: boolean): boolean {
		const known = this.#knownPlace(address, target.length, tlbEntry.readPage, isUser);
		if (known >= 0) {
			this.memory.read(known, target.length, target);
			return true;
		}
		return this.#eachPage(address, target.length, 'read', isUser, (page, offset, from, count) => {
			const place = this.memory.placeOf(page);
			if (place >= 0) this.memory.read(place + offset, count, target.subarray(from, from + count));
			else for (let index = 0; index < count; index++) target[from + index] = this.#readByte(page + offset + index);
		});
	}

	/** Writes bytes; false after a fault, and then none of them. */
	writeBytes(address: bigint, source: Uint8Array, isUser: boolean): boolean {
		const known = this.#knownPlace(address, source.length, tlbEntry.writePage, isUser);
		if (known >= 0) {
			this.memory.write(known, source);
			return true;
		}
		return this.#eachPage(address, source.length, 'write', isUser, (page, offset, from, count) => {
			const place = this.memory.placeOf(page);
			if (place >= 0) {
				this.memory.write(place + offset, source.subarray(from, from + count));
				this.code.written(place + offset, count, this.#core.carriedOut);
			} else
				for (let index = 0; index < count; index++)
					this.#writeByte(page + offset + index, source[from + index] as number);
		});
	}

	/** Calls `visit` for the parts of a range that lie in one page each, once all are translated. */
	#eachPage(
		address: bigint,
		length: number,
		kind: Access['kind'],
		isUser: boolean,
		visit: (page: number, offset: number, from: number, count: number) => void,
	): boolean {
		const pages: number[] = [];
		const first = Number(address & 0xfffn);
		for (let done = -first; done < length; done += 4096) {
			const at = BigInt.asUintN(this.mode.levels >= 4 ? 64 : 32, address + BigInt(Math.max(done, 0)));
			const page = this.#translated(
				Number(BigInt.asIntN(32, at)),
				Number(BigInt.asIntN(32, at >> 32n)),
				kind,
				isUser,
			)?.page;
			if (page === undefined) return false;
			pages.push(page);
		}
		let from = 0;
		for (const [index, page] of pages.entries()) {
			const offset = index === 0 ? first : 0;
			const count = Math.min(length - from, 4096 - offset);
			visit(page, offset, from, count);
			from += count;
		}
		this.#touchAll(address, length, kind);
		return true;
	}

	/**
	 * Place in RAM of bytes that the processor itself reads or writes at privilege 0, for a descriptor or a stack frame; all are in one page
	 * that the TLB knows, or knows from now on. -1 for all others, of which nothing has been accessed.
	 */
	systemPlace(low: number, high: number, bytes: number, kind: 'read' | 'write'): number {
		return this.#placeInPage(low, high, bytes, kind === 'read' ? tlbEntry.readPage : tlbEntry.writePage, false);
	}

	/** The same of bytes that an instruction writes which TypeScript carries out. */
	placeOfWrite(address: bigint, bytes: number, isUser: boolean): number {
		return this.#knownPlace(address, bytes, tlbEntry.writePage, isUser);
	}

	/** Tells who watches of an access that an instruction makes which TypeScript carries out. */
	#touchAll(address: bigint, bytes: number, kind: Access['kind']): void {
		this.watched?.touch(
			Number(BigInt.asIntN(32, address)),
			Number(BigInt.asIntN(32, address >> 32n)),
			bytes,
			kind === 'write',
		);
	}

	/**
	 * Place in RAM of bytes in one page that the TLB knows, or knows from now on; -1 for all others, of which a walk tells more.
	 * @param page - what of an entry says that the access is allowed
	 */
	#knownPlace(address: bigint, bytes: number, page: number, isUser: boolean): number {
		const at = this.mode.levels >= 4 ? address : BigInt.asUintN(32, address);
		return this.#placeInPage(Number(BigInt.asIntN(32, at)), Number(BigInt.asIntN(32, at >> 32n)), bytes, page, isUser);
	}

	#placeInPage(low: number, high: number, bytes: number, page: number, isUser: boolean): number {
		if ((low & 0xfff) + bytes > 4096) return -1;
		this.#core.begin();
		const tlb = isUser ? this.#core.state.userTlb : supervisorTlb;
		const entry = entryAt(tlb, low, high);
		if (!this.#allows(entry, page, low, high)) {
			const kind = page === tlbEntry.readPage ? 'read' : 'write';
			const acIsSet = !isUser && this.#isLifted();
			const translation = this.#canonical(high)
				? walk(this.memory, this.mode, {kind, isUser, acIsSet}, low, high)
				: undefined;
			// What AC lifts is not for the entries of the class.
			if (typeof translation !== 'object' || acIsSet || !this.#fill(tlb, low, high, translation)) return -1;
			if (!this.#allows(entry, page, low, high)) return -1;
		}
		const entries = this.#entries;
		const sum = (low >>> 0) + ((entries[entry + tlbEntry.addend / 4] as number) >>> 0);
		const upper = (high + (entries[entry + tlbEntry.addend / 4 + 1] as number) + (sum >= 2 ** 32 ? 1 : 0)) >>> 0;
		return upper * 2 ** 32 + (sum >>> 0);
	}

	#allows(entry: number, page: number, low: number, high: number): boolean {
		const entries = this.#entries;
		return entries[entry + page / 4] === (low & ~0xfff) && entries[entry + page / 4 + 1] === high;
	}

	/** Physical addresses of bytes that follow each other. */
	#placesOf(address: bigint, bytes: number, kind: Access['kind'], isUser: boolean): readonly number[] | undefined {
		const places: number[] = [];
		let page: number | undefined;
		for (let index = 0; index < bytes; index++) {
			// Tables and stacks of the system have 64-bit addresses in compatibility mode too.
			const at = BigInt.asUintN(this.mode.levels >= 4 ? 64 : 32, address + BigInt(index));
			const low = Number(BigInt.asIntN(32, at));
			const offset = low & 0xfff;
			if (page === undefined || offset === 0)
				page = this.#translated(low, Number(BigInt.asIntN(32, at >> 32n)), kind, isUser)?.page;
			if (page === undefined) return undefined;
			places.push(page + offset);
		}
		this.#touchAll(address, bytes, kind);
		return places;
	}

	/** Tells who watches of an access. @returns false where its instruction is to be executed alone, as the state then says */
	#notes(low: number, high: number, bytes: number, kind: number): boolean {
		if (this.watched === undefined || this.watched.touch(low, high, bytes, kind !== AccessKind.read)) return true;
		this.#core.state.vector = executeAlone;
		return false;
	}

	/** Tells whether a page's accesses are not done; see {@link refusesDevices}. */
	#isRefused({page}: Translation): boolean {
		if (!this.refusesDevices || this.memory.placeOf(page) >= 0) return false;
		this.#core.state.vector = executeAlone;
		return true;
	}

	#isUser(): boolean {
		const {state} = this.#core;
		return state.tlb === state.userTlb;
	}

	#isLifted(): boolean {
		const {state} = this.#core;
		return state.tlb === state.userTlb + tlbBytes;
	}

	#translate(low: number, high: number, kind: number, record: number): Translation | undefined {
		const state = this.#core.state;
		const translation = this.#translated(low, high, kind === AccessKind.read ? 'read' : 'write', this.#isUser());
		if (translation === undefined) {
			if (state.vector === generalProtection && this.#core.segmentOf(record) === stackSegment)
				state.vector = stackFault;
			return undefined;
		}
		this.#fill(state.tlb, low, high, translation);
		return translation;
	}

	/** Makes an entry of a translation; false where it does not lead to RAM. */
	#fill(tlb: number, low: number, high: number, translation: Translation): boolean {
		const {page, isWritable} = translation;
		this.#core.begin();
		const place = this.memory.placeOf(page);
		if (place < 0 || this.watched?.hasPage(low, high) === true) return false;
		this.#core.state.tlbMisses++;
		this.#noteLarge(translation, low, high);
		const at = entryAt(tlb, low, high);
		const entries = this.#entries;
		if (!translation.isGlobal && entries[at + tlbEntry.isListed / 4] !== mark) {
			(tlb === supervisorTlb ? this.#local : this.#space.local).push(at);
			entries[at + tlbEntry.isListed / 4] = mark;
		}
		entries[at + tlbEntry.isLocal / 4] = translation.isGlobal ? 0 : mark;
		const pageLow = low & ~0xfff;
		const mayWrite = isWritable && !this.code.hasCode(place);
		if (mayWrite) {
			this.memory.journal?.keep(place);
			this.memory.stamp(place);
			if (this.#writable.length < maxWritable) this.#writable.push(at);
		}
		entries[at + tlbEntry.readPage / 4] = pageLow;
		entries[at + tlbEntry.readPage / 4 + 1] = high;
		entries[at + tlbEntry.writePage / 4] = mayWrite ? pageLow : -1;
		entries[at + tlbEntry.writePage / 4 + 1] = mayWrite ? high : -1;
		// The place less the address.
		const difference = (place >>> 0) - (pageLow >>> 0);
		entries[at + tlbEntry.addend / 4] = difference;
		entries[at + tlbEntry.addend / 4 + 1] = Math.floor(place / 2 ** 32) - high - (difference < 0 ? 1 : 0);
		return true;
	}

	/** Keeps in mind that a page is large: whoever names any address of it means all of it. */
	#noteLarge({sizeBits}: Translation, low: number, high: number): void {
		if (sizeBits === 12) return;
		const number = largePage(low, high, sizeBits);
		const slot = (low >>> sizeBits) & (recentLarge - 1);
		if (this.#recentLarge[slot] === number) return;
		if (this.#large.size >= maxLarge) this.flush();
		this.#large.add(number);
		this.#recentLarge[slot] = number;
	}

	#canonical(high: number): boolean {
		return this.mode.levels < 4 || isCanonical(high, this.mode.levels);
	}

	#translated(low: number, high: number, kind: Access['kind'], isUser: boolean): Translation | undefined {
		const state = this.#core.state;
		if (!this.#canonical(high)) {
			state.vector = generalProtection;
			state.errorCode = 0;
			return undefined;
		}
		const acIsSet = this.#isLifted();
		const result = walk(this.memory, this.mode, {kind, isUser, acIsSet}, low, high);
		if (typeof result !== 'number') return result;
		state.vector = pageFault;
		state.errorCode = result;
		state.cr2 = (BigInt(high >>> 0) << 32n) | BigInt(low >>> 0);
		return undefined;
	}

	/** Exchanges at once. A device gets the write: nobody else writes there meanwhile. */
	#exchangeAligned(page: number, offset: number, bytes: number, record: number): number {
		const place = this.memory.placeOf(page);
		const [value, expected] = [this.#transferView.getBigUint64(0, true), this.#transferView.getBigUint64(8, true)];
		if (place < 0) {
			this.#performOnDevice(page + offset, 0, bytes, AccessKind.write);
			return 0;
		}
		const found = this.memory.compareExchange(place + offset, bytes, expected, value);
		this.#transferView.setBigUint64(8, found, true);
		if (found === expected) this.code.written(place + offset, bytes, record);
		return 0;
	}

	/** Exchanges what no atomic operation can, while no other processor executes code. */
	#exchangeApart(
		first: Translation,
		second: Translation,
		offset: number,
		inPage: number,
		bytes: number,
		record: number,
	): number {
		const value = this.#transfer.slice(0, bytes);
		const expected = this.#transfer.slice(8, 8 + bytes);
		this.exclusively(() => {
			const both = (kind: number) => {
				this.#perform(first, offset, 0, inPage, kind, record);
				if (bytes > inPage) this.#perform(second, 0, inPage, bytes - inPage, kind, record);
			};
			both(AccessKind.read);
			const found = this.#transfer.slice(0, bytes);
			if (Buffer.compare(found, expected) === 0) {
				this.#transfer.set(value);
				both(AccessKind.write);
			}
			this.#transfer.set(found, 8);
		});
		return 0;
	}

	/** Does a part of an access that lies in one page, on the bytes of `transfer` from `from` on. */
	#perform({page}: Translation, offset: number, from: number, bytes: number, kind: number, record: number): number {
		const at = this.memory.placeOf(page);
		if (at < 0) this.#performOnDevice(page + offset, from, bytes, kind);
		else if (kind === AccessKind.write) {
			this.memory.write(at + offset, this.#transfer.subarray(from, from + bytes));
			this.code.written(at + offset, bytes, record);
		} else this.memory.read(at + offset, bytes, this.#transfer.subarray(from, from + bytes));
		return 0;
	}

	/** In parts of at most four bytes, lowest address first, as KVM has accesses served. */
	#performOnDevice(gpa: number, from: number, bytes: number, kind: number): void {
		for (let done = 0; done < bytes; ) {
			const left = bytes - done;
			const part = left >= 4 ? 4 : left >= 2 ? 2 : 1;
			const at = from + done;
			if (kind === AccessKind.write) {
				this.devices.write(gpa + done, part, littleEndian(this.#transferView, at, part));
			} else {
				const value = this.devices.read(gpa + done, part);
				for (let index = 0; index < part; index++) this.#transfer[at + index] = value >>> (index * 8);
			}
			done += part;
		}
	}

	#readByte(gpa: number): number {
		const page = this.memory.page(gpa - (gpa % 4096));
		return page === undefined ? this.devices.read(gpa, 1) & 0xff : (page[gpa % 4096] as number);
	}

	#writeByte(gpa: number, value: number): void {
		const start = gpa - (gpa % 4096);
		const place = this.memory.placeOf(start);
		if (place < 0) this.devices.write(gpa, 1, value);
		else {
			this.memory.write(place + (gpa % 4096), Uint8Array.of(value));
			this.code.written(place + (gpa % 4096), 1, this.#core.carriedOut);
		}
	}
}

function littleEndian(view: DataView, at: number, bytes: 1 | 2 | 4): number {
	if (bytes === 4) return view.getUint32(at, true);
	return bytes === 2 ? view.getUint16(at, true) : view.getUint8(at);
}
