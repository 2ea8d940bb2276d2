import {hex64, mapOf, orNone, record} from '#support/saved-state';
import {type CpuidEntry, missingNeeds, needsOf} from '#vcpu-worker/cpuid';
import {Msr as MsrIndex, msrIndex, msrName} from '#vcpu-worker/registers';
import {activities, componentsInUse, type VcpuState, vcpuError} from '#vcpu-worker/state';
import {MpState} from './constants.ts';
import {getMsrs, type Msr} from './msrs.ts';
import {readTsc, restoreTsc} from './tsc.ts';
import type {KvmVcpu} from './vcpu.ts';
import {fromKvmEvents, toKvmEvents} from './vcpu-events.ts';
import {restoreVcpu, type SnapshotOptions, saveVcpu, type VcpuSnapshot} from './vcpu-snapshot.ts';

/**
 * KVM's extension of a processor's state: its counter minus the host's, where that can be told, and registers that are as they were
 * at power-on, of which another back end has its own.
 */
const extension = record({
	tscOffset: orNone(hex64),
	untouched: mapOf({name: msrName, parse: msrIndex}, hex64, 4096),
});
const kind = 'kvm';

/** Registers that go on without the guest, which is not shown what they belong to: Hyper-V's interface, and SMIs. */
const countsByItself: ReadonlySet<number> = new Set([
	MsrIndex.HV_X64_MSR_TIME_REF_COUNT,
	MsrIndex.HV_X64_MSR_VP_RUNTIME,
	MsrIndex.MSR_SMI_COUNT,
]);

/** KVM's numbers for what a processor does, in the order of {@link activities}. */
const mpStates: readonly number[] = [
	MpState.RUNNABLE,
	MpState.HALTED,
	MpState.UNINITIALIZED,
	MpState.INIT_RECEIVED,
	MpState.SIPI_RECEIVED,
];

/**
 * Everything of a vCPU that a snapshot keeps. The vCPU is stopped and its last exit complete.
 * @param powerOn - registers as they were then
 */
export function readVcpuState(
	vcpu: KvmVcpu,
	options: SnapshotOptions,
	powerOn: readonly Msr[],
	savedCounter?: bigint,
): VcpuState {
	const {general, special, xcrs, xsave, debug, msrs, lapic, events, mpState} = saveVcpu(vcpu, options);
	const {khz, value, offset} = readTsc(vcpu.fd);
	const cpuid = vcpu.getCpuid();
	const before = new Map(powerOn.map(({index, data}) => [index, data]));
	const isUntouched = ({index, data}: Msr) => before.get(index) === data || countsByItself.has(index);
	const byIndex = (some: readonly Msr[]) => new Map(some.map(({index, data}) => [index, data]));
	const [dr0 = 0n, dr1 = 0n, dr2 = 0n, dr3 = 0n] = debug.db;
	return {
		cpuid,
		general,
		special,
		xcr0: xcrs.find(({xcr}) => xcr === 0)?.value,
		vector: {components: componentsOf(cpuid) | componentsInUse(xsave), image: xsave},
		debug: {dr0, dr1, dr2, dr3, dr6: debug.dr6, dr7: debug.dr7},
		msrs: byIndex(msrs.filter((msr) => !isUntouched(msr))),
		apic: lapic,
		events: fromKvmEvents(events),
		activity: activities[mpStates.indexOf(mpState)] ?? 'running',
		clock: {khz, counter: savedCounter ?? value},
		extension: {kind, data: extension.save({tscOffset: offset, untouched: byIndex(msrs.filter(isUntouched))})},
	};
}

/**
 * Gives a vCPU that has not run yet a state from another process, perhaps of another host or another back end.
 * @param shift - see {@link restoreTsc}, which gives what this returns
 * @throws VCPU_NEEDS_MISSING, VCPU_COUNTER_FREQUENCY, VCPU_MSR_REFUSED, STATE_FIELD_WRONG, KVM_IOCTL_FAILED
 */
export function writeVcpuState(vcpu: KvmVcpu, state: VcpuState, options: SnapshotOptions, shift?: bigint): bigint {
	const {cpuid, clock} = state;
	const missing = missingNeeds(needsOf(cpuid), options.cpuid);
	if (missing.length > 0) throw vcpuError('VCPU_NEEDS_MISSING', {missing});
	const own = state.extension?.kind === kind ? extension.parse(state.extension.data, 'vcpu.extension') : undefined;
	vcpu.setCpuid(cpuid);
	// The APIC timer's deadline is a value of the counter.
	const change = restoreTsc(vcpu.fd, {khz: clock.khz, value: clock.counter, offset: own?.tscOffset}, shift);
	const snapshot = toSnapshot({...state, msrs: new Map([...(own?.untouched ?? []), ...state.msrs])});
	const refused = restoreVcpu(vcpu, snapshot, options);
	checkRefused(vcpu, snapshot.msrs, refused);
	return change;
}

function toSnapshot({general, special, xcr0, vector, debug, msrs, apic, events, activity}: VcpuState): VcpuSnapshot {
	const {dr0, dr1, dr2, dr3, dr6, dr7} = debug;
	return {
		general,
		special,
		xcrs: xcr0 === undefined ? [] : [{xcr: 0, value: xcr0}],
		xsave: vector.image,
		debug: {db: [dr0, dr1, dr2, dr3], dr6, dr7, flags: 0n},
		msrs: [...msrs].map(([index, data]) => ({index, data})),
		lapic: apic,
		events: toKvmEvents(events),
		mpState: mpStates[activities.indexOf(activity)] ?? MpState.RUNNABLE,
	};
}

/** The state components that CPUID leaf D lists; x87 and SSE without it. */
function componentsOf(cpuid: readonly CpuidEntry[]): bigint {
	const xsave = [...needsOf(cpuid).xsave.keys()];
	return xsave.reduce((sum, component) => sum | (1n << BigInt(component)), 0b11n);
}

/** Registers that cannot be written do not matter where they hold the saved value anyway. */
function checkRefused(vcpu: KvmVcpu, saved: readonly Msr[], refused: readonly number[]): void {
	const values = new Map(saved.map(({index, data}) => [index, data]));
	const {done, failed} = getMsrs(vcpu.fd, refused);
	const differ = done.filter(({index, data}) => data !== values.get(index)).map(({index}) => index);
	const msrs = [...differ, ...failed].map(msrName);
	if (msrs.length > 0) throw vcpuError('VCPU_MSR_REFUSED', {msrs});
}
