import {Msr, type ProcessorRegisters, type RegisterChanges} from '#vcpu-worker/registers';
import {MpState} from './constants.ts';
import {getMsrs, setMsrs} from './msrs.ts';
import type {KvmVcpu} from './vcpu.ts';
import {getXsave, setXsave} from './vcpu-state.ts';

/**
 * Parts of an XSAVE area in the standard format, which is KVM's (Intel SDM vol. 1, 13.4 and 13.5). A part whose bits are not in
 * XSTATE_BV is in its initial state, which is zeros for AVX.
 */
const parts = {
	fxsave: {start: 0, end: 512, bits: 0b011},
	ymmHigh: {start: 576, end: 832, bits: 0b100},
} as const;
const xstateBv = 512;

/** Reads what a debugger shows. The vCPU is stopped and its last exit complete. */
export function readRegisters(vcpu: KvmVcpu, xsaveSize: number): ProcessorRegisters {
	const xsave = getXsave(vcpu.fd, xsaveSize);
	return {
		general: vcpu.getGeneral(),
		special: vcpu.getSpecial(),
		fxsave: xsave.slice(parts.fxsave.start, parts.fxsave.end),
		ymmHigh: ymmHigh(xsave),
		kernelGsBase: getMsrs(vcpu.fd, [Msr.IA32_KERNEL_GS_BASE]).done[0]?.data ?? 0n,
		activity: activity(vcpu.getMpState()),
	};
}

/** Writes registers. @throws KVM_IOCTL_FAILED for values that no processor can hold */
export function writeRegisters(vcpu: KvmVcpu, changes: RegisterChanges, xsaveSize: number): void {
	const {general, special, kernelGsBase} = changes;
	if (special !== undefined) vcpu.setSpecial(special);
	if (general !== undefined) vcpu.setGeneral(general);
	if (kernelGsBase !== undefined) setMsrs(vcpu.fd, [{index: Msr.IA32_KERNEL_GS_BASE, data: kernelGsBase}]);
	for (const name of ['fxsave', 'ymmHigh'] as const) {
		const {[name]: bytes} = changes;
		if (bytes === undefined) continue;
		const {start, end, bits} = parts[name];
		const area = getXsave(vcpu.fd, xsaveSize);
		area.set(bytes.subarray(0, end - start), start);
		area[xstateBv] = (area[xstateBv] ?? 0) | bits;
		setXsave(vcpu.fd, area, xsaveSize);
	}
}

function ymmHigh(xsave: Uint8Array): Uint8Array {
	const {start, end, bits} = parts.ymmHigh;
	return ((xsave[xstateBv] ?? 0) & bits) === 0 ? new Uint8Array(end - start) : xsave.slice(start, end);
}

function activity(mpState: number): ProcessorRegisters['activity'] {
	if (mpState === MpState.RUNNABLE) return 'running';
	return mpState === MpState.HALTED ? 'halted' : 'waiting for start-up';
}
