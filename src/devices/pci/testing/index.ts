export {probe, probeEndpoint} from './probe-endpoint.ts';
export {
	complexOf,
	configPorts,
	PciTestMachine,
	probeOf,
	rootPortOf,
	switchOf,
	testComplex,
	usualDevices,
} from './test-machine.ts';
export {WorkedMachine} from './worked-machine.ts';
