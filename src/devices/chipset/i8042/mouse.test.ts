import test from 'ava';
import {scaled} from './mouse-packet.ts';
import {makeI8042} from './testing/make-i8042.ts';

const rates = (...values: number[]) => values.flatMap((value) => [0xf3, value]);
const wheelKnock = rates(200, 100, 80);
const explorerKnock = rates(200, 200, 80);
const acks = (count: number) => new Array<number>(count).fill(0xfa);

/** With both ports enabled and no interrupts. */
function make(...bytes: number[]) {
	const made = makeI8042();
	made.command(0x60, 0x44);
	made.mouse(...bytes);
	const move = (...[input]: Parameters<typeof made.input.moveMouse>) => {
		made.input.moveMouse(input);
		return made.packets();
	};
	return {...made, move};
}

test("Linux's psmouse: reset, identify, try for more, set up, enable", (t) => {
	const {mouse} = make();
	t.deepEqual(mouse(0xf2), [0xfa, 0x00]);
	t.deepEqual(mouse(0xf6), [0xfa]);
	t.deepEqual(mouse(0xff), [0xfa, 0xaa, 0x00]);
	t.deepEqual(mouse(0xe8, 0, 0xe8, 0, 0xe8, 0, 0xe8, 0, 0xe9), [...acks(9), 0x00, 0, 100], 'no touchpad');
	t.deepEqual(mouse(0xe1), [0xfe], 'no TrackPoint');
	t.deepEqual(mouse(...wheelKnock, 0xf2), [...acks(7), 3]);
	t.deepEqual(mouse(...explorerKnock, 0xf2), [...acks(7), 4]);
	t.deepEqual(mouse(...rates(100), 0xe8, 3, 0xe6, 0xf4), acks(6));
	t.deepEqual(mouse(0xe9), [0xfa, 0x20, 3, 100]);
	t.deepEqual(mouse(0xf2), [0xfa, 4], 'ordinary rates change no ID');
	t.deepEqual(mouse(0xf5), [0xfa]);
	t.deepEqual(mouse(0xff, 0xf2), [0xfa, 0xaa, 0, 0xfa, 0]);
});

test('a plain mouse sends three bytes, upwards positive', (t) => {
	const {move} = make(0xf4);
	t.deepEqual(move({dx: 5, dy: 3}), [0x28, 5, 0xfd]);
	t.deepEqual(move({dx: -5, dy: -3}), [0x18, 0xfb, 3]);
	t.deepEqual(move({buttons: 0x07}), [0x0f, 0, 0]);
	t.deepEqual(move({dx: 1}), [0x0f, 1, 0], 'buttons stay');
	t.deepEqual(move({buttons: 0x07}), [], 'nothing has changed');
	t.deepEqual(move({buttons: 0}), [0x08, 0, 0]);
});

test('counters are clamped and say that they overflowed', (t) => {
	const {move} = make(0xf4);
	t.deepEqual(move({dx: 255, dy: 256}), [0x28, 0xff, 0x00]);
	t.deepEqual(move({dx: 256}), [0x48, 0xff, 0x00]);
	t.deepEqual(move({dx: -257, dy: -1e9}), [0xd8, 0x00, 0xff]);
	t.deepEqual(move({dx: Number.NaN, dy: 0.5}), []);
	t.deepEqual(move({dx: Number.POSITIVE_INFINITY}), [0x48, 0xff, 0x00]);
});

test('the wheel and the fourth and fifth button come in a fourth byte', (t) => {
	const wheel = make(...wheelKnock, 0xf4);
	t.deepEqual(wheel.move({wheel: 1}), [0x08, 0, 0, 0xff]);
	t.deepEqual(wheel.move({wheel: -1}), [0x08, 0, 0, 0x01]);
	t.deepEqual(wheel.move({wheel: 100}), [0x08, 0, 0, 0xf8]);
	const explorer = make(...explorerKnock, 0xf4);
	t.deepEqual(explorer.move({wheel: 1, buttons: 0x19}), [0x09, 0, 0, 0x3f]);
	t.deepEqual(explorer.move({wheel: -100, buttons: 0x08}), [0x08, 0, 0, 0x17]);
});

test('nothing is sent before reporting is enabled, nor after it is disabled', (t) => {
	const {move, mouse} = make();
	t.deepEqual(move({dx: 5}), []);
	t.deepEqual(mouse(0xf4), [0xfa]);
	t.deepEqual(move({dx: 1}), [0x08, 1, 0]);
	t.deepEqual(mouse(0xf5), [0xfa]);
	t.deepEqual(move({dx: 5, buttons: 1}), []);
});

test('in remote mode movement adds up and is sent on request', (t) => {
	const {move, mouse} = make(0xf0);
	t.deepEqual(move({dx: 5, dy: -1}), []);
	t.deepEqual(move({dx: 5, buttons: 4}), []);
	t.deepEqual(mouse(0xe9), [0xfa, 0x42, 2, 100]);
	t.deepEqual(mouse(0xeb), [0xfa, 0x0c, 10, 1]);
	t.deepEqual(mouse(0xeb), [0xfa, 0x0c, 0, 0]);
	t.deepEqual(mouse(0xea, 0xf4), acks(2));
	t.deepEqual(move({dx: 1}), [0x0c, 1, 0]);
});

