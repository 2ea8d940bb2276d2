import type {IrqchipOption} from '#main/config';
import type {DebugSupport} from '#vcpu-worker/debug';
import {kvmKind, probeDebug} from '#vcpu-worker/kvm';

/** Name of a back end that a machine's guest can run on. The fake executes programs of `#test/guest-program` only. */
export type BackEndName = 'fake' | X86BackEnd;

/** Those whose guests are x86 machine code, and so anything. */
export type X86BackEnd = (typeof x86BackEnds)[number];

/** For tests whose guest is not a program: a stock kernel, the embedded guest. */
export const x86BackEnds = ['kvm', 'software'] as const;

/** For tests whose guest is a program. */
export const everyBackEnd = ['fake', ...x86BackEnds] as const;

/** Back end of this run's machines; unit tests are on the fake. Set by the pipeline that runs tests on others. */
export const backEndHere: BackEndName = (process.env['OPENVMM_TEST_ON'] ?? 'fake') as BackEndName;

/** Choices of interrupt controllers here: the software processor has no kernel that could have them. */
export const irqchipsHere: readonly IrqchipOption[] = backEndHere === 'software' ? ['split'] : ['kernel', 'split'];

/** Supervisor code of a stock kernel needs instructions that one kind of KVM emulates without (guide, "Hosts"). */
export const runsStockKernels = (): boolean => backEndHere !== 'kvm' || kvmKind() !== 'pvm';

/** Tells how a debugger stops guests here. Asked by tests that name {@link x86BackEnds}. */
export function debugSupportHere(): DebugSupport {
	switch (backEndHere) {
		case 'kvm':
			return probeDebug();
		case 'software':
			return {software: true, hardware: true};
		case 'fake':
			throw new TypeError('no guest of a fake is debugged by breakpoints of a processor');
	}
}
