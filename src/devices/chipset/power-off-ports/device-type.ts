import {deviceType} from '#devices/device-type';
import {knownPowerOffPorts, powerOffPortsKind} from './handle.ts';
import {powerOffPorts} from './model.ts';

/** The ports as machines have them. */
export const powerOffPortsType = deviceType({
	...powerOffPorts,
	kind: powerOffPortsKind,
	summary: 'Ports by which small kernels power off other machines',
	configure: () => ({ports: knownPowerOffPorts}),
});
