import type {GeneralRegisters, SpecialRegisters} from '#devices/processor';
import {optional, record, stateError, wholeNumber, yesOrNo} from '#support/saved-state';
import type {CpuidEntry} from '#vcpu-worker/cpuid';
import {Msr, msrName} from '#vcpu-worker/registers';
import {Feature} from '#vcpu-worker/software/decode';
import type {LocalApic} from '#vcpu-worker/software/local-apic';
import {Component} from '#vcpu-worker/software/state';
import {componentsOf, isXcr0, type Processor, saveImage, takeImage} from '#vcpu-worker/software/system';
import {type Activity, componentsInUse, type VcpuState, vcpuError} from '#vcpu-worker/state';
import type {TimeStampCounter} from './counter.ts';
import {softwareKind} from './handles.ts';
import type {KvmInterface} from './kvm-interface.ts';

/** What this back end keeps beside what every processor has; what earlier programs did not save is optional. */
const extension = record({errors: wholeNumber(0xff), unhalted: optional(yesOrNo)});

/** Parts of a processor that have its state. */
export interface VcpuParts {
	readonly processor: Processor;
	readonly apic: LocalApic;
	readonly counter: TimeStampCounter;
	readonly kvm: KvmInterface;
	/** But for HLT. */
	activity: Activity;
	readonly nmiIsPending: boolean;
	/** The next HLT ends at once. */
	isUnhalted: boolean;
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
	const msrs = new Map([...processor.msrs.changed(), ...vcpu.kvm.save()]);
	if (saved.deadline !== 0n) msrs.set(Msr.IA32_TSC_DEADLINE, saved.deadline);
	return {
		cpuid,
		general: vcpu.readGeneral(),
		special: vcpu.readSpecial(),
		xcr0: processor.features.has(Feature.xsave) ? state.xcr0 : undefined,
		vector: {
			components: componentsOf(processor.features),
			image: saveImage(processor.core, componentsOf(processor.features)),
		},
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
		extension: {
			kind: softwareKind,
			data: extension.save({errors: saved.errors ?? 0, unhalted: vcpu.isUnhalted || undefined}),
		},
	};
}

/**
 * Gives a processor a state, perhaps of another back end's.
 * @param shift - how far the first processor's counter moved
 * @returns how far this one's has
 * @throws VmmError
 */
export function restoreState(vcpu: VcpuParts, saved: VcpuState, shift?: bigint): bigint {
	const {xcr0 = Component.x87} = saved;
	if (!isXcr0(xcr0, vcpu.processor.features)) throw stateError('STATE_FIELD_WRONG', {struct: 'vcpu', field: 'xcr0'});
	const {processor, counter} = vcpu;
	const {state} = processor.core;
	vcpu.writeSpecial(saved.special);
	vcpu.writeGeneral(saved.general);
	const {dr0, dr1, dr2, dr3, dr6, dr7} = saved.debug;
	for (const [index, value] of [dr0, dr1, dr2, dr3, 0n, 0n, dr6, dr7].entries()) state.debug[index] = value;
	takeImage(processor.core, saved.vector.image, componentsInUse(saved.vector.image));
	state.xcr0 = xcr0;
	const before = counter.offset;
	counter.set(saved.clock.khz, saved.clock.counter);
	// The others keep their distance from the first.
	const change = shift ?? BigInt.asIntN(64, counter.offset - before);
	if (shift !== undefined) counter.move(BigInt.asIntN(64, before + shift - counter.offset));
	const refused = [...saved.msrs].filter(([index, value]) => !takesMsr(vcpu, index, value));
	if (refused.length > 0) throw vcpuError('VCPU_MSR_REFUSED', {msrs: refused.map(([index]) => msrName(index))});
	const {errors = 0, unhalted = false} =
		saved.extension?.kind === softwareKind ? extension.parse(saved.extension.data, 'vcpu.extension') : {};
	vcpu.apic.restore({
		page: saved.apic,
		base: saved.special.apicBase,
		deadline: saved.msrs.get(Msr.IA32_TSC_DEADLINE) ?? 0n,
		errors,
	});
	processor.isShadowed = saved.events.shadow.sti || saved.events.shadow.movSs;
	processor.interrupts.isNmiBlocked = saved.events.nmi.masked;
	if (saved.events.nmi.pending > 0 || saved.events.nmi.injected) vcpu.nmi();
	vcpu.activity = saved.activity === 'halted' ? 'running' : saved.activity;
	processor.isHalted = saved.activity === 'halted';
	vcpu.isUnhalted = unhalted;
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
