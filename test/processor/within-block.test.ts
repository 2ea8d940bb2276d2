import test from 'ava';
import {type Assembler, al, eax, ecx} from '#flowey/x86-assembler';
import {type MicroKernel, microKernel} from '#test/tmk';
import {CpuState, Request, vectorAt} from '#vcpu-worker/software/state';
import {startKernel} from './guest-processor.ts';
import {codeAt, runBytes, stackTop, startBytes, tables} from './raw-code.ts';

/** Instructions of a full block. */
const blockLength = 32;
const requestWord = CpuState.word('request');
const port = 0x80;

/** Code that begins a block of its own. */
const kernelOf = (emit: (asm: Assembler) => void): MicroKernel =>
	microKernel('within-block', (asm, {exit}) => {
		asm.jmp('code');
		asm.align(64, 0);
		asm.label('code');
		emit(asm);
		exit(0);
	});

/** A processor that comes to `code` next. */
function startAtCode(kernel: MicroKernel) {
	const guest = startKernel(kernel);
	const {processor} = guest;
	const code = BigInt(kernel.addressOf('code'));
	for (let left = 100; processor.core.state.rip !== code; left--) {
		if (left === 0) throw new Error('the guest does not come to its code');
		processor.run(0);
	}
	return guest;
}

test('STI keeps interrupts away for the next instruction, wherever a block ends', (t) => {
	for (const before of [0, 1, 29, 30, 31, 32]) {
		const kernel = kernelOf(({inc, sti}) => {
			for (let count = 0; count < before; count++) inc(ecx);
			sti();
			for (let count = 0; count < 2 * blockLength; count++) inc(ecx);
		});
		const code = kernel.addressOf('code');
		const {processor} = startAtCode(kernel);
		const {state} = processor.core;
		const behind: number[] = [];
		while (!processor.canInterrupt) {
			t.is(processor.run(0), 'polled', `${before} before it: ${behind}`);
			behind.push(Number(state.rip) - code);
		}
		t.true((behind.at(-1) as number) > 2 * before + 1, `${before} before it: ${behind}`);
	}
});

test('what an interrupt waits for meanwhile goes on amid its block, until it lets the interrupt in', (t) => {
	// CLI; RDTSC; CLI; RDTSCP; INC ECX; STI; INC ECX; INC ECX; HLT.
	const code = [0xfa, 0x0f, 0x31, 0xfa, 0x0f, 0x01, 0xf9, 0xff, 0xc1, 0xfb, 0xff, 0xc1, 0xff, 0xc1, 0xf4];
	const {processor} = startBytes(code);
	const {state} = processor.core;
	Object.assign(state, {rip: BigInt(codeAt), controlFlags: 2});
	processor.changed();
	processor.windowWanted = true;
	t.is(processor.run(100), 'window');
	// STI was left to TypeScript, and HLT, before which the interrupt comes in.
	t.deepEqual([Number(state.rip) - codeAt, state.exits], [code.length - 1, 2]);
});

test('STI keeps them away too where somebody has asked for a look meanwhile', (t) => {
	const isAsked = {yet: false};
	// MOV [RSI],AL, to a device; STI; INC ECX; INC ECX; HLT.
	const guest = startBytes([0x88, 0x06, 0xfb, 0xff, 0xc1, 0xff, 0xc1, 0xf4], codeAt, {
		deviceWrite() {
			isAsked.yet = true;
			Atomics.or(guest.processor.core.state.$atomic, requestWord, Request.APIC);
		},
	});
	const {processor} = guest;
	const {state} = processor.core;
	state.general[6] = 0x100_0000n;
	processor.run(1000);
	t.true(isAsked.yet);
	t.true((state.general[1] as bigint) > 0n, 'the instruction behind it has been executed');
});

test('where a device asks for a look, the block ends behind the instruction that reached it', (t) => {
	const kernel = kernelOf(({inc, out, xor, in: input}) => {
		xor(ecx, ecx);
		inc(ecx);
		out(port, al);
		inc(ecx);
		input(eax, port);
		inc(ecx);
	});
	const guest = startAtCode(kernel);
	const {processor} = guest;
	const {state} = processor.core;
	const {outside} = processor;
	const ask = () => void Atomics.or(state.$atomic, requestWord, Request.KICK);
	const askAndGive = () => {
		ask();
		return 7;
	};
	const found: number[] = [];
	const run = () => {
		state.request = 0;
		processor.run(1000);
		found.push(Number(state.general[1]));
	};
	Object.assign(outside, {writePort: ask, readPort: askAndGive});
	run();
	run();
	t.is(state.general[0], 7n);
	run();
	t.deepEqual(found, [1, 2, 3]);
});

