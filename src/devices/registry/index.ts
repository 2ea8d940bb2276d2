export {deviceModels, findDeviceModel} from './registry.ts';
