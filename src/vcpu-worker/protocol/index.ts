export type {StopReason} from './stop-reason.ts';
export {VcpuCommand, VcpuControl, type VcpuControlPlace, type VcpuControlView} from './vcpu-control.ts';
export {type VcpuShared, vcpuShared, vcpuSharedBytes} from './vcpu-shared.ts';
