export {describeFunctions, type PciFunctionInspection} from './describe.ts';
export {PciFabric} from './pci-fabric.ts';
export {checkPlaces, type DescribedDevice, intxInput, rootInput} from './places.ts';
export {
	connect,
	type FabricBus,
	type FabricComplex,
	type FabricFunction,
	functionsOf,
	type PlacedFunction,
} from './topology.ts';
