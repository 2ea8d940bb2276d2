export {type LoadedModels, loadDeviceModels} from './device-modules.ts';
export {deviceModels, findDeviceModel} from './registry.ts';
