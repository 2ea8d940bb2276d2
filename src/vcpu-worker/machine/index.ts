export {type AttachOptions, attachMachine, type HostedMachine, type MachineHandle} from './attach-machine.ts';
