import {deviceType} from '#devices/device-type';
import {pvpanicKind, pvpanicPort} from './handle.ts';
import {pvpanic} from './model.ts';

/** The panic port as machines have it. */
export const pvpanicType = deviceType({
	...pvpanic,
	kind: pvpanicKind,
	summary: 'The port through which a guest reports its panic',
	configure: () => ({port: pvpanicPort}),
});
