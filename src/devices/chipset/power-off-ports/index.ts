export {
	knownPowerOffPorts,
	type PowerOffPort,
	type PowerOffPortsConfig,
	powerOffPorts,
	powerOffPortsKind,
} from './device.ts';
export {powerOffPortsType} from './device-type.ts';
