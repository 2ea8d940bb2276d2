export {runVcpu, type VcpuContext} from './run-vcpu.ts';
