import {byte, cl, qword, rax, rbx, rcx, rsp} from '#flowey/x86-assembler';
import {codeAddress, windowAddress, windowEnd} from './layout.ts';
import {fixedRflags, noVector, Rflags, windowBytes} from './processor-state.ts';
import {Random} from './random.ts';
import {assembled, onSilicon, registerIndex, runCase} from './silicon-test.ts';

const page = windowAddress + windowBytes / 2;
const float = (value: number): bigint => new BigUint64Array(new Float64Array([value]).buffer)[0] as bigint;

onSilicon('every register that a case has comes back as it was given', (t) => {
	const random = new Random(1);
	const {before, after} = runCase([0x90], ({before: state}) => {
		const {gpr, memory, xsave} = state;
		for (const index of gpr.keys()) gpr[index] = random.u64();
		for (const lanes of [xsave.xmm, xsave.ymmHigh]) for (const index of lanes.keys()) lanes[index] = random.u64();
		for (const register of xsave.st) {
			register.significand = random.u64();
			register.signExponent = random.u32() & 0xffff;
		}
		for (const index of memory.keys()) memory[index] = random.u32();
		state.rflags = BigInt(fixedRflags | Rflags.CF | Rflags.PF | Rflags.SF | Rflags.OF | Rflags.DF);
		// Round up to 53 bits, all exceptions masked; TOP is 5, C3 and C0 set, as are flags of exceptions.
		xsave.fcw = 0x0a7f;
		xsave.fsw = 0x6939;
		xsave.ftw = 0xa5;
		xsave.mxcsr = 0xffbf;
	});
	t.deepEqual(after.gpr, before.gpr);
	t.is(after.rflags, before.rflags);
	t.deepEqual([after.vector, after.rip], [noVector, BigInt(codeAddress + 1)]);
	t.deepEqual(after.memory, before.memory);
	const [given, found] = [before.xsave, after.xsave];
	for (const name of ['fcw', 'fsw', 'ftw', 'mxcsr'] as const) t.is(found[name], given[name], name);
	t.deepEqual(found.xmm, given.xmm);
	t.deepEqual(found.ymmHigh, given.ymmHigh);
	const registers = (area: typeof given) => area.st.map(({significand, signExponent}) => [significand, signExponent]);
	t.deepEqual(registers(found), registers(given));
});

onSilicon('a case ends at the marker that it reaches', (t) => {
	const jump = [0x74, 0x0e];
	const ends = [2, 16];
	t.is(runCase(jump, undefined, ends).after.rip, BigInt(codeAddress + 2));
	const setZf = (record: {before: {rflags: bigint}}) => {
		record.before.rflags |= BigInt(Rflags.ZF);
	};
	t.is(runCase(jump, setZf, ends).after.rip, BigInt(codeAddress + 16));
});

onSilicon('memory of both pages and the stack are part of a case', (t) => {
	const bytes = assembled(({push, mov}) => {
		push(rax);
		mov(qword(page - 4), rbx);
	});
	const top = windowEnd - 64;
	const {before, after} = runCase(bytes, ({before}) => {
		before.gpr[registerIndex('rax')] = 0x1122n;
		before.gpr[registerIndex('rbx')] = 0x8877_6655_4433_2211n;
		before.memory.fill(7);
	});
	const expected = new Uint8Array(windowBytes).fill(7);
	const view = new DataView(expected.buffer);
	view.setBigUint64(top - 8 - windowAddress, 0x1122n, true);
	view.setBigUint64(page - 4 - windowAddress, 0x8877_6655_4433_2211n, true);
	t.deepEqual(new Uint8Array(after.memory), expected);
	t.is(after.gpr[registerIndex('rsp')], BigInt(top - 8));
	t.true(before.memory.every((value) => value === 7));
});

onSilicon('REP MOVSB copies backwards across pages', (t) => {
	const bytes = assembled(({prefix, movsb}) => {
		prefix('rep');
		movsb();
	});
	const {after} = runCase(bytes, ({before}) => {
		before.rflags |= BigInt(Rflags.DF);
		before.gpr[registerIndex('rsi')] = BigInt(windowAddress + 19);
		before.gpr[registerIndex('rdi')] = BigInt(page + 9);
		before.gpr[registerIndex('rcx')] = 20n;
		before.memory.set(Uint8Array.from({length: 20}, (_, index) => index + 1));
	});
	const target = page - 10 - windowAddress;
	t.deepEqual(
		[...after.memory.subarray(target, target + 20)],
		Array.from({length: 20}, (_, index) => index + 1),
	);
	t.deepEqual(
		(['rcx', 'rsi', 'rdi'] as const).map((name) => after.gpr[registerIndex(name)]),
		[0n, BigInt(windowAddress - 1), BigInt(page - 11)],
	);
	t.true((after.rflags & BigInt(Rflags.DF)) !== 0n);
});

