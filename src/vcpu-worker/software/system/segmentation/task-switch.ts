import {
	Attribute,
	applyMode,
	Cr0,
	Cr4,
	CS,
	Flag,
	flagsOf,
	GuestFault,
	generalProtection,
	isPresent,
	isSystem,
	SS,
	SystemType,
	setFlags,
	typeOf,
	Vector,
} from '#vcpu-worker/software/system/registers';
import {FarStack} from './far-stack.ts';
import {readSystem} from './inner-stack.ts';
import type {InterruptParts} from './interrupt-parts.ts';
import {enterVirtual} from './virtual-mode.ts';

/** What switches tasks: an interrupt does as a call does (SDM volume 3, 8.3). */
export type SwitchCause = 'jump' | 'call' | 'return';

const [LDTR, TR] = [6, 7];
/** DR6 tells of a task whose T bit is set; DR7's breakpoints of a task are L0 to L3 and LE (SDM volume 3, 18.2). */
const taskDebug = 0x8000n;
const localBreakpoints = 0x155n;
const busy = 2;
const tableIndicator = 4;
/** Segment registers by their numbers, as a TSS has their selectors. */
const segmentNames = ['ES', 'CS', 'SS', 'DS', 'FS', 'GS'] as const;

/** Offsets in a TSS (SDM volume 3, figures 8-2 and 8-10). */
interface TaskLayout {
	readonly bytes: 2 | 4;
	/** Least limit. */
	readonly leastLimit: number;
	readonly instructionPointer: number;
	readonly flags: number;
	readonly general: number;
	/** Selectors, of ES first; those of 16 bits have no FS and GS. */
	readonly segments: number;
	readonly segmentCount: number;
	readonly localTable: number;
	readonly pageTables?: number;
	readonly trap?: number;
}

const wide: TaskLayout = {
	...{bytes: 4, leastLimit: 0x67, instructionPointer: 0x20, flags: 0x24, general: 0x28},
	...{segments: 0x48, segmentCount: 6, localTable: 0x60, pageTables: 0x1c, trap: 0x64},
};
const narrow: TaskLayout = {
	...{bytes: 2, leastLimit: 0x2b, instructionPointer: 0xe, flags: 0x10, general: 0x12},
	...{segments: 0x22, segmentCount: 4, localTable: 0x2a},
};

const layoutOf = (attributes: number): TaskLayout => ((attributes & 8) === 0 ? narrow : wide);

/** The state of a task as its TSS has it. */
interface SavedTask {
	readonly instructionPointer: bigint;
	readonly flags: number;
	readonly general: readonly bigint[];
	readonly segments: readonly number[];
	readonly localTable: number;
	readonly pageTables: bigint | undefined;
	readonly isTrapped: boolean;
}

function readTask(parts: InterruptParts, base: bigint, layout: TaskLayout): SavedTask {
	const {bytes} = layout;
	const read = (offset: number, width: number = bytes) => readSystem(parts, base + BigInt(offset), width);
	// General registers of 16 bits leave open what is above: it is set, as on processors that there are.
	const upper = bytes === 2 ? 0xffff_0000n : 0n;
	return {
		instructionPointer: read(layout.instructionPointer),
		flags: Number(read(layout.flags)),
		general: Array.from({length: 8}, (_, index) => read(layout.general + index * bytes) | upper),
		segments: segmentNames.map((_, index) =>
			index < layout.segmentCount ? Number(read(layout.segments + index * bytes, 2)) : 0,
		),
		localTable: Number(read(layout.localTable, 2)),
		pageTables: layout.pageTables === undefined ? undefined : read(layout.pageTables),
		isTrapped: layout.trap !== undefined && (read(layout.trap, 2) & 1n) === 1n,
	};
}

/** Saves the state of the task that is left; RIP is where it goes on. */
function saveTask({core, mmu}: InterruptParts, base: bigint, layout: TaskLayout, flags: number): void {
	const {state} = core;
	const {bytes} = layout;
	const write = (offset: number, value: bigint, width: number = bytes) => {
		// The whole TSS was tried before.
		mmu.writeSystem(base + BigInt(offset), width, BigInt.asUintN(width * 8, value));
	};
	write(layout.instructionPointer, state.rip);
	write(layout.flags, BigInt(flags));
	for (let index = 0; index < 8; index++) write(layout.general + index * bytes, state.general[index] as bigint);
	for (let index = 0; index < layout.segmentCount; index++)
		write(layout.segments + index * bytes, BigInt(state.segments[index]?.selector ?? 0), 2);
}

/** The TSS that a switch leads to. @throws GuestFault where it is none */
function targetTask({segments}: InterruptParts, selector: number, cause: SwitchCause) {
	const vector = cause === 'return' ? Vector.invalidTss : Vector.generalProtection;
	const index = selector & ~3;
	if ((selector & tableIndicator) !== 0) throw new GuestFault(vector, index);
	const {descriptor, place} = segments.readSystem(selector, vector);
	const [narrowType, wideType] =
		cause === 'return'
			? [SystemType.busyTss16, SystemType.busyTss]
			: [SystemType.availableTss16, SystemType.availableTss];
	const type = typeOf(descriptor);
	if (!isSystem(descriptor) || (type !== narrowType && type !== wideType)) throw new GuestFault(vector, index);
	if (!isPresent(descriptor)) throw new GuestFault(Vector.segmentNotPresent, index);
	const layout = layoutOf(descriptor.attributes);
	if (descriptor.limit < layout.leastLimit) throw new GuestFault(Vector.invalidTss, index);
	return {descriptor, place, layout};
}

