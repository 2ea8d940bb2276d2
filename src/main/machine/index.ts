export {describeDevices} from './describe-devices.ts';
