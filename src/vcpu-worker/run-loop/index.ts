export {type Parked, runVcpu, takeCommands, type VcpuContext} from './run-vcpu.ts';
