import test from 'ava';
import {Feature} from '#vcpu-worker/software/decode';
import {announcing} from '#vcpu-worker/software/system/testing';
import type {GuestProcessor} from './guest-processor.ts';
import {codeAt as legacyCodeAt, stackTop as legacyStackTop, startLegacy} from './legacy-machine.ts';
import {type Before, codeAt, runBytes, stackTop} from './raw-code.ts';

const generalProtection = 13;
const undefinedOpcode = 6;
const data = stackTop - 0x8000;
const low32 = 0xffff_ffffn;

/** WRMSR, and what RDMSR gives then; undefined where one of them faults. */
function written(index: number, value: bigint, before: Before = {}): bigint | undefined {
	// WRMSR; XOR EAX,EAX; XOR EDX,EDX; RDMSR.
	const {general, vector} = runBytes([0x0f, 0x30, 0x31, 0xc0, 0x31, 0xd2, 0x0f, 0x32], {
		...before,
		prepare: (guest) => {
			guest.processor.core.state.general.set([value & low32, BigInt(index), value >> 32n]);
			before.prepare?.(guest);
		},
	});
	return vector === undefined ? ((general[2] ?? 0n) << 32n) | (general[0] ?? 0n) : undefined;
}

/** RDMSR. */
function read(index: number): bigint | undefined {
	const prepare = ({processor}: GuestProcessor) => processor.core.state.general.set([BigInt(index)], 1);
	const {general, vector} = runBytes([0x0f, 0x32], {prepare});
	return vector === undefined ? ((general[2] ?? 0n) << 32n) | (general[0] ?? 0n) : undefined;
}

test('types of memory are as after firmware, and only types that there are can be written', (t) => {
	t.is(read(0x2ff), 0xc00n);
	t.is(read(0x250), 0x0606_0606_0606_0606n);
	t.is(read(0xfe), 0x508n);
	t.is(written(0x2ff, 0xc06n), 0xc06n);
	t.is(written(0x200, 0x80_0000_0006n), 0x80_0000_0006n);
	t.is(written(0x20f, 0xff_8000_0800n), 0xff_8000_0800n);
	t.is(written(0x26f, 0x0504_0100_0605_0401n), 0x0504_0100_0605_0401n);
	const refused: readonly (readonly [number, bigint])[] = [
		[0x2ff, 0xc02n],
		[0x2ff, 0x1c06n],
		[0x200, 0x8000_0002n],
		[0x200, 0x8000_0106n],
		[0x201, 1n << 40n],
		[0x258, 7n],
		[0xfe, 0x508n],
		[0x277, 2n],
	];
	for (const [index, value] of refused) t.is(written(index, value), undefined, `${index.toString(16)}`);
	t.is(written(0x277, 0x0007_0406_0107_0406n), 0x0007_0406_0107_0406n);
});

test('addresses must be canonical, reserved bits clear, and a register must be there', (t) => {
	const upper = 0xffff_8000_0000_0000n;
	for (const index of [0xc000_0082, 0xc000_0083, 0xc000_0100, 0xc000_0101, 0xc000_0102, 0x175, 0x176]) {
		t.is(written(index, upper), upper, index.toString(16));
		t.is(written(index, 0x8000_0000_0000n), undefined, index.toString(16));
	}
	for (const index of [0xc000_0084, 0xc000_0103, 0x174]) {
		t.is(written(index, low32), low32, index.toString(16));
		t.is(written(index, low32 + 1n), undefined, index.toString(16));
	}
	t.is(written(0xc000_0080, 0xd01n), 0xd01n);
	t.deepEqual([written(0xc000_0080, 0xd03n), written(0xc000_0080, 0xc01n)], [undefined, undefined]);
	t.is(written(0x1a0, 0n), 0x1800n);
	t.deepEqual(
		[written(0xda0, 0n), written(0xda0, 1n), written(0x1234, 0n), read(0x1234)],
		[0n, undefined, undefined, undefined],
	);
	const cpuid = announcing(Feature.mtrr, Feature.rdtscp, Feature.rdpid);
	t.deepEqual([written(0x2ff, 0n, {cpuid}), written(0xc000_0103, 0n, {cpuid})], [undefined, undefined]);
	t.is(runBytes([0x0f, 0x32], {isUser: true}).vector, generalProtection);
});

