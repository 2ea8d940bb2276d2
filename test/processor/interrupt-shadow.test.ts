import test from 'ava';
import {Request} from '#vcpu-worker/software/state';
import type {GuestProcessor} from './guest-processor.ts';
import {codeAt, startBytes} from './raw-code.ts';

const [rounds, turn] = [10_000, 97];

/** MOV EDX,10000; again: MOV ECX,5; JMP closed; open: STI; closed: CLI; DEC ECX; JNZ open; DEC EDX; JNZ again; HLT. */
const code = [
	...[0xba, 0x10, 0x27, 0, 0, 0xb9, 5, 0, 0, 0, 0xeb, 1, 0xfb, 0xfa, 0xff, 0xc9, 0x75, 0xfa],
	...[0xff, 0xca, 0x75, 0xef, 0xf4],
];

for (const heat of [undefined, 50])
	test(`no interrupt comes between STI and the next instruction, where others go too: heat ${heat}`, (t) => {
		const {processor} = startBytes(code, codeAt);
		processor.heat = heat;
		let [polls, open] = [0, 0];
		for (; processor.run(turn) === 'polled'; polls++) if (processor.canInterrupt) open++;
		t.true(polls > (rounds * 5) / turn, `${polls}`);
		t.is(processor.translations.size.translations > 0, heat !== undefined);
		t.is(open, 0);
	});

/** Has another processor store to the counter at the n-th exchange, between the load and the exchange, and do more. */
function contend({processor, ram}: GuestProcessor, at: number, more = () => {}): Int32Array {
	const counter = new Int32Array(ram.buffer, counterAt, 1);
	const {memory} = processor.mmu;
	const exchange = memory.compareExchange.bind(memory);
	let calls = 0;
	memory.compareExchange = (...one) => {
		if (++calls === at) {
			Atomics.add(counter, 0, 1);
			more();
		}
		return exchange(...one);
	};
	return counter;
}

/** In the code's page, so that stores go by `PhysicalMemory`. */
const counterAt = codeAt + 0x800;
const [times, contendedAt] = [200, 150];
const countUp = [0xf0, 0xff, 0x04, 0x25, ...new Uint8Array(Uint32Array.of(counterAt).buffer)];

/** What interrupts stay away behind: STI, and MOV SS, EAX. */
const shadowing = {STI: [0xfb], 'MOV SS': [0x8e, 0xd0]};
for (const [name, opening] of Object.entries(shadowing))
	for (const heat of [undefined, 50])
		test(`nor where the next one is locked, and another processor is faster: ${name}, heat ${heat}`, (t) => {
			// MOV ECX,times; again: CLI; STI; or both and MOV SS; LOCK INC dword [counter]; DEC ECX; JNZ again; HLT.
			const opened = name === 'STI' ? [0xfa, ...opening] : [0xfa, 0xfb, 0x90, ...opening];
			const round = [...opened, ...countUp, 0xff, 0xc9];
			const guest = startBytes([0xb9, times, 0, 0, 0, ...round, 0x75, -(round.length + 2) & 0xff, 0xf4], codeAt);
			const {processor} = guest;
			processor.heat = heat;
			const {state} = processor.core;
			const counter = contend(guest, contendedAt, () => {
				state.request |= Request.KICK;
			});
			t.is(processor.run(100_000), 'polled');
			t.is(counter[0], contendedAt);
			t.is(processor.translations.size.translations > 0, heat !== undefined);
			t.false(processor.canInterrupt);
			state.request = 0;
			// It comes behind it.
			processor.windowWanted = true;
			t.is(processor.run(100_000), 'window');
			t.is(counter[0], contendedAt + 1);
			processor.windowWanted = false;
			t.is(processor.run(100_000), 'halted');
			t.is(counter[0], times + 1);
		});

test('a step is of a locked instruction whole, though another processor is faster', (t) => {
	const guest = startBytes([0xf4, ...countUp, 0xf4], codeAt);
	const {processor} = guest;
	// The page has code from then on.
	t.is(processor.run(1000), 'halted');
	processor.isHalted = false;
	const counter = contend(guest, 1);
	processor.debug.plan = {step: true, breakpoints: [], hardware: [], stops: []};
	t.is(processor.run(1000), 'debug');
	t.is(counter[0], 2);
	t.is(processor.core.state.rip, BigInt(codeAt + 1 + countUp.length));
});
