import test from 'ava';
import {keySequence} from './key-sequence.ts';
import {pause, printScreen, setThreeCodes, setTwoCodes} from './keys.ts';
import {makeI8042} from './testing/make-i8042.ts';
import {toSetOne, translate} from './translation.ts';

const [keyA, keyUp, keyF7, keyEnter] = [0x04, 0x52, 0x40, 0x28];

/** With both ports enabled, no interrupts, and the translation on or off. */
function make({translated}: {translated: boolean}) {
	const made = makeI8042();
	made.command(0x60, translated ? 0x44 : 0x04);
	const press = (usage: number, down = true) => {
		made.input.pressKey(usage, down);
		return made.drain();
	};
	return {...made, press};
}

test("Linux's atkbd: identify, set defaults, lights, repeat rate, enable", (t) => {
	const {keyboard} = make({translated: true});
	t.deepEqual(keyboard(0xf2), [0xfa, 0xab, 0x41], 'the translation turns 0x83 into 0x41');
	t.deepEqual(keyboard(0xf5), [0xfa]);
	t.deepEqual(keyboard(0xed, 0x00), [0xfa, 0xfa]);
	t.deepEqual(keyboard(0xf3, 0x00), [0xfa, 0xfa]);
	t.deepEqual(keyboard(0xf4), [0xfa]);
	t.deepEqual(keyboard(0xff), [0xfa, 0xaa]);
});

test('commands have their effects in the state', (t) => {
	const {device, keyboard} = make({translated: false});
	t.deepEqual(keyboard(0xf2), [0xfa, 0xab, 0x83]);
	t.deepEqual(keyboard(0xed, 0x05, 0xf3, 0x20, 0xf0, 0x03), new Array(6).fill(0xfa));
	const {state} = device;
	t.deepEqual([state.keyboardLeds, state.keyboardTypematic, state.keyboardSet], [5, 0x20, 3]);
	t.deepEqual(keyboard(0xf6), [0xfa]);
	t.deepEqual([state.keyboardLeds, state.keyboardTypematic, state.keyboardSet], [5, 0x2b, 2]);
	t.deepEqual(keyboard(0xff), [0xfa, 0xaa]);
	t.is(state.keyboardLeds, 0);
});

test('scan code sets are selected and told', (t) => {
	const {keyboard, press} = make({translated: false});
	t.deepEqual(keyboard(0xf0, 0x00), [0xfa, 0xfa, 2]);
	t.deepEqual(
		[press(keyUp), press(keyUp, false)],
		[
			[0xe0, 0x75],
			[0xe0, 0xf0, 0x75],
		],
	);
	t.deepEqual(keyboard(0xf0, 0x01, 0xf0, 0x00), [0xfa, 0xfa, 0xfa, 0xfa, 1]);
	t.deepEqual(
		[press(keyUp), press(keyUp, false)],
		[
			[0xe0, 0x48],
			[0xe0, 0xc8],
		],
	);
	t.deepEqual(keyboard(0xf0, 0x03, 0xf0, 0x00), [0xfa, 0xfa, 0xfa, 0xfa, 3]);
	t.deepEqual([press(keyUp), press(keyUp, false)], [[0x63], [0xf0, 0x63]]);
	t.deepEqual(keyboard(0xf0, 0x04), [0xfa, 0xfe]);
});

test('what the keyboard does not know it wants again, and it repeats on request', (t) => {
	const {keyboard} = make({translated: false});
	t.deepEqual(keyboard(0xfe), [0xaa], 'the self-test at power-on');
	t.deepEqual(keyboard(0x12, 0xef, 0xf1), [0xfe, 0xfe, 0xfe]);
	t.deepEqual(keyboard(0xf2, 0xfe, 0xfe), [0xfa, 0xab, 0x83, 0x83, 0x83]);
	t.deepEqual(keyboard(0xee), [0xee]);
});

test('settings of keys in set 3 are taken, with a list of keys where there is one', (t) => {
	const {keyboard} = make({translated: false});
	t.deepEqual(keyboard(0xf7, 0xf8, 0xf9, 0xfa), [0xfa, 0xfa, 0xfa, 0xfa]);
	for (const code of [0xfb, 0xfc, 0xfd]) t.deepEqual(keyboard(code, 0x1c, 0x32), [0xfa, 0xfa, 0xfa]);
	t.deepEqual(keyboard(0xf4, 0x1c), [0xfa, 0xfe], 'a command ends the list');
});

test('a command instead of an argument is a command', (t) => {
	const {device, keyboard} = make({translated: false});
	t.deepEqual(keyboard(0xed, 0xf2), [0xfa, 0xfa, 0xab, 0x83]);
	t.deepEqual(keyboard(0x07), [0xfe]);
	t.is(device.state.keyboardLeds, 0);
});

test('without scanning there are no keys, and enabling drops what was typed', (t) => {
	const {device, keyboard, input, command, press} = make({translated: true});
	keyboard(0xf5);
	t.deepEqual(press(keyA), []);
	keyboard(0xf4);
	t.deepEqual(press(keyA), [0x1e]);
	command(0xad);
	t.true(input.pressKey(keyA, true));
	device.out(0x64, 0xae);
	input.pressKey(keyA, false);
	t.deepEqual(keyboard(0xf4), [0x1e, 0xfa], 'what is in the output buffer stays');
});