test('a snapshot has the registers that are not as at power-on, and no others', (t) => {
	const {processor} = runBytes([0x90]);
	t.deepEqual(processor.msrs.changed(), []);
	processor.msrs.write(0x277, 0x0007_0106_0007_0106n);
	processor.msrs.write(0x2ff, 0xc00n);
	processor.msrs.write(0x250, 0n);
	t.deepEqual(processor.msrs.changed(), [
		[0x250, 0n],
		[0x277, 0x0007_0106_0007_0106n],
	]);
});

test('settings of processors that this one is not read as 0 and keep nothing', (t) => {
	// The banks of machine checks are those that a guest has found on KVM.
	for (const index of [0x8b, 0x400, 0x401, 0x47f, 0xc001_0015, 0xc001_0055, 0xc001_1029])
		t.is(written(index, 0x40n), 0n, index.toString(16));
	t.is(read(0x480), undefined);
});

test('the time-stamp counter can be written, and TSC_ADJUST says by how much', (t) => {
	// The counter goes 1,000 on with each reading: by WRMSR, and by RDTSC.
	const write = (index: number, value: bigint) => {
		// WRMSR; MOV ECX,3BH; RDMSR; MOV EBX,EAX; RDTSC.
		const {general} = runBytes([0x0f, 0x30, 0xb9, 0x3b, 0, 0, 0, 0x0f, 0x32, 0x89, 0xc3, 0x0f, 0x31], {
			prepare: ({processor}) => processor.core.state.general.set([value, BigInt(index), 0n]),
		});
		return [general[3], general[0]];
	};
	t.deepEqual(write(0x10, 1_000_000n), [999_000n, 1_001_000n]);
	t.deepEqual(write(0x3b, 5_000n), [5_000n, 6_000n]);
});

/** STAR, LSTAR, CSTAR, FMASK with IF; SYSENTER_CS. */
function prepareCalls({processor, ram}: GuestProcessor): void {
	const {msrs} = processor;
	const {state} = processor.core;
	msrs.write(0xc000_0081, 0x0023_0008_0000_0000n);
	msrs.write(0xc000_0082, BigInt(codeAt + 0x1000));
	msrs.write(0xc000_0083, BigInt(codeAt + 0x1100));
	msrs.write(0xc000_0084, 0x200n);
	msrs.write(0x174, 8n);
	state.controlFlags |= 0x200;
	// MOV EBX,n; HLT.
	for (const [number, offset] of [0x1000, 0x1100].entries())
		ram.set([0xbb, number + 1, 0, 0, 0, 0xf4], codeAt + offset);
}

test('SYSCALL enters where the mode says', (t) => {
	const syscall = [0x0f, 0x05];
	const long = runBytes(syscall, {isUser: true, prepare: prepareCalls});
	t.deepEqual([long.general[3], long.general[1], (long.general[11] ?? 0n) & 0x200n], [1n, BigInt(codeAt + 2), 0x200n]);
	t.is(long.processor.core.state.controlFlags & 0x200, 0);
	const compatible = runBytes(syscall, {
		prepare: (guest) => {
			prepareCalls(guest);
			Object.assign(guest.processor.core.state.segments[1] ?? {}, {attributes: 0xc0fb, selector: 0x23});
		},
	});
	t.is(compatible.general[3], 2n);
	t.is(compatible.processor.core.state.segments[1]?.attributes, 0xa09b);
	const disabled = (guest: GuestProcessor) => {
		guest.processor.core.state.efer &= ~1n;
	};
	t.is(runBytes(syscall, {isUser: true, prepare: disabled}).vector, undefinedOpcode);
});

