import {once} from 'node:events';
import {setTimeout} from 'node:timers/promises';
import {Worker} from 'node:worker_threads';
import test, {type ExecutionContext} from 'ava';
import {Random} from '#test/silicon';
import {enterVcpu, LoneVcpus} from '#vcpu-worker/software/back-end/testing';
import {Rendezvous, requestWords} from '#vcpu-worker/software/shared';
import {CpuState, memoryMap, Request} from '#vcpu-worker/software/state';
import {GuestThreads} from '#vcpu-worker/software/system/testing';
import {flowsAt, hostileFlows} from './fuzz/hostile-flows.ts';
import {beginLongMode} from './fuzz/long-mode.ts';
import {codeAt, startBytes} from './raw-code.ts';

/** What a stop may cost a guest. */
const bound = 100_000n;
const ramBytes = 0x40_0000;
const seed = 1;
const Register = {rax: 0, rcx: 1, rdx: 2, rbx: 3, rsp: 4, rsi: 6, rdi: 7, r8: 8} as const;
/** Where guests have what: any linear address but the low GiB leads to the same 2 MiB, the second ones of RAM. */
const at = {
	gdt: 0x1000,
	idt: 0x2000,
	task: 0x3000,
	tables: 0x4000,
	handler: 0x8000,
	code: 0x1_0000,
	stack: 0x2_0000,
} as const;
const device = 0x8000_0000n;
const missing = 0x4000_0000n;
const vector = 0x40;

/** Threads that kick: plain JavaScript, which is there at once. It counts behind its kick, so that being late does not count. */
const kicker = `
	const {workerData: {words, state, budgetAt, instructionsAt, requestAt, kick}} = require('node:worker_threads');
	const [budget, request] = [new Int32Array(state, budgetAt, 1), new Int32Array(state, requestAt, 1)];
	const instructions = new BigUint64Array(state, instructionsAt, 1);
	// What is left of a round's budget first: where a round ends between, too much is counted, never too little.
	const count = () => {
		const left = Atomics.load(budget, 0);
		return Atomics.load(instructions, 0) + BigInt(20000 - left);
	};
	for (;;) {
		Atomics.wait(words, 0, 0n);
		const wanted = Atomics.load(words, 1);
		if (wanted < 0n) break;
		const end = performance.now() + 20;
		while (count() < wanted && performance.now() < end);
		Atomics.or(request, 0, kick);
		Atomics.notify(request, 0);
		Atomics.store(words, 2, count());
		Atomics.store(words, 0, 0n);
		Atomics.notify(words, 0);
	}
`;

interface Guest {
	readonly code: readonly number[];
	/** Of exceptions, of the vector, and of everything else. */
	readonly handler?: readonly number[];
	readonly general?: Readonly<Record<number, bigint>>;
	/** RFLAGS. */
	readonly flags?: number;
	readonly rip?: bigint;
	prepare?(ram: DataView): void;
}

const word = (value: number): readonly number[] => [...new Uint8Array(Uint32Array.of(value).buffer)];
const [cli, sti, hlt, iret] = [0xfa, 0xfb, 0xf4, [0x48, 0xcf]] as const;
const again = [0xeb, 0xfe];
/** An index in the upper GiBs, where memory goes on and on. */
const far = (1n << 40n) + (8n << 30n);
const huge = 1n << 63n;
/** MOV EAX,value; MOV ECX,register; XOR EDX,EDX; WRMSR. */
const wrmsr = (register: number, value: number) => [
	0xb9,
	...word(register),
	0xb8,
	...word(value),
	0x31,
	0xd2,
	0x0f,
	0x30,
];
/** Enables the local APIC in x2APIC mode. */
const apic = [...wrmsr(0x1b, 0xfee0_0d00), ...wrmsr(0x80f, 0x1ff)];
const selfIpi = wrmsr(0x83f, vector);
const endOfInterrupt = wrmsr(0x80b, 0);
/** Periodic, and due with every count: there is always an interrupt. */
const timer = [...wrmsr(0x832, 0x2_0000 | vector), ...wrmsr(0x83e, 0xb), ...wrmsr(0x838, 1)];
/** Jumps back to the beginning. */
const loop = (...code: readonly number[]) => [...code, 0xe9, ...word(-(code.length + 5))];

