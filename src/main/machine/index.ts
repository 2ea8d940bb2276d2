export {describeDevices} from './describe-devices.ts';
export {describeOwnDevices, deviceModuleUrls} from './describe-own-devices.ts';
