import test from 'ava';
import {Random} from '#test/silicon';
import {Request} from '#vcpu-worker/software/state';
import type {GuestProcessor} from './guest-processor.ts';
import {codeAt, stackTop, startBytes} from './raw-code.ts';

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

/** An instruction, what it makes of IF, and whether interrupts stay away behind it. */
interface Sample {
	readonly code: readonly number[];
	readonly opens?: boolean;
	readonly shadows?: boolean;
	/** One that may wait for the end of its block with an interrupt that can come in. */
	readonly isPlain?: boolean;
}

const [cli, sti, inc, hlt]: readonly [Sample, Sample, Sample, Sample] = [
	{code: [0xfa], opens: false},
	{code: [0xfb], opens: true},
	{code: [0xff, 0xc3], isPlain: true},
	{code: [0xf4]},
];
const popped = (flags: number, opens: boolean): Sample[] => [
	{code: [0x68, flags & 0xff, flags >> 8, 0, 0], isPlain: true},
	{code: [0x9d], opens, isPlain: opens},
];
/** RDTSC, IN AL,80h, OUT 80h,AL, MOV SS,ECX, WRFSBASE RCX, MOV AX,FS, POPF, and what loads CR3. */
const samples: readonly (readonly Sample[])[] = [
	...[[cli], [sti], [inc], [inc], [{code: [0x0f, 0x31]}], [{code: [0xe4, 0x80]}], [{code: [0xe6, 0x80]}]],
	...[[{code: [0x8e, 0xd1], shadows: true}], [{code: [0xf3, 0x48, 0x0f, 0xae, 0xd1], isPlain: true}]],
	...[[{code: [0x8c, 0xe0], isPlain: true}], popped(0x202, true), popped(2, false)],
	[{code: [0x0f, 0x20, 0xd8], isPlain: true}, {code: [0x0f, 0x22, 0xd8]}],
];
/** CR4: PAE, PGE, FSGSBASE. */
const cr4 = 0x1_00a0n;
/** How many there are, and room for the code of one. */
const [cases, mostBytes] = [120, 128];

/** Where an interrupt can come in, and what keeps code from going on beyond that. */
function* boundaries(
	first: number,
	all: readonly Sample[],
): Generator<{at: number; canCome: boolean; isPlain: boolean}> {
	let [at, isOpen, isShadowed] = [first, false, false];
	for (const {code: bytes, opens = isOpen, shadows = bytes === sti.code && !isOpen, isPlain = false} of all) {
		yield {at, canCome: isOpen && !isShadowed, isPlain};
		[at, isOpen, isShadowed] = [at + bytes.length, opens, shadows];
	}
}

for (const heat of [undefined, 1])
	test(`an interrupt that waits for IF comes where it first can, before CLI and all of the system: heat ${heat}`, (t) => {
		const {processor, ram} = startBytes([]);
		const {state} = processor.core;
		processor.heat = heat;
		Object.assign(state, {cr4});
		processor.changed();
		const run = (at: number, isWaiting: boolean) => {
			Object.assign(state, {rip: BigInt(at), controlFlags: 2});
			Object.assign(state.general, {0: 0n, 1: 0n, 4: BigInt(stackTop)});
			Object.assign(processor, {isHalted: false, isShadowed: false, windowWanted: isWaiting});
			return processor.run(1000);
		};
		for (let number = 1; number <= cases; number++) {
			const random = new Random(number);
			const all = [...Array.from({length: 20}, () => random.pick(samples)).flat(), cli, sti, inc, hlt];
			const first = codeAt + number * mostBytes;
			ram.set(
				all.flatMap(({code: bytes}) => [...bytes]),
				first,
			);
			for (let round = 0; round < 3; round++) t.is(run(first, false), 'halted');
			t.is(run(first, true), 'window', `case ${number}`);
			const rip = Number(state.rip);
			const places = [...boundaries(first, all)];
			t.true(
				places.some(({at, canCome}) => at === rip && canCome) && processor.canInterrupt,
				`case ${number}: too early`,
			);
			const late = places.find(({at, canCome, isPlain}, index) => {
				const before = places.slice(0, index).some((each) => each.canCome);
				return at < rip && !isPlain && (canCome || before);
			});
			t.is(late, undefined, `case ${number}: too late`);
		}
		t.is(processor.translations.size.translations > 0, heat !== undefined);
	});
