import {deviceType} from '#devices/device-type';
import {serialBinding} from '#devices/serial-backends';
import {invalidValue, parseNumber} from '#support/options';
import {debugcon, debugconKind} from './device.ts';

const flag = 'debugcon';
const lastPort = 0xffff;

/** The debug console as machines have it. */
export const debugconType = deviceType({
	...debugcon,
	kind: debugconKind,
	summary: 'A port that prints every byte written to it',
	options: {
		port: {type: 'number', min: 0, max: lastPort, example: 0xe9, help: 'the port'},
		backend: {
			type: serialBinding,
			default: {kind: 'none'},
			example: {kind: 'stderr'},
			host: true,
			help: 'where the bytes go',
		},
	},
	terminal: ({backend}) => (backend.kind === 'console' ? {takesInput: false} : undefined),
	flags: {
		rows: [
			{
				name: flag,
				value: 'PORT,SERIAL',
				help: 'an I/O port that prints every byte written to it, for example 0xe9,stderr',
			},
		],
		devices: (given) =>
			given(flag)
				.slice(-1)
				.map((text) => {
					const comma = text.indexOf(',');
					const expected = 'PORT,SERIAL, for example 0xe9,stderr; SERIAL is as for --com1';
					if (comma < 0) throw invalidValue(`--${flag}`, text, expected);
					const port = parseNumber(text.slice(0, comma), `--${flag} port`, 0, lastPort);
					return {options: {port, backend: serialBinding.parse(text.slice(comma + 1), `--${flag}`)}};
				}),
	},
});
