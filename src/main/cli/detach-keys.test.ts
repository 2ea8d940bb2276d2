import test from 'ava';
import {DetachKeys, parseDetachKeys, usualDetachKeys} from './detach-keys.ts';

const typed = (text: string) => Buffer.from(text, 'latin1');
const passes = (keys: string, pieces: readonly string[]) => {
	const detach = new DetachKeys(parseDetachKeys(keys, '--detach-keys'));
	return pieces.map((piece) => {
		const {bytes, detached} = detach.pass(typed(piece));
		return `${Buffer.from(bytes).toString('latin1')}${detached ? ' left' : ''}`;
	});
};

test('keys are characters, and control characters by their letter', (t) => {
	t.deepEqual([...parseDetachKeys(usualDetachKeys, '')], [0x10, 0x11]);
	t.deepEqual([...parseDetachKeys('ctrl-@,ctrl-],~,CTRL-a', '')], [0, 0x1d, 0x7e, 1]);
	for (const wrong of ['', 'ctrl-', 'ctrl-1', 'ab', 'a,', 'a,b,c,d,e,f,g,h,i', 'ä'])
		t.throws(() => parseDetachKeys(wrong, '--detach-keys'), {code: 'CONFIG_VALUE_INVALID'});
});

test('what is typed goes on, but for the keys, also in pieces', (t) => {
	t.deepEqual(passes('ctrl-p,ctrl-q', ['ls\r', 'x\x10\x11behind']), ['ls\r', 'x left']);
	t.deepEqual(passes('ctrl-p,ctrl-q', ['a\x10', '\x11']), ['a', ' left']);
	t.deepEqual(passes('ctrl-p,ctrl-q', ['\x10', 'b']), ['', '\x10b']);
});

test('keys that begin like themselves are found wherever they begin', (t) => {
	t.deepEqual(passes('a,a,b', ['aaab']), ['a left']);
	t.deepEqual(passes('a,b,a,c', ['ababac']), ['ab left']);
	t.deepEqual(passes('a', ['xa']), ['x left']);
});
