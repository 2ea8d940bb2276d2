import type {ProcessorRegisters, RegisterChanges} from '#vcpu-worker/registers';
import {MpState} from './constants.ts';
import {getMsrs, setMsrs} from './msrs.ts';
import type {KvmVcpu} from './vcpu.ts';
import {getXsave, setXsave} from './vcpu-state.ts';

const kernelGsBaseIndex = 0xc000_0102;
const fxsaveBytes = 512;
/** XSTATE_BV, which parts of an XSAVE area count: bits 0 and 1 for x87 and SSE (Intel SDM vol. 1, 13.4.2). */
const xstateBv = 512;

/** Reads what a debugger shows. The vCPU is stopped and its last exit complete. */
export function readRegisters(vcpu: KvmVcpu, xsaveSize: number): ProcessorRegisters {
	return {
		general: vcpu.getGeneral(),
		special: vcpu.getSpecial(),
		fxsave: getXsave(vcpu.fd, xsaveSize).slice(0, fxsaveBytes),
		kernelGsBase: getMsrs(vcpu.fd, [kernelGsBaseIndex]).done[0]?.data ?? 0n,
		activity: activity(vcpu.getMpState()),
	};
}

/** Writes registers. @throws KVM_IOCTL_FAILED for values that no processor can hold */
export function writeRegisters(vcpu: KvmVcpu, changes: RegisterChanges, xsaveSize: number): void {
	const {general, special, fxsave, kernelGsBase} = changes;
	if (special !== undefined) vcpu.setSpecial(special);
	if (general !== undefined) vcpu.setGeneral(general);
	if (kernelGsBase !== undefined) setMsrs(vcpu.fd, [{index: kernelGsBaseIndex, data: kernelGsBase}]);
	if (fxsave !== undefined) {
		const area = getXsave(vcpu.fd, xsaveSize).slice();
		area.set(fxsave.subarray(0, fxsaveBytes));
		area[xstateBv] = (area[xstateBv] ?? 0) | 0b11;
		setXsave(vcpu.fd, area, xsaveSize);
	}
}

function activity(mpState: number): ProcessorRegisters['activity'] {
	if (mpState === MpState.RUNNABLE) return 'running';
	return mpState === MpState.HALTED ? 'halted' : 'waiting for start-up';
}
