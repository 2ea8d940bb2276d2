export {ApicMachine, type RegisterName, read, send, write} from './apic-machine.ts';
