export {attachMachine, type HostedMachine, type MachineHandle} from './attach-machine.ts';
export {kicker, type VcpuHandle} from './vcpu-handle.ts';
