export {hostNowNs, VmTime, VmTimeState} from './vm-time.ts';
