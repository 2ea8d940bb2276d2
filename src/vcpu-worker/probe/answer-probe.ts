import type {CpuBackend} from '#vcpu-worker/hypervisor';
import {type CpuReport, probeState, VcpuProbe, type VcpuProbeView} from './vcpu-probe.ts';

const stateWord = VcpuProbe.word('state');

/** The vCPU's thread: the processor's registers and what else its back end knows. Not while the guest runs. */
export const reportCpu = (cpu: CpuBackend): CpuReport => ({
	registers: {...cpu.readGeneral(), ...cpu.readSpecial()},
	...cpu.details(),
});

/** The vCPU's thread: answers when somebody has asked. One load when nobody has. */
export function answerProbe(probe: VcpuProbeView, cpu: CpuBackend): void {
	if (Atomics.load(probe.$atomic, stateWord) !== probeState.asked) return;
	const {written} = new TextEncoder().encodeInto(reportText(cpu), probe.text);
	probe.length = written;
	// Fails when the asker has withdrawn: nobody reads the text then.
	Atomics.compareExchange(probe.$atomic, stateWord, probeState.asked, probeState.answered);
	Atomics.notify(probe.$atomic, stateWord);
}

/** The report as JSON. A failure to read is an answer as well: asking never stops a machine. */
function reportText(cpu: CpuBackend): string {
	try {
		return JSON.stringify(reportCpu(cpu), (_key, value) =>
			typeof value === 'bigint' ? `0x${value.toString(16)}` : value,
		);
	} catch (error) {
		return JSON.stringify({error: String(error)});
	}
}