test('in wrap mode all but its end and a reset come back', (t) => {
	const {move, mouse} = make(0xf4);
	t.deepEqual(mouse(0xee, 0xf2, 0xe9, 0xfe, 0x00), [0xfa, 0xf2, 0xe9, 0xfe, 0x00]);
	t.deepEqual(move({dx: 1}), []);
	t.deepEqual(mouse(0xec, 0xf2), [0xfa, 0xfa, 0x00]);
	t.deepEqual(mouse(0xee, 0xff, 0xf2), [0xfa, 0xfa, 0xaa, 0x00, 0xfa, 0x00]);
});

test('2:1 scaling holds in stream mode', (t) => {
	t.deepEqual([0, 1, 2, 3, 4, 5, 6, -2, -5, -7].map(scaled), [0, 1, 1, 3, 6, 9, 12, -1, -9, -14]);
	const {move, mouse} = make(0xe7, 0xf4);
	t.deepEqual(mouse(0xe9), [0xfa, 0x30, 2, 100]);
	t.deepEqual(move({dx: 5, dy: -10}), [0x08, 9, 20]);
	mouse(0xf0);
	move({dx: 5});
	t.deepEqual(mouse(0xeb), [0xfa, 0x08, 5, 0]);
	mouse(0xea, 0xe6);
	t.deepEqual(move({dx: 5}), [0x08, 5, 0]);
});

test('what the mouse does not know it wants again, and it repeats on request', (t) => {
	const {move, mouse} = make();
	t.deepEqual(makeI8042().mouse(0xfe), [0xaa, 0x00], 'the self-test at power-on');
	t.deepEqual(mouse(0x00, 0xe5, 0xed, 0xef, 0xf1, 0xf7), new Array(6).fill(0xfe));
	t.deepEqual(mouse(0xe8, 4), [0xfa, 0xfe]);
	t.deepEqual(mouse(0xe9, 0xfe), [0xfa, 0, 2, 100, 0xfa, 0, 2, 100]);
	mouse(0xf4);
	move({dx: 7});
	t.deepEqual(mouse(0xfe), [0x08, 7, 0]);
});

test('a reset is one even where an argument is expected', (t) => {
	const {mouse} = make();
	t.deepEqual(mouse(0xf3, 0xff), [0xfa, 0xfa, 0xaa, 0x00]);
	t.deepEqual(mouse(0xf2), [0xfa, 0x00]);
});

test('when the queue is full movement adds up, and the latest buttons arrive', (t) => {
	const {input, command, mouse} = make();
	mouse(0xf4);
	command(0xa7);
	for (let i = 0; i < 100; i++) input.moveMouse({dx: 1, buttons: 1});
	input.moveMouse({buttons: 0});
	const bytes = command(0xa8).map((byte) => byte - 0x100);
	t.is(bytes.length, 22 * 3);
	t.deepEqual(bytes.slice(0, 3), [0x09, 1, 0]);
	t.deepEqual(bytes.slice(-3), [0x08, 100 - 21, 0]);
});

test('a command interrupts the packets on their way, and the state of the buttons follows', (t) => {
	const {device, input, packets} = make(0xf4);
	input.moveMouse({dx: 1, buttons: 1});
	input.moveMouse({dx: 1, buttons: 0});
	device.out(0x64, 0xd4);
	device.out(0x60, 0xe6);
	t.deepEqual(packets(), [0x09, 0xfa, 0x08, 0, 0], 'the first byte was in the output buffer');
});

test('random input and accesses keep every queue in bounds', (t) => {
	const {device, input} = make(0xf4);
	let seed = 7;
	const below = (limit: number) => {
		seed = (Math.imul(seed, 1664525) + 1013904223) >>> 0;
		return Math.floor((seed / 2 ** 32) * limit);
	};
	const misfits: number[] = [];
	for (let step = 0; step < 50_000; step++) {
		const port = below(2) === 0 ? 0x60 : 0x64;
		const actions = [
			() => void input.pressKey(below(0x100), below(2) === 1),
			() => input.moveMouse({dx: below(1000) - 500, dy: below(20) - 10, wheel: below(5) - 2, buttons: below(64)}),
			() => device.out(port, below(0x100)),
			() => void misfits.push(...[device.in(port)].filter((value) => !(value >= 0 && value <= 0xff))),
		];
		actions[below(actions.length)]?.();
		const {state} = device;
		const lengths = [
			[state.keyboardTail - state.keyboardHead, 16],
			[state.mouseTail - state.mouseHead, 64],
			[state.keyboardReplyTail - state.keyboardReplyHead, 8],
			[state.mouseReplyTail - state.mouseReplyHead, 8],
		] as const;
		for (const [length, most] of lengths) if (length < 0 || length > most) misfits.push(length);
	}
	t.deepEqual(misfits, []);
	t.false(JSON.stringify(device.save()).includes('null'), 'JSON has no other numbers');
});
