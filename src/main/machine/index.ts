export {chipsetNames, pmName} from './chipset.ts';
export {
	type DescribedDevices,
	describeComing,
	describeDevices,
	deviceModuleUrls,
	type MachineBirth,
} from './describe-devices.ts';
export {type DeviceTables, deviceTables} from './firmware-tables.ts';
export {generationIdName, newGeneration, randomGenerationId} from './generation.ts';
