import test from 'ava';
import type {DebugPlan} from '#vcpu-worker/debug';
import type {GuestProcessor} from './guest-processor.ts';
import {codeAt, gates, handle, handlerAt, kernelCode, stackTop, startBytes} from './raw-code.ts';

const TF = 0x100;
const interruptFlag = 0x200;
const data = stackTop - 0x8000;
const hlt = 0xf4;
/** DR6 with nothing in it. */
const dr6Base = 0xffff_0ff0n;
const [singleStep, guarded] = [0x4000n, 0x2000n];

/** A debug exception as its handler found it. */
interface Report {
	/** Where it returns to, from the code's begin on. */
	readonly at: number;
	readonly bits: bigint;
	readonly resumes: boolean;
}

/** Runs code whose debug exceptions are noted by a handler that halts, and then goes on behind them. */
function reportsOf(code: readonly number[], prepare: (guest: GuestProcessor) => void): Report[] {
	const guest = startBytes([...code, hlt]);
	const {processor, ram} = guest;
	const {state} = processor.core;
	// OUT 80h,AL; HLT; IRETQ.
	handle(guest, 1, [0xe6, 0x80, hlt, 0x48, 0xcf]);
	Object.assign(state.segments[1] ?? {}, {selector: kernelCode});
	prepare(guest);
	processor.changed();
	const reports: Report[] = [];
	for (let round = 0; round < 20; round++) {
		if (processor.run(10_000) !== 'halted') break;
		if (guest.writes.length === reports.length) return reports;
		const frame = new BigUint64Array(ram.buffer, Number(state.general[4]), 3);
		const bits = (state.debug[6] as bigint) ^ dr6Base;
		reports.push({at: Number(frame[0]) - codeAt, bits, resumes: ((frame[2] as bigint) & 0x1_0000n) !== 0n});
		if (Number(frame[0]) > codeAt + code.length) return reports;
		state.debug[6] = dr6Base;
		processor.isHalted = false;
	}
	throw new Error('the code does not end');
}

/** Sets DR0 and its condition in DR7, and RSI to the data. */
const watch =
	(address: number, condition: number, cr4 = 0n) =>
	({processor: {core}}: GuestProcessor): void => {
		const {state} = core;
		state.debug[0] = BigInt(address);
		state.debug[7] = 0x402n | (BigInt(condition) << 16n);
		state.general[6] = BigInt(data);
		state.cr4 |= cr4;
	};
const trap = (at: number, bits: bigint): Report => ({at, bits, resumes: false});

test('TF traps behind each instruction, behind the next one where POPF sets it, and behind that which clears it', (t) => {
	// PUSHF; OR [RSP],100h; POPF; INC EAX; INC EAX; PUSHF; AND [RSP],~100h; POPF; INC EAX.
	const code = [
		...[0x9c, 0x81, 0x0c, 0x24, 0, 1, 0, 0, 0x9d, 0xff, 0xc0, 0xff, 0xc0],
		...[0x9c, 0x81, 0x24, 0x24, 0xff, 0xfe, 0xff, 0xff, 0x9d, 0xff, 0xc0],
	];
	const reports = reportsOf(code, () => {});
	t.deepEqual(
		reports,
		[11, 13, 14, 21, 22].map((at) => trap(at, singleStep)),
	);
});

test('TF traps behind each element of a string, behind instructions of the system, and not behind MOV to SS', (t) => {
	const prepare = ({processor: {core}}: GuestProcessor) => {
		core.state.controlFlags |= TF;
		core.state.general[1] = 2n;
		core.state.general[7] = BigInt(data);
	};
	// REP STOSB; CPUID; XOR EAX,EAX; MOV SS,AX; NOP; NOP, and HLT.
	const reports = reportsOf([0xf3, 0xaa, 0x0f, 0xa2, 0x31, 0xc0, 0x8e, 0xd0, 0x90, 0x90], prepare);
	t.deepEqual(
		reports.map(({at}) => at),
		[0, 2, 4, 6, 9, 10, 11],
	);
	// Between two elements RF is set.
	t.deepEqual(
		reports.map(({resumes}) => resumes),
		[true, false, false, false, false, false, false],
	);
	// REP INSB.
	const input = reportsOf([0xf3, 0x6c, 0x90], prepare);
	t.deepEqual(
		input.map(({at, resumes}) => [at, resumes]),
		[
			[0, true],
			[2, false],
			[3, false],
			[4, false],
		],
	);
});

test('an interrupt between two elements of a string finds RF set, one behind the last does not', (t) => {
	const vector = 0x41;
	const resumes = (code: readonly number[], count: number, budget: number) => {
		const guest = startBytes([...code, 0x90, 0x90, hlt]);
		const {processor, ram} = guest;
		const {state} = processor.core;
		handle(guest, vector, [hlt]);
		Object.assign(state.segments[1] ?? {}, {selector: kernelCode});
		state.general.set([0n, BigInt(count)]);
		state.general[7] = BigInt(data);
		processor.changed();
		processor.run(budget);
		const at = Number(state.rip) - codeAt;
		processor.interrupt(vector);
		const frame = new BigUint64Array(ram.buffer, Number(state.general[4]), 3);
		return [at, state.general[1], ((frame[2] as bigint) & 0x1_0000n) !== 0n];
	};
	// REP STOSB; REP INSB.
	for (const code of [
		[0xf3, 0xaa],
		[0xf3, 0x6c],
	]) {
		const [at, left, isSet] = resumes(code, 5000, 3);
		t.deepEqual([at, isSet], [0, true]);
		t.true((left as bigint) > 0n);
		t.deepEqual(resumes(code, 2, 100), [code.length + 3, 0n, false]);
	}
});

