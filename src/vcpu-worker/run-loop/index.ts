export {type Parked, runVcpu, type VcpuContext} from './run-vcpu.ts';
