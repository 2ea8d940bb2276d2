import {randomInt} from 'node:crypto';

/** Words that say what a machine's name may be. */
export const nameExpected = 'at most 64 letters, digits, dots, dashes and underscores, a letter first';

/** A name that cannot be taken for a process id, nor lead out of a folder. */
export const isMachineName = (text: string): boolean => /^[a-z_][\w.-]{0,63}$/i.test(text);

const qualities = [
	...['able', 'amber', 'blue', 'bold', 'brave', 'brisk', 'calm', 'clear', 'clever', 'cool', 'crisp', 'deep', 'eager'],
	...['early', 'fair', 'fast', 'fine', 'fresh', 'gentle', 'glad', 'golden', 'green', 'happy', 'honest', 'keen', 'kind'],
	...['light', 'lucky', 'merry', 'mild', 'neat', 'noble', 'plain', 'proud', 'quick', 'quiet', 'rapid', 'ready', 'red'],
	...['royal', 'sharp', 'shiny', 'silent', 'simple', 'solid', 'steady', 'still', 'strong', 'sunny', 'tidy', 'warm'],
];
const things = [
	...['acorn', 'badger', 'beacon', 'birch', 'brook', 'canyon', 'cedar', 'cliff', 'cloud', 'comet', 'coral', 'crane'],
	...['delta', 'dune', 'eagle', 'ember', 'falcon', 'fern', 'finch', 'forest', 'fox', 'garden', 'glacier', 'harbor'],
	...['hawk', 'heron', 'hill', 'island', 'lagoon', 'lake', 'lark', 'maple', 'meadow', 'mesa', 'moon', 'oak', 'otter'],
	...['owl', 'pebble', 'pine', 'planet', 'reef', 'river', 'robin', 'spruce', 'star', 'stone', 'stream', 'valley'],
];

/** Makes up a name of two words. @param attempt - from 0; later ones have a number too, since all pairs may be taken */
export function madeUpName(attempt: number): string {
	const pair = `${qualities[randomInt(qualities.length)]}-${things[randomInt(things.length)]}`;
	return attempt < 8 ? pair : `${pair}-${randomInt(1_000_000)}`;
}