test('a port fills as much of the accumulator as it has bits, 32 of them clearing the rest', (t) => {
	for (const [bytes, expected] of [
		[[0xe4, port], 0x1122_3344_5566_77efn],
		[[0x66, 0xe5, port], 0x1122_3344_5566_beefn],
		[[0xe5, port], 0xdead_beefn],
	] as const) {
		const guest = startAtCode(
			kernelOf((asm) => {
				asm.nop();
				asm.bytes(...bytes, 0xf4);
			}),
		);
		const {processor} = guest;
		processor.core.state.general[0] = 0x1122_3344_5566_7788n;
		Object.assign(processor.outside, {readPort: () => 0xdead_beef});
		t.is(processor.run(100), 'halted');
		t.is(processor.core.state.general[0], expected);
	}
});

/** Instructions of the system, in a loop that ends by DEC ECX; JNZ; what registers they need. */
const carried = {
	'MOV to CR3': {code: [0x0f, 0x22, 0xd8], rax: BigInt(tables)},
	INVLPG: {code: [0x0f, 0x01, 0x3e], rax: 0n},
	XSAVES: {code: [0x0f, 0xc7, 0x2f], rax: 7n},
	XRSTOR: {code: [0x0f, 0xae, 0x2f], rax: 7n},
	// IA32_SYSENTER_ESP, by ECX.
	WRMSR: {code: [0x51, 0xb9, 0x75, 1, 0, 0, 0x0f, 0x30, 0x59], rax: 0n},
} as const;

for (const [name, {code, rax}] of Object.entries(carried))
	for (const heat of [undefined, 20])
		test(`${name} is no way out of code, with ${heat ?? 'no'} executions before translations`, (t) => {
			const rounds = 500;
			const loop = [...code, 0xff, 0xc3, 0xff, 0xc9];
			// INC EBX; DEC ECX; JNZ back; HLT.
			const {processor, ram} = startBytes([...loop, 0x75, -(loop.length + 2) & 0xff, 0xf4]);
			const {core} = processor;
			core.state.general.set([rax, BigInt(rounds), 0n, 0n]);
			core.state.general[6] = BigInt(codeAt + 0x20_0000);
			core.state.general[7] = BigInt(codeAt + 0x8000);
			Object.assign(core.state, {cr4: core.state.cr4 | 0x4_0280n, xcr0: 7n});
			// Code of global pages outlasts a load of CR3.
			const entries = new BigUint64Array(ram.buffer, tables + 0x2000, 512);
			for (const [index, entry] of entries.entries()) entries[index] = entry | 0x100n;
			processor.changed();
			processor.heat = heat;
			const {run} = core;
			let entered = 0;
			core.run = (record) => {
				entered++;
				return run.call(core, record);
			};
			const before = core.state.instructions;
			t.is(processor.run(100_000), 'halted');
			t.is(core.state.general[3], BigInt(rounds));
			const each = name === 'WRMSR' ? 7n : 4n;
			t.is(core.state.instructions - before, each * BigInt(rounds) + 1n);
			t.true(entered < 20, `${entered}`);
		});

test('XSAVES that writes the instructions behind it is followed by what it has written', (t) => {
	for (const heat of [undefined, 1]) {
		// Where XMM0 is saved MOV EBX,1; HLT follow, and it has MOV EBX,2; HLT.
		const [area, place] = [codeAt + 0x40, 160];
		const guest = startBytes([0x48, 0x0f, 0xc7, 0x2f, 0xbb, 1, 0, 0, 0, 0xf4], area + place - 4);
		const {processor} = guest;
		const {state, memory} = processor.core;
		new Uint8Array(memory).set([0xbb, 2, 0, 0, 0, 0xf4], vectorAt(0));
		state.general[0] = 2n;
		state.general[2] = 0n;
		state.general[7] = BigInt(area);
		Object.assign(state, {cr4: state.cr4 | 0x4_0200n, xcr0: 3n});
		processor.changed();
		processor.heat = heat;
		const before = state.instructions;
		t.is(processor.run(1000), 'halted');
		t.is(guest.ram[area + place + 1], 2);
		t.is(state.general[3], 2n);
		t.is(state.instructions - before, 3n);
	}
});

