import {hex64, readFields, type SavedFields, type StateVersions} from '#support/saved-state';
import {f64, type Scalar, u8, u32, wire} from '#support/wire';
import {timerCount} from './registers.ts';

/** Version 1 had the timers' fields with their numbers, and numbers of 64 bits as halves. */
export const hpetVersions: StateVersions = {version: 2, upgrade};

/** Fields of a timer that had the same names. */
const kept = {
	config: u32,
	setsHigh: u8,
	fsbValue: u32,
	fsbAddress: u32,
	from: f64,
	owed: f64,
	ticks: f64,
	dropped: f64,
	lastTick: f64,
};
const split = {comparatorLow: u32, comparatorHigh: u32, periodLow: u32, periodHigh: u32};
const general = {general: u8, status: u8, pulses: u8, highLatched: u8, highLatch: u32};
const halves = {counterLow: u32, counterHigh: u32};

const timers = Array.from({length: timerCount}, (_, index) => index);
const numbered = timers.flatMap((index) =>
	Object.entries({...kept, ...split}).map(([name, field]) => [`${name}${index}`, field] as const),
);
const HpetVersion1 = wire('hpet', {
	...general,
	...halves,
	...(Object.fromEntries(numbered) as Readonly<Record<string, Scalar<'u8' | 'u32' | 'f64'>>>),
});

function upgrade(fields: SavedFields): SavedFields {
	const old: Readonly<Record<string, number>> = readFields(HpetVersion1, fields);
	const number = (name: string) => old[name] as number;
	const named = (names: object, index = '') =>
		Object.fromEntries(Object.keys(names).map((name) => [name, number(`${name}${index}`)]));
	const wide = (name: string, index = '') =>
		hex64.save((BigInt(number(`${name}High${index}`)) << 32n) | BigInt(number(`${name}Low${index}`)));
	return {
		...named(general),
		counter: wide('counter'),
		timers: timers.map((index) => ({
			...named(kept, `${index}`),
			comparator: wide('comparator', `${index}`),
			period: wide('period', `${index}`),
		})),
	};
}
