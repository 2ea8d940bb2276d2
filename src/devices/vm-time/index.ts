export {VmTime, VmTimeState} from './vm-time.ts';