test('an instruction at a breakpoint faults before it, once, as RF is set then', (t) => {
	// INC EAX; INC EAX; JMP $+2; INC EAX.
	const code = [0xff, 0xc0, 0xff, 0xc0, 0xeb, 0, 0xff, 0xc0];
	for (const at of [0, 2, 4, 6]) t.deepEqual(reportsOf(code, watch(codeAt + at, 0)), [{at, bits: 1n, resumes: true}]);
	t.deepEqual(reportsOf(code, watch(codeAt + 1, 0)), [], 'it begins elsewhere');
	// REP STOSB of three elements is one instruction.
	const repeated = (guest: GuestProcessor) => {
		watch(codeAt, 0)(guest);
		guest.processor.core.state.general[1] = 3n;
		guest.processor.core.state.general[7] = BigInt(data);
	};
	t.deepEqual(reportsOf([0xf3, 0xaa], repeated), [{at: 0, bits: 1n, resumes: true}]);
});

test('data breakpoints trap behind the access, of their kind and width', (t) => {
	const [write, access] = [0b0001, 0b0011];
	const wide = 0b1100;
	// MOV EAX,[RSI]; MOV [RSI+1],AL; ADD [RSI],EAX; NOP.
	const code = [0x8b, 0x06, 0x88, 0x46, 1, 0x01, 0x06, 0x90];
	t.deepEqual(
		reportsOf(code, watch(data, write)).map(({at}) => at),
		[7],
	);
	t.deepEqual(
		reportsOf(code, watch(data, write | wide)).map(({at}) => at),
		[5, 7],
	);
	t.deepEqual(reportsOf(code, watch(data, access)), [trap(2, 1n), trap(7, 1n)]);
	t.deepEqual(reportsOf(code, watch(data + 8, access | wide)), [], 'the page alone is no hit');
	// SGDT [RSI]; NOP.
	t.deepEqual(reportsOf([0x0f, 0x01, 0x06, 0x90], watch(data, write)), [trap(3, 1n)]);
});

/** Gives a vector a handler that begins elsewhere and keeps the stack, on which SS is what is watched, in DR0. */
function watchFrame(guest: GuestProcessor, vector: number): void {
	handle(guest, vector, []);
	const gate = new BigUint64Array(guest.ram.buffer, gates + vector * 16, 1);
	gate[0] = ((gate[0] as bigint) & ~(7n << 32n)) + BigInt(frameHandler - handlerAt);
	guest.ram.set([0x90, hlt], frameHandler);
	// OUT 80h,AL; HLT; IRETQ.
	handle(guest, 1, [0xe6, 0x80, hlt, 0x48, 0xcf]);
	watch(stackTop - 8, 0b0001)(guest);
}
const frameHandler = handlerAt + 0x40;
const inHandler = trap(frameHandler - codeAt, 1n);

test('a stack frame that is watched traps in its handler, before the first instruction', (t) => {
	// UD2; INT 20h: an exception, and an instruction.
	t.deepEqual(
		reportsOf([0x0f, 0x0b], (guest) => watchFrame(guest, 6)),
		[inHandler],
	);
	t.deepEqual(
		reportsOf([0xcd, 0x20], (guest) => watchFrame(guest, 0x20)),
		[inHandler],
	);
	// MOV AL,[RSP-8]; UD2: reads are watched too.
	const read = (guest: GuestProcessor) => {
		watchFrame(guest, 6);
		guest.processor.core.state.debug[7] = 0x402n | (0b0011n << 16n);
	};
	t.deepEqual(reportsOf([0x8a, 0x44, 0x24, 0xf8, 0x0f, 0x0b], read), [trap(4, 1n), inHandler]);
	// CALL FAR [RSI] to what follows: its frame has two values of four bytes.
	const call = (guest: GuestProcessor) => {
		watch(stackTop - 4, 0b0001)(guest);
		new DataView(guest.ram.buffer).setUint32(data, codeAt + 2, true);
		guest.ram[data + 4] = kernelCode;
	};
	t.deepEqual(reportsOf([0xff, 0x1e, 0x90], call), [trap(2, 1n)]);
});

