import {deviceType} from '#devices/device-type';
import {pciConfigKind} from './handle.ts';
import {pciConfig} from './model.ts';

/** The configuration ports as machines have them. */
export const pciConfigType = deviceType({
	...pciConfig,
	kind: pciConfigKind,
	summary: 'The ports of PCI configuration, and the reset control register',
	configure: () => ({}),
});
