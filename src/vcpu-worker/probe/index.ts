export {answerProbe, reportCpu} from './answer-probe.ts';
export {ProbeAsker} from './probe-asker.ts';
export {type CpuReport, VcpuProbe, type VcpuProbeView} from './vcpu-probe.ts';
