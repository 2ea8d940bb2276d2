export {describeDevices, guestWatchdogName, pmName} from './describe-devices.ts';
export {describeOwnDevices, deviceModuleUrls} from './describe-own-devices.ts';
export {generationIdName, newGeneration, randomGenerationId} from './generation.ts';
