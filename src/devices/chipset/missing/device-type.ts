import {deviceType} from '#devices/device-type';
import {missingKind} from './handle.ts';
import {missingPorts} from './known-ports.ts';
import {missing} from './model.ts';

/** The missing hardware as machines have it. */
export const missingType = deviceType({
	...missing,
	kind: missingKind,
	summary: 'Ports of hardware that is not there, which guests are known to look for',
	configure: () => ({ports: missingPorts.map(({name, base, length}) => ({name, base, length}))}),
});
