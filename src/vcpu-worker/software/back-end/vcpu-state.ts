import type {GeneralRegisters, SpecialRegisters} from '#devices/processor';
import {type CpuidEntry, missingNeeds, needsOf} from '#vcpu-worker/cpuid';
import {Msr, msrName} from '#vcpu-worker/registers';
import type {LocalApic} from '#vcpu-worker/software/local-apic';
import type {Processor} from '#vcpu-worker/software/system';
import {saveX87Image, takeX87Image} from '#vcpu-worker/software/x87';
import {type Activity, type VcpuState, vcpuError} from '#vcpu-worker/state';
import type {TimeStampCounter} from './counter.ts';
import {softwareKind} from './handles.ts';
import type {KvmInterface} from './kvm-interface.ts';

/** Places in an XSAVE image (SDM volume 1, 10.5.1 and 13.4). */
const image = {bytes: 576, mxcsr: 24, mxcsrMask: 28, xmm: 160, xstateBv: 512} as const;
/** x87 and SSE. */
const legacyComponents = 0b11n;
/** Registers that all bits can be written to: no DAZ is missing. */
const mxcsrMask = 0xffff;
const ymmLanes = 4;

/** Parts of a processor that have its state. */
export interface VcpuParts {
	readonly processor: Processor;
	readonly apic: LocalApic;
	readonly counter: TimeStampCounter;
	readonly kvm: KvmInterface;
	/** But for HLT. */
	activity: Activity;
	readonly nmiIsPending: boolean;
	nmi(): void;
	readGeneral(): GeneralRegisters;
	writeGeneral(registers: GeneralRegisters): void;
	readSpecial(): SpecialRegisters;
	writeSpecial(registers: SpecialRegisters): void;
}

/** Everything of a processor that a snapshot keeps. It does not run. */
export function saveState(vcpu: VcpuParts, cpuid: readonly CpuidEntry[], counter?: bigint): VcpuState {
	const {processor, apic} = vcpu;
	const {state} = processor.core;
	const saved = apic.save();
	const [dr0 = 0n, dr1 = 0n, dr2 = 0n, dr3 = 0n, , , dr6 = 0n, dr7 = 0n] = state.debug;
	const msrs = new Map([...processor.msrs.values, ...vcpu.kvm.save()]);
	if (saved.deadline !== 0n) msrs.set(Msr.IA32_TSC_DEADLINE, saved.deadline);
	return {
		cpuid,
		general: vcpu.readGeneral(),
		special: vcpu.readSpecial(),
		xcr0: undefined,
		vector: {components: legacyComponents, image: legacyImage(vcpu)},
		debug: {dr0, dr1, dr2, dr3, dr6, dr7},
		msrs,
		apic: saved.page,
		events: {
			exception: undefined,
			interrupt: undefined,
			shadow: {sti: processor.isShadowed, movSs: false},
			nmi: {
				injected: false,
				pending: vcpu.nmiIsPending ? 1 : 0,
				masked: processor.interrupts.isNmiBlocked,
			},
			smm: {active: false, pending: false, insideNmi: false, latchedInit: false},
			startupVector: 0,
		},
		activity: vcpu.activity === 'running' && processor.isHalted ? 'halted' : vcpu.activity,
		clock: {khz: vcpu.counter.khz, counter: counter ?? vcpu.counter.counter()},
		extension: {kind: softwareKind, data: {errors: saved.errors ?? 0}},
	};
}

/**
 * Gives a processor a state, perhaps of another back end's.
 * @param shift - how far the first processor's counter moved
 * @returns how far this one's has
 * @throws VmmError
 */