const strings: Readonly<Record<string, readonly number[]>> = {
	'REP MOVSB': [0xf3, 0xa4],
	'REP MOVSQ': [0xf3, 0x48, 0xa5],
	'REP STOSB': [0xf3, 0xaa],
	'REP LODSQ': [0xf3, 0x48, 0xad],
	'REPE CMPSB': [0xf3, 0xa6],
	'REPNE SCASB': [0xf2, 0xae],
	'REP MOVSB of 32-bit addresses': [0x67, 0xf3, 0xa4],
	'REP INSB': [0xf3, 0x6c],
	'REP OUTSD': [0xf3, 0x6f],
};

const guests: Readonly<Record<string, Guest>> = {
	'a loop': {code: again},
	'code without branches': {
		code: [],
		rip: far,
		prepare: (ram) => new Uint8Array(ram.buffer, ram.byteOffset + 0x20_0000, 0x20_0000).fill(0x90),
	},
	'instructions of the system without branches': {
		code: [],
		rip: far,
		// CPUID and CLTS.
		prepare: (ram) => {
			for (let place = 0x20_0000; place < 0x40_0000; place += 4) ram.setUint32(place, 0x060f_a20f, true);
		},
	},
	'translations that lead to each other': {
		// XCHG RAX,RBX; JMP RAX; and in another page XCHG RAX,RBX; JMP RAX.
		code: [0x48, 0x93, 0xff, 0xe0],
		general: {[Register.rax]: BigInt(at.code), [Register.rbx]: BigInt(at.code + 0x1000)},
		prepare: (ram) => new Uint8Array(ram.buffer, ram.byteOffset + at.code + 0x1000).set([0x48, 0x93, 0xff, 0xe0]),
	},
	'a loop of two pages': {
		code: [0xe9, ...word(0x1000 - 5)],
		prepare: (ram) => new Uint8Array(ram.buffer, ram.byteOffset + at.code + 0x1000).set([0xe9, ...word(-0x1000 - 5)]),
	},
	'an instruction of two pages': {
		code: [],
		rip: far + 0xffdn,
		// ADD EAX,1; JMP to it.
		prepare: (ram) => {
			for (const [index, value] of [0x05, 1, 0, 0, 0, 0xeb, 0xf9].entries()) ram.setUint8(0x20_0ffd + index, value);
		},
	},
	...Object.fromEntries(
		Object.entries(strings).flatMap(([name, code]): [string, Guest][] => {
			const general = {
				[Register.rcx]: huge,
				[Register.rsi]: far,
				[Register.rdi]: far + 1n,
				[Register.rdx]: 0x80n,
				[Register.rax]: 0xffn,
			};
			const isShort = code[0] === 0x67;
			const short = isShort
				? {[Register.rsi]: 0xd000_0000n, [Register.rdi]: 0xd000_0001n, [Register.rcx]: 0xffff_ffffn}
				: {};
			return [
				[`${name} of 2^63 elements`, {code: loop(...code), general: {...general, ...short}}],
				[`${name} downwards`, {code: loop(...code), general: {...general, ...short}, flags: 0x402}],
				[`${name} of no elements`, {code: loop(...code), general: {...general, [Register.rcx]: 0n}}],
				[
					`${name} that faults`,
					{
						code,
						general: {...general, [Register.rsi]: missing - 3n, [Register.rdi]: missing - 2n},
						handler: [0x83, 0xc4, 8, ...iret],
					},
				],
				[
					`${name} of a device`,
					{code: loop(...code), general: {...general, [Register.rsi]: device, [Register.rdi]: device + 1n}},
				],
			];
		}),
	),
	'undefined instructions': {code: [0x0f, 0x0b], handler: iret},
	'exceptions in their handlers': {code: [0x0f, 0x0b], handler: [0x0f, 0x0b]},
	'page faults of a stack that runs away': {
		code: [0x0f, 0x0b],
		handler: [0x0f, 0x0b],
		general: {[Register.rsp]: missing + 0x2000n},
	},
	'INT and IRET': {code: loop(0xcd, vector), handler: iret},
	'a handler that jumps to itself': {code: [0x0f, 0x0b], handler: again},
	'single steps': {code: loop(0x90), handler: iret, flags: 0x102},
	'code in the memory of a device': {code: [], rip: device, handler: [0x83, 0xc4, 8, ...iret]},
	'code at an address that is not canonical': {
		code: loop(0x48, 0xff, 0xe0),
		general: {[Register.rax]: 1n << 60n},
		handler: [0x83, 0xc4, 8, ...iret],
	},
	'an IPI to itself in each handler': {
		code: [...apic, ...selfIpi, sti, ...again],
		handler: [...endOfInterrupt, ...selfIpi, ...iret],
	},
	'a timer that is always due': {code: [...apic, ...timer, sti, ...again], handler: [...endOfInterrupt, ...iret]},
	'HLT with interrupts that wait': {
		code: [...apic, ...timer, ...loop(sti, hlt)],
		handler: [...endOfInterrupt, ...iret],
	},
	'HLT without interrupts': {code: loop(cli, hlt)},
	'interrupts that nobody ends': {code: [...apic, ...timer, sti, ...again], handler: iret},
	// MOV [RIP+1],ECX rewrites the constant of MOV EAX, which comes next; INC ECX.
	'code that rewrites itself': {code: loop(0x89, 0x0d, 1, 0, 0, 0, 0xb8, 0, 0, 0, 0, 0xff, 0xc1)},
	// MOV [RDI],RAX; INVLPG [RBX]; MOV CL,[RBX]; XOR RAX,RDX.
	'page tables that change': {
		code: loop(0x48, 0x89, 0x07, 0x0f, 0x01, 0x3b, 0x8a, 0x0b, 0x48, 0x31, 0xd0),
		general: {
			[Register.rdi]: BigInt(at.tables + 0x3000 + 8),
			[Register.rbx]: far + 0x20_0000n,
			[Register.rax]: 0x83n,
			[Register.rdx]: 0x20_0000n,
		},
	},
	// MOV RAX,CR3; MOV CR3,RAX.
	'loads of CR3': {code: loop(0x0f, 0x20, 0xd8, 0x0f, 0x22, 0xd8)},
	// LOCK INC of four bytes in two lines and two pages.
	'LOCK across pages': {code: loop(0xf0, 0xff, 0x07), general: {[Register.rdi]: far + 0xffen}},
	// XCHG with a device.
	'LOCK on a device': {code: loop(0x87, 0x07), general: {[Register.rdi]: device}},
	// FLDPI; FSIN; FSTP ST(0).
	'functions of the x87': {code: loop(0xd9, 0xeb, 0xd9, 0xfe, 0xdd, 0xd8)},
	// RDTSC; PAUSE; MWAIT is none.
	'a spin lock': {code: loop(0xf3, 0x90, 0x0f, 0x31)},
	...Object.fromEntries(
		Object.entries(hostileFlows).map(([name, {code}]): [string, Guest] => [
			name,
			{
				code: [],
				rip: BigInt(flowsAt),
				general: {[Register.rcx]: huge - 1n},
				prepare: (ram) => new Uint8Array(ram.buffer).set(code, flowsAt),
			},
		]),
	),
};

