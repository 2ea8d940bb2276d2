import {pressed} from '#test/petri';

const rtc = '/sys/class/rtc/rtc0/since_epoch';

/** Shell that tells what the clocks say twice a second, until the power button is pressed. The guest has loaded what hears of it. */
export const ticking: string = [
	`i=0; until ${pressed()}`,
	`do read from <${rtc}; read up rest </proc/uptime; date=$(date +%s); read to <${rtc}`,
	'echo tick $i from $from up $up date $date to $to; i=$((i+1)); sleep 0.5; done',
].join('; ');

/** What a guest's clocks said. */
export interface Tick {
	readonly number: number;
	/** Seconds. */
	readonly uptime: number;
	/** Seconds since 1970, by the kernel's wall clock. */
	readonly date: number;
	/** Seconds since 1970 by the real-time clock, which is the host's, read before and after the others: a busy host may have let much time pass between. */
	readonly from: number;
	readonly to: number;
}

/** The ticks that are whole in what guests have said, one after the other. */
export const ticks = (output: string): readonly Tick[] =>
	[...output.matchAll(/tick (\d+) from (\d+) up ([\d.]+) date (\d+) to (\d+)\r?\n/g)].map((match) => {
		const [number, from, uptime, date, to] = match.slice(1).map(Number) as [number, number, number, number, number];
		return {number, from, uptime, date, to};
	});

/** Least and most seconds that the host's clock was behind the kernel's wall clock at all of these. */
export function aheadOfHost(seen: readonly Tick[]): {readonly least: number; readonly most: number} {
	const least = Math.max(...seen.map(({date, to}) => date - (to + 1)));
	const most = Math.min(...seen.map(({date, from}) => date + 1 - from));
	return {least, most};
}

/** Least and most seconds of the host's between two ticks. */
export const hostBetween = (one: Tick, other: Tick): {readonly least: number; readonly most: number} => ({
	least: other.from - (one.to + 1),
	most: other.to + 1 - one.from,
});