test('an instruction that faults amid its block asks what is outside once', (t) => {
	let asked = 0;
	// INC EBX; INC EBX; WRMSR of a register that is nowhere.
	const {vector, errorCode, general} = runBytes([0xff, 0xc3, 0xff, 0xc3, 0x0f, 0x30], {
		prepare({processor}) {
			processor.core.state.general.set([0n, 0x1234n, 0n, 0n]);
			Object.assign(processor.outside, {
				writeMsr() {
					asked++;
					return false;
				},
			});
		},
	});
	t.deepEqual([vector, errorCode, general[3], asked], [13, 0, 2n, 1]);
});

test('a state that is nowhere faults amid its block with the address and the error code of its read', (t) => {
	const address = 0x7000_0000_0000n;
	// INC EBX; XRSTOR [RDI].
	const {vector, errorCode, general, processor} = runBytes([0xff, 0xc3, 0x0f, 0xae, 0x2f], {
		prepare({processor: {core}}) {
			core.state.general.set([7n, 0n, 0n, 0n]);
			core.state.general[7] = address;
			Object.assign(core.state, {cr4: core.state.cr4 | 0x4_0200n, xcr0: 7n});
		},
	});
	t.deepEqual([vector, errorCode, general[3], processor.core.state.cr2], [14, 0, 1n, address]);
});

for (const [name, code] of [
	['an access', [0xa1, 0, 0, 0, 0x90]],
	['an instruction of the system', [0x0f, 0x22, 0xd8]],
] as const)
	test(`code of compatibility mode whose segment wraps around at 4 GiB is where it is when ${name} faults`, (t) => {
		const base = 0xffff_0000n;
		const {vector, ram} = runBytes([0x90, ...code], {
			isUser: true,
			prepare({processor: {core}}) {
				const {state} = core;
				Object.assign(state.segments[1] ?? {}, {selector: 0x23, attributes: 0xc0fb, base, limit: 0xffff_ffff});
				Object.assign(state.segments[3] ?? {}, {selector: 0x2b, attributes: 0xc0f3, base: 0n, limit: 0xffff_ffff});
				state.rip = BigInt.asUintN(32, state.rip - base);
			},
		});
		const [, rip] = new BigUint64Array(ram.buffer, stackTop - 0x1000 - 48, 2);
		t.deepEqual([vector, rip], [name === 'an access' ? 14 : 13, BigInt.asUintN(32, BigInt(codeAt + 1) - base)]);
	});

for (const heat of [undefined, 1])
	test(`control registers are read without TypeScript, and by the kernel alone: heat ${heat}`, (t) => {
		// MOV RAX,CR2; MOV RDX,CR0; MOV RBX,CR3; MOV RSI,CR4; DEC ECX; JNZ to the first.
		const loop = [0x0f, 0x20, 0xd0, 0x0f, 0x20, 0xc2, 0x0f, 0x20, 0xdb, 0x0f, 0x20, 0xe6, 0xff, 0xc9, 0x75, 0xf0];
		const {processor} = startBytes([...loop, 0xf4]);
		const {core} = processor;
		const {state} = core;
		processor.heat = heat;
		core.carriesOut = false;
		state.general[1] = 100n;
		state.cr2 = 0x1234_5678_9abc_def0n;
		t.is(processor.run(1000), 'halted');
		t.is(state.exits, 1, 'HLT');
		const {cr0, cr2, cr3, cr4, general} = state;
		t.deepEqual([general[0], general[2], general[3], general[6]], [cr2, cr0, cr3, cr4]);
		t.is(processor.translations.size.translations > 0, heat !== undefined);
		for (const register of [0xc0, 0xd0, 0xd8, 0xe0]) t.is(runBytes([0x0f, 0x20, register], {isUser: true}).vector, 13);
	});
