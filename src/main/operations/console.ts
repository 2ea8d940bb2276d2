import {integer, text} from './kinds.ts';
import {operation} from './operation.ts';

/** Bytes of one call at most. */
export const mostConsoleBytes = 4096;

export const feedConsole = operation({
	name: 'feed-console',
	help: 'type into the console',
	params: {
		bytes: {kind: text(Math.ceil(mostConsoleBytes / 3) * 4), placeholder: 'BYTES', help: 'what is typed, in Base64'},
	},
	result: '`taken`, how many of them: the others are to be offered again',
	socketOnly: true,
	run: async (vm, {bytes}) => ({taken: await vm.feedConsole(Buffer.from(bytes, 'base64'))}),
});

/** A size of a terminal has 16 bits on each side (Linux, `struct winsize`; virtio 1.2, 5.3.6.2). */
const characters = (placeholder: string) =>
	({kind: integer(1, 0xffff), placeholder, help: 'so many characters'}) as const;

export const resizeConsole = operation({
	name: 'resize-console',
	help: 'tell the guest how large the terminal at its console is',
	params: {columns: characters('COLUMNS'), rows: characters('ROWS')},
	result: '`told`: false where the console is a serial port, which cannot tell it',
	socketOnly: true,
	run: async (vm, {columns, rows}) => ({told: await vm.resizeConsole(columns, rows)}),
});
