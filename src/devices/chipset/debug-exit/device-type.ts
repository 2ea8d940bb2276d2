import {deviceType} from '#devices/device-type';
import {parseNumber} from '#support/options';
import {debugExit, debugExitKind} from './device.ts';

const lastPort = 0xffff;

/** The port as machines have it. */
export const debugExitType = deviceType({
	...debugExit,
	kind: debugExitKind,
	summary: 'A port through which the guest ends the process',
	options: {port: {type: 'number', min: 0, max: lastPort, example: 0xf4, help: 'the first of its four ports'}},
	flags: {
		rows: [
			{
				name: 'debug-exit',
				value: 'PORT',
				help: 'an I/O port that ends openvmm: a write of v gives status (v<<1)|1',
			},
		],
		devices: (given) =>
			given('debug-exit')
				.slice(-1)
				.map((text) => ({options: {port: parseNumber(text, '--debug-exit', 0, lastPort)}})),
	},
});