test('an answer goes ahead of keys, and a new command ends an earlier answer', (t) => {
	const {device, input, drain} = make({translated: true});
	input.pressKey(keyUp, true);
	input.pressKey(keyA, true);
	device.out(0x60, 0xf2);
	t.deepEqual(drain(), [0xe0, 0xfa, 0xab, 0x41, 0x48, 0x1e]);
	device.out(0x60, 0xf2);
	device.out(0x60, 0xee);
	t.deepEqual(drain(), [0xfa, 0xee]);
});

test('the translation makes set 1 of set 2', (t) => {
	const {press} = make({translated: true});
	t.deepEqual([press(keyA), press(keyA, false)], [[0x1e], [0x9e]]);
	t.deepEqual([press(keyEnter), press(keyEnter, false)], [[0x1c], [0x9c]]);
	t.deepEqual([press(keyF7), press(keyF7, false)], [[0x41], [0xc1]]);
	t.deepEqual(
		[press(keyUp), press(keyUp, false)],
		[
			[0xe0, 0x48],
			[0xe0, 0xc8],
		],
	);
	t.deepEqual(press(printScreen), [0xe0, 0x2a, 0xe0, 0x37]);
	t.deepEqual(press(printScreen, false), [0xe0, 0xb7, 0xe0, 0xaa]);
	t.deepEqual(press(pause), [0xe1, 0x1d, 0x45, 0xe1, 0x9d, 0xc5]);
	t.deepEqual(press(pause, false), []);
});

test('without translation set 2 arrives', (t) => {
	const {press} = make({translated: false});
	t.deepEqual([press(keyA), press(keyA, false)], [[0x1c], [0xf0, 0x1c]]);
	t.deepEqual(press(printScreen), [0xe0, 0x12, 0xe0, 0x7c]);
	t.deepEqual(press(printScreen, false), [0xe0, 0xf0, 0x7c, 0xe0, 0xf0, 0x12]);
	t.deepEqual(press(pause), [0xe1, 0x14, 0x77, 0xe1, 0xf0, 0x14, 0xf0, 0x77]);
});

test('the row of letters and digits has the set 1 codes of its places', (t) => {
	const usages = [...Array.from('qwertyuiop', (key) => key.charCodeAt(0) - 0x61 + 0x04)];
	t.deepEqual(
		usages.flatMap((usage) => keySequence(usage, true, 1)),
		[0x10, 0x11, 0x12, 0x13, 0x14, 0x15, 0x16, 0x17, 0x18, 0x19],
	);
	const digits = Array.from({length: 10}, (_, at) => keySequence(0x1e + at, true, 1)[0]);
	t.deepEqual(digits, [2, 3, 4, 5, 6, 7, 8, 9, 10, 11]);
	const functions = Array.from({length: 12}, (_, at) => keySequence(0x3a + at, true, 1)[0]);
	t.deepEqual(functions, [0x3b, 0x3c, 0x3d, 0x3e, 0x3f, 0x40, 0x41, 0x42, 0x43, 0x44, 0x57, 0x58]);
	const keypad = Array.from({length: 10}, (_, at) => keySequence(0x59 + at, true, 1)[0]);
	t.deepEqual(keypad, [0x4f, 0x50, 0x51, 0x4b, 0x4c, 0x4d, 0x47, 0x48, 0x49, 0x52]);
});

test('no two keys share a code, but the two that are one key on different keyboards', (t) => {
	for (const [codes, shared] of [
		[setTwoCodes, 1],
		[setThreeCodes, 0],
	] as const) {
		t.is(new Set(codes.values()).size, codes.size - shared);
	}
	t.deepEqual([setTwoCodes.get(0x31), setTwoCodes.get(0x32)], [0x5d, 0x5d]);
	const low = Array.from({length: 0x83}, (_, code) => translate(code));
	t.is(new Set(low).size, low.length, 'the translation loses nothing below 0x83');
	t.deepEqual([0x84, 0x85, 0xab, 0xe0, 0xfa].map(translate), [0x54, 0x85, 0xab, 0xe0, 0xfa]);
	t.deepEqual(toSetOne([]), []);
});

test('unknown keys are ignored', (t) => {
	const {input, drain, device} = make({translated: true});
	for (const usage of [-1, 0, 3, 0x84, 0xe8, 0x1000, 1.5, Number.NaN]) t.false(input.pressKey(usage, true));
	t.deepEqual(drain(), []);
	t.is(device.state.keysDropped, 0);
});

test('a key that does not fit is dropped as a whole and counted', (t) => {
	const {device, input, drain, command} = make({translated: false});
	command(0xad);
	t.true(input.pressKey(pause, true));
	t.true(input.pressKey(printScreen, false));
	t.false(input.pressKey(keyUp, false), 'three bytes for two places');
	t.true(input.pressKey(keyUp, true));
	t.false(input.pressKey(keyA, true));
	t.is(device.state.keysDropped, 2);
	device.out(0x64, 0xae);
	t.is(drain().length, 16);
	t.true(input.pressKey(keyA, true));
	t.deepEqual(drain(), [0x1c]);
});
