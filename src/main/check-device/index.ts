export {type CheckResult, checkDevice} from './check-device.ts';
