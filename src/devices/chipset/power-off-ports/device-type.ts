import {deviceType} from '#devices/device-type';
import {knownPowerOffPorts, powerOffPorts, powerOffPortsKind} from './device.ts';

/** The ports as machines have them. */
export const powerOffPortsType = deviceType({
	...powerOffPorts,
	kind: powerOffPortsKind,
	summary: 'Ports by which small kernels power off other machines',
	configure: () => ({ports: knownPowerOffPorts}),
});