/**
 * Leaves a task for another, whose TSS the selector names (SDM volume 3, 8.3).
 * @param errorCode - of the exception that switches
 * @throws GuestFault with nothing changed, or one of the new task's
 */
export function switchTask(parts: InterruptParts, selector: number, cause: SwitchCause, errorCode?: number): void {
	const {core, mmu, segments} = parts;
	const {state} = core;
	const target = targetTask(parts, selector, cause);
	const {base} = target.descriptor;
	const saved = readTask(parts, base, target.layout);
	const {base: oldBase = 0n, attributes = 0, selector: oldSelector = 0} = state.segments[TR] ?? {};
	const oldLayout = layoutOf(attributes);
	const isWritable = (at: bigint, bytes: number) => mmu.canWrite(at, bytes, false);
	const oldPlace = segments.taskPlace(oldSelector);
	if (!isWritable(oldBase, oldLayout.leastLimit + 1) || !isWritable(base, 2) || !isWritable(target.place, 8))
		throw new GuestFault(state.vector, state.errorCode);
	if (cause !== 'call' && oldPlace !== undefined) segments.setBusy(oldPlace, false);
	const flags = flagsOf(state);
	saveTask(parts, oldBase, oldLayout, cause === 'return' ? flags & ~Flag.NT : flags);
	if (cause === 'call') mmu.writeSystem(base, 2, BigInt(oldSelector));
	segments.setBusy(target.place, true);
	const {descriptor} = target;
	segments.set(TR, selector, {...descriptor, attributes: descriptor.attributes | busy});
	state.cr0 |= BigInt(Cr0.TS);
	state.debug[7] = (state.debug[7] as bigint) & ~localBreakpoints;
	parts.debug.apply();
	try {
		loadTask(parts, saved, cause === 'call');
		if (errorCode !== undefined) {
			const stack = new FarStack(parts, target.layout.bytes);
			stack.push(BigInt(errorCode));
			stack.commit();
		}
		if (state.rip > BigInt(state.segments[CS]?.limit ?? 0)) throw generalProtection();
		if (saved.isTrapped) {
			state.debug[6] = (state.debug[6] as bigint) | taskDebug;
			throw new GuestFault(Vector.debug);
		}
	} catch (error) {
		applyMode(core, mmu);
		throw error instanceof GuestFault ? error.ofNewTask() : error;
	}
}

/** Loads the state of a task: registers first, so that what is wrong with segments is an exception of its own (SDM volume 3, table 8-1). */
function loadTask(parts: InterruptParts, task: SavedTask, isNested: boolean): void {
	const {core, mmu, segments} = parts;
	const {state} = core;
	state.rip = task.instructionPointer;
	for (const [index, value] of task.general.entries()) state.general[index] = value;
	setFlags(state, (task.flags & Flag.all) | (isNested ? Flag.NT : 0));
	const isVirtual = (task.flags & Flag.VM) !== 0;
	const privilege = (task.segments[CS] ?? 0) & 3;
	// Until they are loaded segments are not there, but the privilege is the new one's.
	for (const [index, selector] of task.segments.entries())
		segments.set(index, selector, {base: 0n, limit: 0, attributes: index === CS ? privilege << Attribute.dplShift : 0});
	segments.set(LDTR, task.localTable, {base: 0n, limit: 0, attributes: 0});
	if (task.pageTables !== undefined && Number(state.cr0) >= Cr0.PG) {
		const isPae = (Number(state.cr4) & Cr4.PAE) !== 0;
		state.cr3 = task.pageTables;
		applyMode(core, mmu);
		mmu.flushLocal();
		if (isPae && mmu.hasReservedPointers(Number(task.pageTables & 0xffff_ffe0n))) throw generalProtection();
	}
	segments.loadLdt(task.localTable, Vector.invalidTss);
	if (isVirtual) {
		enterVirtual(parts, task.segments);
		return;
	}
	segments.loadCode(
		task.segments[CS] ?? 0,
		privilege,
		({attributes}) => {
			const isConforming = (attributes & Attribute.conforming) !== 0;
			const dpl = (attributes >> Attribute.dplShift) & 3;
			if (isConforming ? dpl > privilege : dpl !== privilege)
				throw new GuestFault(Vector.invalidTss, (task.segments[CS] ?? 0) & ~3);
		},
		Vector.invalidTss,
	);
	applyMode(core, mmu);
	for (const segment of [SS, 0, 3, 4, 5]) segments.load(segment, task.segments[segment] ?? 0, Vector.invalidTss);
	applyMode(core, mmu);
}
