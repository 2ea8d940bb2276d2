import {deviceType} from '#devices/device-type';
import {i8042Kind, type MoveMouse, type PressKey} from './handle.ts';
import {i8042} from './model.ts';

/** The keyboard controller as machines have it. */
export const i8042Type = deviceType({
	...i8042,
	kind: i8042Kind,
	summary: 'The keyboard controller, with a keyboard and a mouse',
	configure: () => ({}),
	commands: [
		{kind: 'press-key', usage: 4, down: true} satisfies PressKey,
		{kind: 'move-mouse', move: {dx: 1, dy: -1, buttons: 1}} satisfies MoveMouse,
	],
});
