import {join} from 'node:path';
import {configError} from '#main/config';
import {entryFiles, findMachine, hasEnded} from '#main/control';
import {parseNumber} from '#support/options';
import {bytesOf, LogReader} from './console-log.ts';
import {cliError} from './errors.ts';
import {statusOfSignal} from './exit-status.ts';
import {Output} from './output.ts';
import type {FlagValues} from './parse.ts';

/** More lines than any log has. */
const mostLines = 1_000_000;

/** `openvmm logs NAME`. @throws VmmError CLI_*, CONFIG_*, CONTROL_* */
export async function printLog(name: string, flags: FlagValues<string>): Promise<number> {
	const lines = readLines(flags);
	const since = flags.last('since');
	const from = since === undefined ? 0 : parseMoment(since, '--since', Date.now());
	const machine = await findMachine(name);
	if (machine.record.about.hasConsole === false) throw cliError('CLI_NO_CONSOLE', {name: machine.name});
	const log = new LogReader(join(machine.folder, entryFiles.console));
	const output = new Output(1);
	try {
		const before = log.take().filter(({at}) => at >= from);
		let failed = await output.write(bytesOf(before, lines));
		// Behind its end there may be something that it has said before.
		for (let isOver = !flags.has('follow'); !isOver && failed === undefined; ) {
			await log.changed();
			isOver = await hasEnded(machine);
			failed = await output.write(bytesOf(log.take()));
		}
		return failed === undefined ? 0 : statusOfSignal('SIGPIPE');
	} finally {
		output.close();
		log.close();
	}
}

/** The lines of `--tail`; `all`, and without it, means every one. @throws CONFIG_NUMBER_RANGE, CONFIG_VALUE_INVALID */
export function readLines(flags: FlagValues<string>, usual = Number.POSITIVE_INFINITY): number {
	const tail = flags.last('tail');
	if (tail === undefined) return usual;
	return tail === 'all' ? Number.POSITIVE_INFINITY : parseNumber(tail, '--tail', 0, mostLines);
}

const unitMs: Readonly<Record<string, number>> = {s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000};

/** A moment, or how long ago it was: `10m`, `2024-05-01T12:00:00Z`. @returns milliseconds since 1970 */
export function parseMoment(text: string, option: string, now: number): number {
	const [, count, unit = 's'] = /^(\d{1,9})([smhd]?)$/.exec(text) ?? [];
	if (count !== undefined) return now - Number(count) * (unitMs[unit === '' ? 's' : unit] ?? 0);
	const moment = Date.parse(text);
	if (Number.isNaN(moment)) {
		const expected = 'how long ago, such as 90s, 10m, 2h or 1d, or a moment such as 2026-01-31T12:00:00Z';
		throw configError('CONFIG_VALUE_INVALID', {option, value: text, expected});
	}
	return moment;
}
