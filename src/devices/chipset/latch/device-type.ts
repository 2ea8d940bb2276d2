import {deviceType} from '#devices/device-type';
import {latch, latchKind} from './device.ts';

/** The register as tests and benchmarks ask for it. */
export const latchType = deviceType({
	...latch,
	kind: latchKind,
	summary: 'A register for tests and benchmarks',
	options: {port: {type: 'number', min: 0, max: 0xfffc, example: 0x500, help: 'the first of its four ports'}},
});
