import type {SavedField, SavedFields, StateVersions} from '#support/saved-state';
import {timerCount} from './registers.ts';

/** Version 1 had the timers' fields with their numbers, and numbers of 64 bits as halves. */
export const hpetVersions: StateVersions = {version: 2, upgrade};

/** Fields of a timer that had the same names. */
const kept = ['from', 'owed', 'ticks', 'dropped', 'lastTick', 'config', 'fsbValue', 'fsbAddress', 'setsHigh'];
const split = ['comparator', 'period'];

function upgrade(old: SavedFields): SavedFields {
	const fields = new Map(Object.entries(old));
	const take = (name: string): SavedField => {
		const value = fields.get(name);
		fields.delete(name);
		return value ?? '';
	};
	const takeHalves = (name: string, index = '') => joined(take(`${name}Low${index}`), take(`${name}High${index}`));
	const counter = takeHalves('counter');
	const timers = Array.from({length: timerCount}, (_, index) =>
		Object.fromEntries([
			...kept.map((name) => [name, take(`${name}${index}`)]),
			...split.map((name) => [name, takeHalves(name, `${index}`)]),
		]),
	);
	return {...Object.fromEntries(fields), counter, timers};
}

/** As text of 64 bits; of what were no halves, text that is refused. */
const joined = (low: SavedField, high: SavedField): string =>
	isHalf(low) && isHalf(high) ? `0x${high.toString(16)}${low.toString(16).padStart(8, '0')}` : '';

const isHalf = (value: SavedField): value is number =>
	typeof value === 'number' && Number.isInteger(value) && value >= 0 && value < 2 ** 32;
