import {callOf, type FuncOf, type Int, i32, type ModuleBuilder} from '#support/wasm';
import {CpuState, Stop, tlbEntry, Walked} from '#vcpu-worker/software/state';
import {buildWalk, setPageFault} from './build-walk.ts';
import {AccessKind, entryOf, type Imports} from './guest-access.ts';

const pageBytes = 4096;
const widths = [8, 16, 32, 64] as const;
const transfer = CpuState.offset('transfer');

/**
 * Builds the function that does an access which the TLB does not serve, by an entry that a walk gives, or leaves it with the walk's page fault. All
 * others it has `access` do: those of two pages, of devices, of pages that hold code, and exchanges.
 */
export function buildWalkingAccess(
	module: ModuleBuilder,
	{state, ram, access}: Pick<Imports, 'state' | 'ram' | 'access'>,
): FuncOf<'i32'> {
	// Makes an entry: address, and what the walk has given, in halves. Returns 0 where it makes none.
	const fill = module.importFunction('fill', {parameters: ['i32', 'i32', 'i32', 'i32'], result: 'i32'});
	const walk = buildWalk(module, state, ram);
	const func = module.function({parameters: ['i64', 'i32', 'i32', 'i32'], result: 'i32'});
	const f = func.body;
	const [address, width, kind, record] = f.parameters;
	const halves = (value: Int<'i64'>) => [value.toI32(), value.shrU(32).toI32()] as const;
	f.block((other) => {
		const inPage = address.toI32().and(pageBytes - 1);
		f.brIf(other, kind.eq(AccessKind.compareExchange).or(inPage.add(width.shrU(3)).gtU(pageBytes)));
		const walked = f.let(callOf(walk, address, kind.ne(AccessKind.read)));
		f.brIf(other, walked.isZero());
		f.if(walked.toI32().and(Walked.found).isZero(), () => {
			setPageFault(f, state, address, walked);
			f.return(i32(Stop.fault));
		});
		f.brIf(other, callOf(fill, ...halves(address), ...halves(walked)).isZero());
		const entry = f.let(entryOf(address, state.load('i32', 32, i32(0), CpuState.offset('tlb'))));
		const page = kind.eq(AccessKind.read).select(i32(tlbEntry.readPage), i32(tlbEntry.writePage));
		f.brIf(other, state.load('i64', 64, entry.add(page)).ne(address.and(~0xfffn)));
		const place = f.let(address.add(state.load('i64', 64, entry, tlbEntry.addend)));
		f.if(
			kind.eq(AccessKind.write),
			() => {
				for (const each of widths)
					f.if(width.eq(each), () => f.store(ram, each, place, 0, state.load('i64', each, i32(0), transfer)));
				f.if(width.eq(128), () => f.storeVector(ram, place, 0, state.loadVector(i32(0), transfer)));
			},
			() => {
				for (const each of widths)
					f.if(width.eq(each), () => f.store(state, each, i32(0), transfer, ram.load('i64', each, place)));
				f.if(width.eq(128), () => f.storeVector(state, i32(0), transfer, ram.loadVector(place)));
			},
		);
		f.return(i32(0));
	});
	f.return(callOf(access, ...halves(address), width, kind, record));
	return func;
}