export function restoreState(vcpu: VcpuParts, cpuid: readonly CpuidEntry[], saved: VcpuState, shift?: bigint): bigint {
	const missing = missingNeeds(needsOf(saved.cpuid), cpuid);
	if (missing.length > 0) throw vcpuError('VCPU_NEEDS_MISSING', {missing});
	const {processor, counter} = vcpu;
	const {state} = processor.core;
	vcpu.writeSpecial(saved.special);
	vcpu.writeGeneral(saved.general);
	const {dr0, dr1, dr2, dr3, dr6, dr7} = saved.debug;
	for (const [index, value] of [dr0, dr1, dr2, dr3, 0n, 0n, dr6, dr7].entries()) state.debug[index] = value;
	takeLegacyImage(vcpu, saved.vector.image);
	const before = counter.offset;
	counter.set(saved.clock.khz, saved.clock.counter);
	// The others keep their distance from the first.
	const change = shift ?? BigInt.asIntN(64, counter.offset - before);
	if (shift !== undefined) counter.move(BigInt.asIntN(64, before + shift - counter.offset));
	const refused = [...saved.msrs].filter(([index, value]) => !takesMsr(vcpu, index, value));
	if (refused.length > 0) throw vcpuError('VCPU_MSR_REFUSED', {msrs: refused.map(([index]) => msrName(index))});
	const errors = saved.extension?.kind === softwareKind ? (saved.extension.data as {errors?: unknown}).errors : 0;
	vcpu.apic.restore({
		page: saved.apic,
		base: saved.special.apicBase,
		deadline: saved.msrs.get(Msr.IA32_TSC_DEADLINE) ?? 0n,
		errors: typeof errors === 'number' ? errors : 0,
	});
	processor.isShadowed = saved.events.shadow.sti || saved.events.shadow.movSs;
	processor.interrupts.isNmiBlocked = saved.events.nmi.masked;
	if (saved.events.nmi.pending > 0 || saved.events.nmi.injected) vcpu.nmi();
	vcpu.activity = saved.activity === 'halted' ? 'running' : saved.activity;
	processor.isHalted = saved.activity === 'halted';
	processor.changed();
	const {exception, interrupt} = saved.events;
	if (interrupt !== undefined) processor.interrupt(interrupt.vector);
	else if (exception !== undefined) processor.except(exception.vector, exception.errorCode);
	return change;
}

/** True where the processor has the register with this value now, or has none and it says nothing. */
function takesMsr({kvm, processor}: VcpuParts, index: number, value: bigint): boolean {
	if (index === Msr.IA32_TSC_DEADLINE || kvm.restore(index, value)) return true;
	return processor.msrs.restore(index, value) === true || (processor.msrs.read(index) ?? 0n) === value;
}

/** An XSAVE image with what x87 and SSE have (SDM volume 1, 13.4.1). */
function legacyImage({processor}: VcpuParts): Uint8Array {
	const {state} = processor.core;
	const bytes = new Uint8Array(image.bytes);
	const view = new DataView(bytes.buffer);
	saveX87Image(state, view);
	view.setUint32(image.mxcsr, state.mxcsr, true);
	view.setUint32(image.mxcsrMask, mxcsrMask, true);
	for (let lane = 0; lane < 32; lane++)
		view.setBigUint64(image.xmm + lane * 8, state.vector256[(lane >> 1) * ymmLanes + (lane & 1)] as bigint, true);
	view.setBigUint64(image.xstateBv, legacyComponents, true);
	return bytes;
}

/** Takes the x87's and XMM registers as FXSAVE has them, all of them (SDM volume 1, 10.5.1). */
export function takeFxsave(processor: Processor, bytes: Uint8Array): void {
	const whole = new Uint8Array(image.bytes);
	whole.set(bytes.subarray(0, image.xstateBv));
	new DataView(whole.buffer).setBigUint64(image.xstateBv, legacyComponents, true);
	takeLegacyImage({processor}, whole);
}

/** The upper halves of YMM registers, which are there although no instruction has them yet. */
export function readYmmHigh({core}: Processor): Uint8Array {
	const bytes = new Uint8Array(16 * 16);
	const view = new DataView(bytes.buffer);
	for (let half = 0; half < 32; half++)
		view.setBigUint64(half * 8, core.state.vector256[upperLane(half)] as bigint, true);
	return bytes;
}

export function writeYmmHigh({core}: Processor, bytes: Uint8Array): void {
	const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
	for (let half = 0; half < 32; half++) core.state.vector256[upperLane(half)] = view.getBigUint64(half * 8, true);
}

/** Place of a half of an upper half, of the register's four. */
const upperLane = (half: number): number => (half >> 1) * ymmLanes + 2 + (half & 1);

function takeLegacyImage({processor}: Pick<VcpuParts, 'processor'>, bytes: Uint8Array): void {
	const {state} = processor.core;
	const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
	// A component that is missing is as FNINIT leaves it (SDM volume 1, 13.6).
	if ((view.getBigUint64(image.xstateBv, true) & 1n) !== 0n) takeX87Image(state, view);
	else processor.core.x87.registers.initialize();
	const hasSse = (view.getBigUint64(image.xstateBv, true) & 2n) !== 0n;
	state.mxcsr = view.getUint32(image.mxcsr, true) & mxcsrMask;
	for (let lane = 0; lane < 32; lane++)
		state.vector256[(lane >> 1) * ymmLanes + (lane & 1)] = hasSse ? view.getBigUint64(image.xmm + lane * 8, true) : 0n;
}
