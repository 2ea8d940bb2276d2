import {text} from './kinds.ts';
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
