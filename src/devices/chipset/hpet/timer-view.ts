import type {FieldsView} from '#support/wire';
import {Config} from './registers.ts';
import type {HpetFields, TimerField} from './state.ts';

/** Number of a timer. */
export type TimerIndex = 0 | 1 | 2;

/** One timer's part of the shared state. */
export type TimerView = Record<TimerField, number>;

const names = [
	'config',
	'comparatorLow',
	'comparatorHigh',
	'periodLow',
	'periodHigh',
	'setsHigh',
	'fsbValue',
	'fsbAddress',
	'from',
	'owed',
	'ticks',
	'dropped',
	'lastTick',
] as const satisfies readonly TimerField[];

/** Picks the fields of timer `index`; the view holds no values of its own. */
export function timerView(state: FieldsView<HpetFields>, index: TimerIndex): TimerView {
	const view = {};
	for (const name of names) {
		const field = `${name}${index}` as const;
		const set = (value: number) => {
			state[field] = value;
		};
		Object.defineProperty(view, name, {get: () => state[field], set});
	}
	return view as TimerView;
}

/** True for a timer that works by level. Messages have no level (Tn_FSB_EN_CNF). */
export const isLevel = ({config}: TimerView): boolean => (config & (Config.LEVEL | Config.FSB)) === Config.LEVEL;

/** True for a timer in periodic mode. */
export const isPeriodic = ({config}: TimerView): boolean => (config & Config.PERIODIC) !== 0;

/** True for a timer that compares only the lower 32 bits. */
export const is32Bit = ({config}: TimerView): boolean => (config & Config.MODE_32) !== 0;

/** True for a timer whose matches interrupt. */
export const interrupts = ({config}: TimerView): boolean => (config & Config.INTERRUPT) !== 0;
