import {Feature, Status} from './registers.ts';
import type {VirtioState} from './state.ts';

/** Words for what a driver is doing, by the first of these bits that its status has. */
const doings: readonly (readonly [bit: number, word: string])[] = [
	[Status.NEEDS_RESET, 'has broken the rules and has to reset it'],
	[Status.FAILED, 'has given it up'],
	[Status.DRIVER_OK, 'uses it'],
	[Status.FEATURES_OK | Status.DRIVER | Status.ACKNOWLEDGE, 'sets it up'],
];

/** Says what the driver does, and which features it has accepted, by name where one is known. */
export function virtioWords(
	features: Readonly<Record<string, number>>,
	own?: (state: never, config: never) => Readonly<Record<string, string>>,
) {
	const known = Object.entries<number>({...Feature, ...features});
	const names = new Map(known.map(([name, bit]) => [bit, name.toLowerCase()]));
	return (whole: object, config: unknown): Readonly<Record<string, string>> => {
		const state = whole as Pick<VirtioState, 'virtio.status' | 'virtio.features'>;
		const [, driver = 'is not there'] = doings.find(([bit]) => (state['virtio.status'] & bit) !== 0) ?? [];
		const accepted = Array.from(state['virtio.features'], (word, index) => {
			const bits = Array.from({length: 32}, (_, bit) => bit).filter((bit) => (word >>> bit) & 1);
			return bits.map((bit) => names.get(32 * index + bit) ?? `${32 * index + bit}`);
		}).flat();
		return {driver, features: accepted.join(' ') || 'none', ...own?.(whole as never, config as never)};
	};
}