onSilicon('an addition in SSE rounds as MXCSR says and tells of it', (t) => {
	const addsd = [0xf2, 0x0f, 0x58, 0xc1];
	const roundings = [0, 1, 2, 3].map((rounding) => {
		const {after} = runCase(addsd, ({before: {xsave}}) => {
			xsave.mxcsr = 0x1f80 | (rounding << 13);
			xsave.xmm[0] = float(1);
			xsave.xmm[1] = 0x55n;
			xsave.xmm[2] = float(2 ** -60);
		});
		t.deepEqual([after.xsave.xmm[1], after.xsave.mxcsr & 0x3f], [0x55n, 0x20]);
		return after.xsave.xmm[0];
	});
	const one = float(1);
	t.deepEqual(roundings, [one, one, one + 1n, one]);
});

onSilicon('an exception of SSE that is not masked leaves the destination as it was, and its flag', (t) => {
	const divsd = [0xf2, 0x0f, 0x5e, 0xc1];
	const divide = (masks: number) =>
		runCase(divsd, ({before: {xsave}}) => {
			xsave.mxcsr = masks;
			xsave.xmm[0] = float(1);
		}).after;
	const divideByZero = 0x200;
	const faulted = divide(0x1f80 & ~divideByZero);
	t.deepEqual([faulted.vector, faulted.rip, faulted.errorCode], [19, BigInt(codeAddress), 0]);
	t.deepEqual([faulted.xsave.xmm[0], faulted.xsave.mxcsr & 0x3f], [float(1), 4]);
	const masked = divide(0x1f80);
	t.deepEqual([masked.vector, masked.xsave.xmm[0], masked.xsave.mxcsr & 0x3f], [noVector, float(Infinity), 4]);
});

onSilicon('an addition in x87 has 64 bits of significand, or fewer as its control word says', (t) => {
	const fadd = [0xd8, 0xc1];
	const sums = [0x37f, 0x27f, 0x07f].map((fcw) => {
		const {after} = runCase(fadd, ({before: {xsave}}) => {
			xsave.fcw = fcw;
			xsave.ftw = 3;
			Object.assign(xsave.st[0] as object, {significand: 1n << 63n, signExponent: 0x3fff});
			// 2^-30 + 2^-63
			Object.assign(xsave.st[1] as object, {significand: (1n << 63n) | (1n << 30n), signExponent: 0x3fff - 30});
		});
		return after.xsave.st[0]?.significand;
	});
	t.deepEqual(sums, [(1n << 63n) + (1n << 33n) + 1n, (1n << 63n) + (1n << 33n), 1n << 63n]);
});

onSilicon('an exception is the outcome of a case, and the process goes on', (t) => {
	const outcome = (bytes: ArrayLike<number>, rax = 0n) => {
		const {after} = runCase(bytes, ({before}) => {
			before.gpr[registerIndex('rax')] = rax;
		});
		return {
			vector: after.vector,
			offset: Number(after.rip) - codeAddress,
			errorCode: after.errorCode,
			rax: after.gpr[0],
		};
	};
	const divide = assembled(({div}) => div(rcx));
	t.deepEqual(outcome(divide, 5n), {vector: 0, offset: 0, errorCode: 0, rax: 5n});
	t.deepEqual(outcome([0xcc]), {vector: 3, offset: 1, errorCode: 0, rax: 0n});
	t.deepEqual(outcome([0x90, 0x0f, 0x0b]), {vector: 6, offset: 1, errorCode: 0, rax: 0n});
	const store = assembled(({mov}) => mov(byte(rax), cl));
	const nonCanonical = 1n << 63n;
	t.deepEqual(outcome(store, nonCanonical), {vector: 13, offset: 0, errorCode: 0, rax: nonCanonical});
	// A write by user mode to a page that is not there.
	t.deepEqual(outcome(store, 0x100n), {vector: 14, offset: 0, errorCode: 6, rax: 0x100n});
});

onSilicon('a page fault names its address, also where the stack is what is missing', (t) => {
	const {after} = runCase(
		assembled(({push}) => push(rax)),
		({before}) => {
			before.gpr[registerIndex('rsp')] = 0x1008n;
		},
	);
	t.deepEqual([after.vector, after.cr2, after.gpr[registerIndex('rsp')]], [14, 0x1000n, 0x1008n]);
});

onSilicon('a case that writes outside its window is refused', (t) => {
	const write = assembled(({mov}) => mov(qword(windowEnd), rsp));
	t.throws(() => runCase(write), {message: new RegExp(`outside its window, at ${windowEnd.toString(16)}`)});
	t.notThrows(() => runCase([0x90]));
});

onSilicon('a state that no processor can have is refused', (t) => {
	const prepare = (record: {before: {xsave: {mxcsr: number}}}) => {
		record.before.xsave.mxcsr = 0xffff_ffff;
	};
	t.throws(() => runCase([0x90], prepare), {message: /state of case 0 cannot be loaded: exception 13/});
	t.notThrows(() =>
		runCase([0x90], ({before: {xsave}}) => {
			xsave.mxcsr = 0x1f80;
		}),
	);
});
