import test from 'ava';
import {ecx} from '#flowey/x86-assembler';
import {Random} from '#test/silicon';
import {
	exitCode,
	exitPort,
	type MicroKernel,
	microKernel,
	outLoop,
	portInLoopUser,
	realModeHello,
	rewriting,
	undefinedInstruction,
	userWork,
} from '#test/tmk';
import {MicroOp, memoryMap} from '#vcpu-worker/software/state';
import {ownTranslations} from '#vcpu-worker/software/translator';
import {flowMemory, randomFlow} from './fuzz/random-flow.ts';
import type {GuestProcessor} from './guest-processor.ts';
import {left, prepareFlow, run} from './kernel-runs.ts';

const ends = {port: exitPort, value: exitCode.ok};

const kernels: Readonly<Record<string, MicroKernel>> = {
	portInLoopUser: portInLoopUser({count: 100, port: 0x80}),
	outLoop: outLoop({count: 100, port: 0x80}),
	userWork: userWork({iterations: 1000}),
	undefinedInstruction: undefinedInstruction({count: 100}),
	realModeHello: realModeHello(),
	rewriting: rewriting(50),
};

for (const [name, kernel] of Object.entries(kernels))
	test(`${name} ends by its translations as by the interpreter`, (t) => {
		const expected = run(kernel, undefined).guest;
		t.deepEqual(expected.writes.at(-1), ends);
		for (const heat of [1, 5]) t.deepEqual(left(run(kernel, heat).guest), left(expected), `heat ${heat}`);
	});

test('random control flow ends by its translations as by the interpreter', (t) => {
	const random = new Random(1);
	let translated = 0;
	for (let sequence = 0; sequence < 60; sequence++) {
		const prepare = prepareFlow(random, sequence);
		random.restart(1, sequence);
		const kernel = randomFlow(random);
		const expected = run(kernel, undefined, prepare);
		for (const heat of [1, 7]) {
			const actual = run(kernel, heat, prepare);
			translated += actual.most;
			t.deepEqual(left(actual.guest), left(expected.guest), `sequence ${sequence}, heat ${heat}`);
		}
	}
	t.true(translated > 60, `${translated}`);
});

test('flags that a string instruction has set outlast what it had in variables', (t) => {
	for (const [name, opcode] of Object.entries({cmpsb: 0xa6, scasb: 0xae, scasq: [0x48, 0xaf]})) {
		const kernel = microKernel(name, ({bytes, label, dec, jnz}, {exit}) => {
			label('again');
			// The instruction; MOV RAX,[RBP]; MOV RBX,[RBP+8]; MOV [RBP+10h],RDX; PUSHF; POP R14; ADD R13,R14.
			bytes(...[opcode].flat(), 0x48, 0x8b, 0x45, 0, 0x48, 0x8b, 0x5d, 8, 0x48, 0x89, 0x55, 0x10);
			bytes(0x9c, 0x41, 0x5e, 0x4d, 0x01, 0xf5);
			dec(ecx);
			jnz('again');
			exit(exitCode.ok);
		});
		const prepare = ({processor, ram}: GuestProcessor) => {
			const {data, bytes, stack} = flowMemory;
			const random = new Random(4);
			for (let at = 0; at < bytes; at++) ram[data + at] = random.below(256);
			const pointers = {4: stack, 5: data, 6: data + 0x40, 7: data + 0x80};
			for (const [register, value] of Object.entries({1: 100, ...pointers}))
				processor.core.state.general[Number(register)] = BigInt(value);
		};
		const expected = run(kernel, undefined, prepare);
		const actual = run(kernel, 1, prepare);
		t.true(actual.most > 0);
		t.deepEqual(left(actual.guest), left(expected.guest), name);
	}
});

/** Blocks that are hot and not translated: their counts are more than they can have been executed. */
function waiting({processor: {core}}: GuestProcessor): number {
	let blocks = 0;
	for (let head = memoryMap.records; head < core.memory.byteLength; head += MicroOp.size)
		if ((core.leftOf(head) ?? 0) > 2 ** 30) blocks++;
	return blocks;
}

test('blocks that are hot together are all translated', (t) => {
	const functions = 24;
	const kernel = microKernel('many', ({bytes, label, call, dec, jnz, ret}, {exit}) => {
		label('again');
		for (let number = 0; number < functions; number++) call(`function-${number}`);
		dec(ecx);
		jnz('again');
		exit(exitCode.ok);
		for (let number = 0; number < functions; number++) {
			label(`function-${number}`);
			// ADD [RBP+number],RDX.
			for (let count = 0; count < 60; count++) bytes(0x48, 0x01, 0x55, number);
			ret();
		}
	});
	const prepare = ({processor}: GuestProcessor) => {
		const {data, stack} = flowMemory;
		for (const [register, value] of Object.entries({1: 200, 2: 3, 4: stack, 5: data}))
			processor.core.state.general[Number(register)] = BigInt(value);
	};
	const expected = run(kernel, undefined, prepare);
	const actual = run(kernel, 50, prepare);
	// More than one has room for.
	t.true(actual.most > 1, `${actual.most}`);
	t.is(waiting(actual.guest), 0);
	t.deepEqual(left(actual.guest), left(expected.guest));
});

test('code that rewrites itself in a loop is in the end not translated any more', (t) => {
	const kernel = rewriting(10_000);
	const {guest, modules} = run(kernel, 1);
	t.deepEqual(guest.writes.at(-1), ends);
	t.true(modules < 12, `${modules}`);
	// The last round has rewritten the block at its begin.
	const {core} = guest.processor;
	t.is(core.find(kernel.addressOf('again'), 0), 0);
	t.is(core.translationOf(core.find(kernel.addressOf('patched'), 0)), undefined);
});

test('translations stay within their bytes, whatever the guest makes', (t) => {
	const random = new Random(3);
	const kernel = randomFlow(random);
	const free = run(kernel, 1);
	const bound = Math.ceil(free.guest.processor.translations.size.bytes / 2);
	const tight = run(kernel, 1, () => {}, {
		translations: ownTranslations({machineBytes: bound, bytes: bound}),
	});
	t.true(free.guest.processor.translations.size.bytes > 0);
	t.true(tight.guest.processor.translations.size.bytes <= bound);
	t.deepEqual(left(tight.guest), left(free.guest));
});
