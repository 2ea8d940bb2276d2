import type {StructView} from '#support/shared-memory';
import type {Pit8254Fields} from './state.ts';

const perCounter = [
	'control',
	'count',
	'reload',
	'pending',
	'held',
	'expired',
	'writesMsb',
	'readsMsb',
	'lsb',
	'countLatched',
	'countLatch',
	'statusLatched',
	'statusLatch',
] as const satisfies readonly (keyof Pit8254Fields)[];

const origins = ['origin0', 'origin1', 'origin2'] as const;

/** Number of a counter. */
export type CounterIndex = 0 | 1 | 2;

/** One counter's part of the shared state. */
export type CounterView = Record<(typeof perCounter)[number] | 'origin', number>;

/** Picks counter `index` out of the arrays; the view holds no values of its own. */
export function counterView(state: StructView<Pit8254Fields>, index: CounterIndex): CounterView {
	const view = {};
	for (const name of perCounter) {
		const array = state[name];
		const set = (value: number) => {
			array[index] = value;
		};
		Object.defineProperty(view, name, {get: () => array[index], set});
	}
	const origin = origins[index];
	const set = (value: number) => {
		state[origin] = value;
	};
	Object.defineProperty(view, 'origin', {get: () => state[origin], set});
	return view as CounterView;
}
