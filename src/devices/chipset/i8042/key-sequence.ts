import {pause, printScreen, setThreeCodes, setTwoCodes} from './keys.ts';
import {breakPrefix, toSetOne} from './translation.ts';

const extended = 0xe0;

/** Pause sends everything when it is pressed; Print Screen brings a Shift along (Keyboard Scan Code Specification). */
const setTwoSpecial: Readonly<Record<number, {readonly down: readonly number[]; readonly up: readonly number[]}>> = {
	[printScreen]: {down: [0xe0, 0x12, 0xe0, 0x7c], up: [0xe0, 0xf0, 0x7c, 0xe0, 0xf0, 0x12]},
	[pause]: {down: [0xe1, 0x14, 0x77, 0xe1, 0xf0, 0x14, 0xf0, 0x77], up: []},
};

/** Gives the bytes that the keyboard sends in scan code set `set` when the key with HID usage ID `usage` goes down or up. */
export function keySequence(usage: number, down: boolean, set: number): readonly number[] {
	if (set === 3) return setThree(usage, down);
	const sequence = setTwo(usage, down);
	return set === 1 ? toSetOne(sequence) : sequence;
}

function setTwo(usage: number, down: boolean): readonly number[] {
	const special = setTwoSpecial[usage];
	if (special !== undefined) return down ? special.down : special.up;
	const code = setTwoCodes.get(usage);
	if (code === undefined) return [];
	return [...(code > 0xff ? [extended] : []), ...(down ? [] : [breakPrefix]), code & 0xff];
}

function setThree(usage: number, down: boolean): readonly number[] {
	const code = setThreeCodes.get(usage);
	if (code === undefined) return [];
	return down ? [code] : [breakPrefix, code];
}
