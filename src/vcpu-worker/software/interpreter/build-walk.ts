import {
	callOf,
	type FuncOf,
	type FunctionBuilder,
	type Int,
	i32,
	i64,
	type Memory,
	type ModuleBuilder,
} from '#support/wasm';
import {
	CpuState,
	PageFault,
	physicalAddressBits,
	RamPart,
	TableEntry,
	tlbBytes,
	Walked,
	WalkRule,
	walkedParts,
} from '#vcpu-worker/software/state';

const {present, write, user, accessed, dirty, large, global} = TableEntry;
/** Where the index of the last table is in a linear address, and that of the largest pages. */
const lastShift = 12;
const largestShift = 30;
/** Bits of an index, and of an address that a table has in its entries. */
const indexBits = 9;
const addressBits = (1n << BigInt(physicalAddressBits)) - 0x1000n;
/** Bit 12 of a large page's entry is PAT; those above are the address. */
const beforeAddress = ~0x1fffn;

/** Builds the function that finds the place in RAM of a physical address; -1 where it is none. */
function buildPlaceOf(module: ModuleBuilder, state: Memory<'i32'>): FuncOf<'i64'> {
	const func = module.function({parameters: ['i64'], result: 'i64'});
	const f = func.body;
	const [address] = f.parameters;
	for (let part = 0; part < walkedParts; part++) {
		const field = (name: 'begin' | 'bytes' | 'place') =>
			state.load('i64', 64, i32(0), CpuState.offset('ram') + part * RamPart.size + RamPart.offset(name));
		const offset = f.let(address.sub(field('begin')));
		f.if(offset.ltU(field('bytes')), () => f.return(offset.add(field('place'))));
	}
	f.return(i64(-1));
	return func;
}

/**
 * Builds the function that walks tables of four or five levels for a load or a store of the present mode: its linear address, 1 for a store. It
 * gives what `Walked` says, and does what `mmu/page-walk.ts` says, whose it leaves all that is rare: reserved bits, bits to be set in entries,
 * tables that are no RAM.
 */
export function buildWalk(module: ModuleBuilder, state: Memory<'i32'>, ram: Memory<'i64'>): FuncOf<'i64'> {
	const placeOf = buildPlaceOf(module, state);
	const func = module.function({parameters: ['i64', 'i32'], result: 'i64'});
	const f = func.body;
	const [address, isWrite] = f.parameters;
	const word = (name: 'walkShift' | 'walkRules' | 'tlb' | 'userTlb') =>
		state.load('i32', 32, i32(0), CpuState.offset(name));
	const wide = (name: 'walkRoot' | 'walkReserved') => state.load('i64', 64, i32(0), CpuState.offset(name));
	const isOther = (condition: Int<'i32'>) => f.if(condition, () => f.return(i64(0)));
	const has = (bits: Int<'i64'>, bit: number) => bits.and(BigInt(bit)).ne(0n);
	const rules = f.let(word('walkRules'));
	const isRule = (rule: number) => rules.and(rule).ne(0);
	const shift = f.let(word('walkShift').toI64U());
	isOther(shift.isZero());
	isOther(isCanonical(address, shift).isZero());
	const isUser = f.let(word('tlb').eq(word('userTlb')));
	const isLifted = word('tlb').eq(word('userTlb').add(tlbBytes));
	const fault = (bits: number) => {
		const code = isWrite
			.mul(PageFault.write)
			.or(isUser.mul(PageFault.user))
			.or(bits | Walked.faulted);
		f.return(code.toI64U());
	};
	const table = f.let(wide('walkRoot'));
	const rights = f.let(i64(-1));
	f.loop((again) => {
		const index = address.shrU(shift).and(BigInt((1 << indexBits) - 1));
		const place = f.let(callOf(placeOf, table.add(index.shl(3))));
		isOther(place.eq(-1n));
		const entry = f.let(ram.atomicLoad('i64', 64, place));
		f.if(has(entry, present).isZero(), () => fault(0));
		isOther(entry.and(wide('walkReserved')).ne(0n));
		f.set(rights, rights.and(entry));
		f.if(shift.ne(BigInt(lastShift)).and(has(entry, large).isZero()), () => {
			isOther(has(entry, accessed).isZero());
			f.set(table, entry.and(addressBits));
			f.set(shift, shift.sub(BigInt(indexBits)));
			f.br(again);
		});
		isOther(shift.gtU(BigInt(largestShift)));
		const inPage = f.let(i64(1).shl(shift).sub(1n));
		isOther(entry.and(inPage).and(beforeAddress).ne(0n));
		const isUsers = f.let(has(rights, user));
		const mayWrite = f.let(has(rights, write).or(isUser.or(isRule(WalkRule.protectsSupervisor)).isZero()));
		const mayRead = isUser.select(isUsers, isRule(WalkRule.smap).and(isUsers).and(isLifted.isZero()).isZero());
		f.if(mayRead.and(mayWrite.or(isWrite.isZero())).isZero(), () => fault(PageFault.present));
		isOther(has(entry, accessed).and(has(entry, dirty).or(isWrite.isZero())).isZero());
		const base = entry.and(addressBits).and(inPage.xor(-1n));
		const page = base.or(address.and(inPage).and(~0xfffn));
		const isWritable = mayWrite.and(has(entry, dirty)).mul(Walked.writable);
		const isGlobal = isRule(WalkRule.global).and(has(entry, global)).mul(Walked.global);
		const more = shift.toI32().or(isWritable).or(isGlobal).or(Walked.found);
		f.return(page.or(more.toI64U()));
	});
	f.unreachable();
	return func;
}

/** An address whose highest bits are its sign, which is above the index of the first table (SDM volume 1, 3.3.7.1). */
function isCanonical(address: Int<'i64'>, firstShift: Int<'i64'>): Int<'i32'> {
	const unused = i64(64 - indexBits).sub(firstShift);
	return address.shl(unused).shrS(unused).eq(address);
}

/** Leaves with a page fault of an address. */
export function setPageFault(f: FunctionBuilder, state: Memory<'i32'>, address: Int<'i64'>, walked: Int<'i64'>): void {
	const pageFault = 14;
	f.store(state, 32, i32(0), CpuState.offset('vector'), i32(pageFault));
	f.store(state, 32, i32(0), CpuState.offset('errorCode'), walked.toI32().and(~Walked.faulted));
	f.store(state, 64, i32(0), CpuState.offset('cr2'), address);
}
