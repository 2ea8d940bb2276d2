import type {FieldsView} from '#support/wire';
import type {Pit8254Fields} from './state.ts';

/** The fields of one counter, and the bits that they have: a saved state may hold more. */
const perCounter = {
	control: 0x3f,
	count: 0x1_ffff,
	reload: 0x1_ffff,
	pending: 0x03,
	held: 0xff,
	expired: 0xff,
	writesMsb: 0xff,
	readsMsb: 0xff,
	lsb: 0xff,
	countLatched: 0xff,
	countLatch: 0xffff,
	statusLatched: 0xff,
	statusLatch: 0xff,
} as const satisfies Partial<Record<keyof Pit8254Fields, number>>;
type PerCounter = keyof typeof perCounter;

const origins = ['origin0', 'origin1', 'origin2'] as const;

/** Number of a counter. */
export type CounterIndex = 0 | 1 | 2;

/** One counter's part of the shared state. */
export type CounterView = Record<PerCounter | 'origin', number>;

/** Picks counter `index` out of the arrays; the view holds no values of its own. */
export function counterView(state: FieldsView<Pit8254Fields>, index: CounterIndex): CounterView {
	const view = {};
	for (const [name, bits] of Object.entries(perCounter)) {
		const array = state[name as PerCounter];
		const set = (value: number) => {
			array[index] = value;
		};
		Object.defineProperty(view, name, {get: () => (array[index] as number) & bits, set});
	}
	const origin = origins[index];
	const set = (value: number) => {
		state[origin] = value;
	};
	Object.defineProperty(view, 'origin', {get: () => state[origin], set});
	return view as CounterView;
}
