import {deviceType} from '#devices/device-type';
import {pciConfig, pciConfigKind} from './device.ts';

/** The configuration ports as machines have them. */
export const pciConfigType = deviceType({
	...pciConfig,
	kind: pciConfigKind,
	summary: 'The ports of PCI configuration, and the reset control register',
	configure: () => ({}),
});