test('SYSENTER and SYSEXIT are those of AMD: not in long mode', (t) => {
	const [enter, exit] = [
		[0x0f, 0x34],
		[0x0f, 0x35],
	];
	const compatible = (guest: GuestProcessor) => {
		prepareCalls(guest);
		Object.assign(guest.processor.core.state.segments[1] ?? {}, {attributes: 0xc09b});
	};
	for (const code of [enter, exit])
		for (const prepare of [prepareCalls, compatible]) t.is(runBytes(code, {prepare}).vector, undefinedOpcode);
	const [stack, handler, program] = [legacyStackTop - 0x100, legacyCodeAt + 0x1000, legacyCodeAt + 0x1100];
	const start = (code: readonly number[], selector: bigint) => {
		const machine = startLegacy(code);
		const {msrs, core} = machine.processor;
		msrs.write(0x174, selector);
		msrs.write(0x175, BigInt(stack));
		msrs.write(0x176, BigInt(handler));
		core.state.general.set([0n, BigInt(stack), BigInt(program)]);
		// HLT; CLI, which programs must not.
		machine.ram[handler] = 0xf4;
		machine.ram[program] = 0xfa;
		return {machine, state: core.state};
	};
	const entered = start(enter, 0x8n);
	t.is(entered.machine.run(), 'halted');
	t.deepEqual([entered.state.rip, entered.state.general[4]], [BigInt(handler + 1), BigInt(stack)]);
	t.deepEqual([entered.state.segments[1]?.selector, entered.state.segments[2]?.selector], [8, 0x10]);
	const left = start(exit, 0x8n);
	t.like(left.machine.run(), {vector: generalProtection, rip: BigInt(program)});
	t.is(left.state.general[4], BigInt(stack));
	t.deepEqual([left.state.segments[1]?.selector, left.state.segments[2]?.selector], [0x1b, 0x23]);
	for (const code of [enter, exit])
		t.like(start(code, 0n).machine.run(), {vector: generalProtection, rip: BigInt(legacyCodeAt)});
});

test('SYSRET goes to programs, with the flags that are theirs', (t) => {
	// UD2 is where they go to.
	const target = codeAt + 0x1000;
	const leave = (code: readonly number[]) =>
		runBytes(code, {
			prepare: (guest) => {
				prepareCalls(guest);
				guest.ram.set([0x0f, 0x0b], target);
				guest.processor.core.state.general.set([0n, BigInt(target), BigInt(target)]);
				guest.processor.core.state.general[11] = 0x3_0ed7n;
			},
		});
	for (const code of [
		[0x48, 0x0f, 0x07],
		[0x0f, 0x07],
	]) {
		const {ram, vector} = leave(code);
		// RIP, CS, flags of the exception's frame.
		const [rip, cs, flags] = new BigUint64Array(ram.buffer, stackTop - 0x1000 - 40, 3);
		const is64 = code[0] === 0x48;
		const selector = is64 ? 0x33n : 0x23n;
		t.deepEqual([vector, rip, cs], [undefinedOpcode, BigInt(target), selector], `${code}`);
		t.is((flags ?? 0n) & 0x2_0000n, 0n);
	}
	t.is(runBytes([0x48, 0x0f, 0x07], {isUser: true, prepare: prepareCalls}).vector, generalProtection);
});

test('tables and code are where addresses can be', (t) => {
	const nowhere = 1n << 50n;
	// LGDT [RAX].
	const lgdt = (base: bigint) =>
		runBytes([0x0f, 0x01, 0x10], {
			prepare: ({processor, ram}) => {
				new DataView(ram.buffer).setBigUint64(data + 2, base, true);
				processor.core.state.general[0] = BigInt(data);
			},
		}).vector;
	t.deepEqual([lgdt(0x1000n), lgdt(nowhere)], [undefined, generalProtection]);
	// IRETQ: the exception is that of the code which returns.
	const {ram, vector} = runBytes([0x48, 0xcf], {
		prepare: ({processor, ram: memory}) => {
			new BigUint64Array(memory.buffer, data, 5).set([nowhere, 8n, 2n, BigInt(stackTop), 0x10n]);
			processor.core.state.general[4] = BigInt(data);
		},
	});
	const [, rip] = new BigUint64Array(ram.buffer, stackTop - 0x1000 - 48, 2);
	t.deepEqual([vector, rip], [generalProtection, BigInt(codeAt)]);
});

test('SYSRET to where no address is faults there, in the program, as on processors of AMD', (t) => {
	const nowhere = 1n << 50n;
	const {ram, vector, errorCode} = runBytes([0x48, 0x0f, 0x07], {
		prepare: (guest) => {
			prepareCalls(guest);
			guest.processor.core.state.general[1] = nowhere;
			guest.processor.core.state.general[11] = 2n;
		},
	});
	// RIP, CS, behind the error code.
	const [rip, cs] = new BigUint64Array(ram.buffer, stackTop - 0x1000 - 40, 2);
	t.deepEqual([vector, errorCode, rip, cs], [generalProtection, 0, nowhere, 0x33n]);
});
