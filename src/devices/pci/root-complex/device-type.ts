import {deviceType} from '#devices/device-type';
import {bytesPerBus, rootComplexKind} from './handle.ts';
import {rootComplex} from './model.ts';

const mib = 2 ** 20;

/** Root complexes as machines have them. */
export const rootComplexType = deviceType({
	...rootComplex,
	kind: rootComplexKind,
	summary: 'A PCI Express root complex',
	machineOnly: {
		example: {
			segment: 0,
			startBus: 0,
			endBus: 15,
			ecam: {gpa: 0x1_4000_0000, length: 16 * bytesPerBus},
			lowMmio: {gpa: 0xe000_0000, length: 64 * mib},
			highMmio: {gpa: 0x40_0000_0000, length: 2 ** 30},
			ports: {base: 0x1000, length: 0xf000},
			preserveBars: false,
		},
	},
});
