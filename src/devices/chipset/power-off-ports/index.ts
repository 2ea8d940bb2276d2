export {powerOffPortsType} from './device-type.ts';
export {knownPowerOffPorts, type PowerOffPort, type PowerOffPortsConfig, powerOffPortsKind} from './handle.ts';
export {powerOffPorts} from './model.ts';
