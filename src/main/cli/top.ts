import {parseSymbolFile} from '#main/config';
import {connectMachine} from '#main/control';
import {readSymbolFiles} from '#main/symbols';
import {type ScreenSize, tables, topLines, WatchedMachine} from '#main/top';
import {isVmmError} from '#support/errors';
import {parseNumber} from '#support/options';
import {type CommandWords, chooseMachine} from './choose-machine.ts';
import {cliError} from './errors.ts';
import {print} from './print.ts';

/** What is not on a terminal has no end. */
const page: ScreenSize = {rows: 100, columns: 1000};

/** A second screen of the terminal, without a cursor (xterm, "ctlseqs": DECSET 1049 and 25); and back. */
const [enter, leave] = ['\x1b[?1049h\x1b[?25l', '\x1b[?25h\x1b[?1049l'];
/** To the first place; to the end of a line and of the screen is erased. */
const [home, eraseLine, eraseBelow] = ['\x1b[H', '\x1b[K', '\x1b[J'];

/** `openvmm top NAME`. @throws VmmError CLI_…, CONFIG_…, CONTROL_…, SYMBOLS_… */
export async function top(line: CommandWords): Promise<number> {
	const {flags} = line;
	const interval = flags.last('interval');
	const timeMs = interval === undefined ? 1000 : parseNumber(interval, '--interval', 1, 60) * 1000;
	const given = readSymbolFiles(flags.all('symbols').map((text) => parseSymbolFile(text, '--symbols')));
	const help = 'openvmm top --help';
	const {machine: chosen, words} = chooseMachine(line, help);
	const [tooMany] = words;
	if (tooMany !== undefined) throw cliError('CLI_ARGUMENT_TOO_MANY', {argument: tooMany, help});
	const client = await connectMachine(chosen);
	try {
		const machine = new WatchedMachine(client, tables, given);
		if (flags.has('once') || !process.stdout.isTTY) {
			print(1, `${topLines(await machine.look(timeMs), tables, page).join('\n')}\n`);
			return 0;
		}
		await refresh(machine, timeMs);
		return 0;
	} finally {
		client.close();
	}
}

/** Shows a machine until Ctrl-C, or until it is over. */
async function refresh(machine: WatchedMachine, timeMs: number): Promise<void> {
	const {stdout} = process;
	const stopped = Promise.withResolvers<'stop'>();
	const stop = () => stopped.resolve('stop');
	const signals = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;
	for (const signal of signals) process.on(signal, stop);
	print(1, enter);
	try {
		for (;;) {
			const looking = machine.look(timeMs);
			// One that is still under way when it is stopped loses its connection.
			looking.catch(() => {});
			const view = await Promise.race([looking, stopped.promise]);
			if (view === 'stop') return;
			// A serial line does not say how large its screen is.
			const lines = topLines(view, tables, {rows: (stdout.rows || 25) - 1, columns: stdout.columns || 80});
			print(1, `${home}${lines.map((line) => `${line}${eraseLine}\r\n`).join('')}${eraseBelow}`);
		}
	} catch (error) {
		if (!isVmmError(error, 'CONTROL_CONNECTION_LOST')) throw error;
	} finally {
		print(1, leave);
		for (const signal of signals) process.off(signal, stop);
	}
}
