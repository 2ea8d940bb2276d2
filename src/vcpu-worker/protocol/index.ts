export type {StopReason} from './stop-reason.ts';
export {VcpuControl, type VcpuControlView} from './vcpu-control.ts';