test('so does the frame of an interrupt from outside, which another one waits for', (t) => {
	const guest = startBytes([0x90, hlt]);
	const {processor, ram} = guest;
	const {state} = processor.core;
	watchFrame(guest, 0x41);
	Object.assign(state.segments[1] ?? {}, {selector: kernelCode});
	state.controlFlags |= interruptFlag;
	processor.changed();
	t.true(processor.canInterrupt);
	t.true(processor.interrupt(0x41));
	state.controlFlags |= interruptFlag;
	t.false(processor.canInterrupt);
	t.is(processor.run(100), 'halted');
	const [rip] = new BigUint64Array(ram.buffer, Number(state.general[4]), 1);
	t.is(rip, BigInt(frameHandler));
	t.is(state.debug[6], dr6Base | 1n);
});

test('a frame of debug exceptions that is watched has no end, which can be stopped', (t) => {
	const guest = startBytes([0xf1, hlt]);
	const {processor} = guest;
	handle(guest, 1, [hlt]);
	Object.assign(processor.core.state.segments[1] ?? {}, {selector: kernelCode});
	watch(stackTop - 0x1008, 0b0001)(guest);
	processor.changed();
	t.is(processor.run(1000), 'polled');
	t.true(processor.debug.isPending);
	processor.reset(0, false);
	t.false(processor.debug.isPending);
});

test("the host's debugger sees a frame that it watches", (t) => {
	const guest = startBytes([0x0f, 0x0b]);
	const {processor} = guest;
	watchFrame(guest, 6);
	const {state} = processor.core;
	state.debug[7] = 0x400n;
	Object.assign(state.segments[1] ?? {}, {selector: kernelCode});
	processor.changed();
	const hardware = [{address: BigInt(stackTop - 8), kind: 'write', length: 8}] as const;
	processor.debug.plan = {step: false, breakpoints: [], hardware, stops: []};
	t.is(processor.run(100), 'debug');
	t.deepEqual(processor.debug.stop, {kind: 'hardware', index: 0});
	t.is(state.rip, BigInt(frameHandler));
	t.is(state.debug[6], dr6Base);
});

test('a port is watched where CR4.DE says so', (t) => {
	// IN AL,70h; NOP.
	const code = [0xe4, 0x70, 0x90];
	t.deepEqual(reportsOf(code, watch(0x70, 0b0010, 8n)), [trap(2, 1n)]);
	t.deepEqual(reportsOf(code, watch(0x71, 0b0010, 8n)), []);
	t.deepEqual(reportsOf(code, watch(0x70, 0b0010)), []);
});

test('a guarded debug register faults, which its handler can use; reserved bits keep their values', (t) => {
	// MOV RAX,DR0; INC EAX.
	const guard = ({processor: {core}}: GuestProcessor) => {
		core.state.debug[7] = 0x2400n;
	};
	t.deepEqual(reportsOf([0x0f, 0x21, 0xc0, 0xff, 0xc0], guard), [{at: 0, bits: guarded, resumes: true}]);
	// XOR EAX,EAX; MOV DR6,RAX; MOV DR7,RAX.
	const {processor} = startBytes([0x31, 0xc0, 0x0f, 0x23, 0xf0, 0x0f, 0x23, 0xf8, hlt]);
	processor.run(100);
	t.deepEqual([processor.core.state.debug[6], processor.core.state.debug[7]], [dr6Base, 0x400n]);
});

test('INT1 is a debug exception that DR6 has no bit for', (t) => {
	t.deepEqual(
		reportsOf([0xf1, 0x90], () => {}),
		[trap(1, 0n)],
	);
});

test("the host's debugger steps, and stops at what it has asked for, of which the guest sees nothing", (t) => {
	// INC EAX; MOV [RSI],EAX; INT3; INC EAX.
	const {processor} = startBytes([0xff, 0xc0, 0x89, 0x06, 0xcc, 0xff, 0xc0, hlt]);
	const {debug, core} = processor;
	core.state.general[6] = BigInt(data);
	const none: DebugPlan = {step: false, breakpoints: [], hardware: [], stops: []};
	const at = (): number => Number(core.state.rip) - codeAt;
	const runs: unknown[] = [];
	const run = (plan: Partial<DebugPlan>): void => {
		debug.plan = {...none, ...plan};
		runs.push([processor.run(100), debug.stop, at()]);
		debug.stop = undefined;
	};
	run({step: true});
	run({hardware: [{address: BigInt(data), kind: 'write', length: 4}]});
	run({breakpoints: [codeAt + 4]});
	core.state.rip = BigInt(codeAt + 5);
	run({hardware: [{address: BigInt(codeAt + 5), kind: 'execute', length: 1}]});
	run({stops: [BigInt(codeAt + 7)]});
	core.state.rip = BigInt(codeAt);
	run({step: {start: BigInt(codeAt), end: BigInt(codeAt + 4)}});
	core.state.rip = BigInt(codeAt + 5);
	debug.plan = undefined;
	t.is(processor.run(100), 'halted');
	t.deepEqual(runs, [
		['debug', {kind: 'step'}, 2],
		['debug', {kind: 'hardware', index: 0}, 4],
		['debug', {kind: 'breakpoint'}, 4],
		['debug', {kind: 'hardware', index: 0}, 5],
		['debug', {kind: 'breakpoint'}, 7],
		['debug', {kind: 'step'}, 4],
	]);
	t.is(core.state.debug[6], dr6Base);
});