class Kicker {
	readonly #words = new BigInt64Array(new SharedArrayBuffer(3 * 8));
	readonly #worker: Worker;

	constructor(state: SharedArrayBuffer) {
		const place = (field: 'budget' | 'instructions' | 'request') => CpuState.offset(field);
		const places = {budgetAt: place('budget'), instructionsAt: place('instructions'), requestAt: place('request')};
		this.#worker = new Worker(kicker, {
			eval: true,
			workerData: {words: this.#words, state, ...places, kick: Request.KICK},
			execArgv: [],
		});
	}

	/** Has it kick when so many instructions have been executed, or some time later. */
	begin(count: bigint): void {
		Atomics.store(this.#words, 1, count);
		Atomics.store(this.#words, 0, 1n);
		Atomics.notify(this.#words, 0);
	}

	/** Number of instructions that had been executed when it had kicked. */
	end(): bigint {
		Atomics.wait(this.#words, 0, 1n);
		return Atomics.load(this.#words, 2);
	}

	async close(): Promise<void> {
		const exit = once(this.#worker, 'exit');
		this.begin(-1n);
		await exit;
	}
}

async function makeVcpu() {
	const vcpus = new LoneVcpus(1, [{gpa: 0, length: ramBytes}]);
	return {vcpus, vcpu: await enterVcpu(vcpus.of(0))};
}

type Machine = Awaited<ReturnType<typeof makeVcpu>>;

/** Puts a guest of long mode into memory, with gates of all vectors to its handler. */
function load({vcpus, vcpu}: Machine, guest: Guest, heat: number | undefined): void {
	vcpu.reset();
	vcpu.processor.heat = heat;
	const image = new Uint8Array(ramBytes);
	const view = new DataView(image.buffer);
	view.setBigUint64(at.gdt + 8, 0x00af_9b00_0000_ffffn, true);
	view.setBigUint64(at.gdt + 16, 0x00cf_9300_0000_ffffn, true);
	for (let number = 0; number < 256; number++) {
		view.setBigUint64(at.idt + number * 16, BigInt(at.handler & 0xffff) | 0x8_0000n | (0x8e01n << 32n), true);
	}
	view.setBigUint64(at.task + 0x24, BigInt(at.stack), true);
	// The low GiB as it is, with a hole and a device; all others are 2 MiB again and again.
	const [pointers, low, other] = [at.tables + 0x1000, at.tables + 0x2000, at.tables + 0x3000];
	for (let index = 0; index < 512; index++) {
		view.setBigUint64(at.tables + index * 8, BigInt(pointers) | 3n, true);
		view.setBigUint64(pointers + index * 8, BigInt(index % 512 === 0 ? low : other) | 3n, true);
		view.setBigUint64(low + index * 8, (BigInt(index) << 21n) | 0x83n, true);
		view.setBigUint64(other + index * 8, 0x20_0083n, true);
	}
	image.set(guest.code, at.code);
	image.set(guest.handler ?? [], at.handler);
	// Devices and holes have GiBs of their own.
	view.setBigUint64(pointers + 8, 0n, true);
	view.setBigUint64(pointers + 16, (device & ~0xfffn) | 0x83n, true);
	guest.prepare?.(view);
	vcpus.memory.copyIn(0, image);
	const {processor} = vcpu;
	const {state} = processor.core;
	beginLongMode(processor, {rip: at.code, tables: at.tables, stack: at.stack});
	state.rip = guest.rip ?? state.rip;
	state.controlFlags = guest.flags ?? state.controlFlags;
	for (const [register, value] of Object.entries(guest.general ?? {})) state.general[Number(register)] = value;
	Object.assign(state.gdtr, {base: BigInt(at.gdt), limit: 0x17});
	// An exception that a guest is not to have is a triple fault.
	Object.assign(state.idtr, {base: BigInt(at.idt), limit: guest.handler === undefined ? 0 : 0xfff});
	Object.assign(state.segments[7] ?? {}, {base: BigInt(at.task), limit: 0x67, attributes: 0x8b});
	processor.changed();
}

function stops(
	t: ExecutionContext,
	machine: Machine,
	kicks: Kicker,
	[name, guest]: [string, Guest],
	random: Random,
	heat?: number,
): void {
	load(machine, guest, heat);
	const {vcpu} = machine;
	const {state} = vcpu.processor.core;
	for (let kick = 0; kick < 3; kick++) {
		vcpu.clearKick();
		const before = state.instructions;
		kicks.begin(before + BigInt(random.below(60_000)));
		t.is(vcpu.run(), 'interrupted', name);
		const more = state.instructions - kicks.end();
		t.true(more < bound, `${name}: ${more} instructions after a stop was asked for`);
	}
}

for (const heat of [undefined, 1])
	test(`a guest goes on for no more than 100,000 instructions after a stop was asked for, ${heat === undefined ? 'interpreted' : 'translated'}, whatever it does`, async (t) => {
		t.timeout(600_000);
		const machine = await makeVcpu();
		const random = new Random(seed);
		const kicks = new Kicker(machine.vcpu.processor.core.memory);
		for (const guest of Object.entries(guests)) stops(t, machine, kicks, guest, random, heat);
		await kicks.close();
	});

test('processors that contend for locks stop, whatever keeps the others out', async (t) => {
	const guest = new GuestThreads(2);
	const {ram, shared} = guest.lone;
	const [code, place] = [0x20_0000, 0x40_0000];
	const body = [
		...[0xf0, 0xff, 0x87, ...word(0xffe)], // LOCK INC dword [RDI+FFE], in two pages
		...[0xf0, 0x48, 0x0f, 0xc7, 0x0f], // LOCK CMPXCHG16B [RDI]
		...[0x87, 0x47, 8], // XCHG [RDI+8],EAX
		...[0xf0, 0x48, 0x0f, 0xc1, 0x17], // LOCK XADD [RDI],RDX
	];
	ram.set(loop(...body), code);
	const general = Array.from({length: 16}, (_, register) => (register === Register.rdi ? BigInt(place) : 0n));
	guest.start([0, 1].map(() => ({entry: code, general})));
	const states = shared.memories.map(({buffer}) => CpuState.on(buffer, memoryMap.state));
	while (states.some(({instructions}) => instructions < 20_000n)) await setTimeout(5);
	guest.stop();
	const before = states.map(({instructions}) => instructions);
	const ends = await guest.ends();
	t.deepEqual(
		ends.map(({stop}) => stop),
		['polled', 'polled'],
	);
	for (const [index, {instructions}] of states.entries()) t.true(instructions - (before[index] as bigint) < bound);
});

test.serial('a processor that halts behind a kick ends its run without a wait', async (t) => {
	const machine = await makeVcpu();
	// OUT 80h,AL; HLT; JMP to the first.
	load(machine, {code: [0xe6, 0x80, 0xf4, 0xeb, 0xfb]}, undefined);
	const {vcpu} = machine;
	const {processor} = vcpu;
	let [waits, halts] = [0, 0];
	const {wait} = Atomics;
	t.teardown(() => Object.assign(Atomics, {wait}));
	Object.assign(Atomics, {
		wait() {
			waits++;
			return 'timed-out';
		},
	});
	Object.assign(processor.outside, {
		writePort: () => void Atomics.or(processor.core.state.$atomic, CpuState.word('request'), Request.KICK),
	});
	for (let round = 0; round < 30; round++) {
		vcpu.clearKick();
		t.is(vcpu.run(), 'interrupted');
		if (processor.isHalted) halts++;
		processor.isHalted = false;
	}
	t.true(halts > 0);
	t.is(waits, 0);
});

test.serial('a processor that halts waits, whatever the PIC has that LINT0 keeps away', async (t) => {
	const machine = await makeVcpu();
	// STI; HLT; JMP to the first.
	load(machine, {code: [sti, hlt, 0xeb, 0xfc]}, undefined);
	const {vcpu} = machine;
	const {apic, processor} = vcpu;
	const kick = () => void Atomics.or(processor.core.state.$atomic, CpuState.word('request'), Request.KICK);
	let [waits, looks] = [0, 0];
	const {wait} = Atomics;
	t.teardown(() => Object.assign(Atomics, {wait}));
	Object.assign(Atomics, {
		wait() {
			waits++;
			kick();
			return 'ok';
		},
	});
	const expire = apic.expire.bind(apic);
	apic.expire = () => {
		// One that does not wait would not come back.
		if (++looks > 100) kick();
		expire();
	};
	const lint0 = (entry: number) => apic.writePage(0x350, 4, entry);
	const [external, masked] = [0x700, 0x1_0000];
	apic.writePage(0xf0, 4, 0x1ff);
	lint0(external | masked);
	vcpu.requestInterruptWindow(true);
	t.is(vcpu.run(), 'interrupted');
	t.deepEqual([processor.isHalted, waits], [true, 1]);
	lint0(external);
	t.is(vcpu.run(), 'interrupted');
	t.is(waits, 1);
	t.true(vcpu.readyForInterrupt && looks < 10);
});

test('a processor whose host throws keeps no other one waiting', (t) => {
	// MOV [RSI],AL, to a device.
	const {processor, shared} = startBytes([0x88, 0x06], codeAt, {
		processors: 2,
		deviceWrite() {
			throw new Error('the host fails');
		},
	});
	processor.core.state.general[Register.rsi] = 0x3000_0000n;
	t.throws(() => processor.run(1), {message: 'the host fails'});
	t.true(new Rendezvous(shared.epochs, 1, requestWords(shared)).dropAll(0));
});
