export {type LoadedTypes, loadDeviceModels} from './device-modules.ts';
export {DeviceRegistry, deviceRegistry, findDeviceModel} from './registry.ts';
