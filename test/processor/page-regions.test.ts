import test from 'ava';
import {
	type Assembler,
	byte,
	cr3,
	createAssembler,
	dword,
	eax,
	ecx,
	edx,
	esi,
	qword,
	r8,
	r11,
	r15,
	rax,
	rbx,
	rcx,
	rdi,
	rdx,
	rsi,
	rsp,
} from '#flowey/x86-assembler';
import {Lockstep} from '#vcpu-worker/software/lockstep';
import {type Answer, type TranslationSource, TranslationStore} from '#vcpu-worker/software/translation-store';
import {makeTranslations} from '#vcpu-worker/software/translator';
import type {GuestOptions, GuestProcessor} from './guest-processor.ts';
import {type KernelRun, left, runOn} from './kernel-runs.ts';
import {descriptors, handle, kernelCode, stackTop, startBytes, tables} from './raw-code.ts';

const pageBytes = 0x1000;
/** Linear addresses of a loop, of a function that it calls, in the next page, and of where that goes on, in the one behind. */
const loopAt = 0x40_0000;
const [functionAt, furtherAt] = [loopAt + pageBytes, loopAt + 2 * pageBytes];
/** Where else they are: in other physical pages, of which what is behind the first is code too, with other constants. */
const alias = 0x48_0000;
/** Physical addresses of what can be at the same linear addresses, which have pages of 4 KiB. */
const others = 0x60_0000;
const entriesAt = tables + 0x3000;
const entryOf = (linear: number) => entriesAt + ((linear - loopAt) / pageBytes) * 8;
const [isPresent, isUser, cannotExecute] = [3n, 4n, 1n << 63n];
const calls = 60;
const heats = [1, 20, 700];

const assemble = (origin: number, write: (asm: Assembler) => void) => {
	const asm = createAssembler({origin, bits: 64});
	write(asm);
	return asm.finish().bytes;
};
/** CALL, JMP or Jcc to an address. */
const near = (opcode: readonly number[], at: number, target: number): readonly number[] => [
	...opcode,
	...new Uint8Array(Int32Array.of(target - at - opcode.length - 4).buffer),
];
const [call, jmp] = [[0xe8], [0xe9]] as const;

/** MOV EAX,constant; JMP to the next page; there ADD EAX,constant; RET: at its begin, and where else the jump may go. */
function putFunction(ram: Uint8Array, physical: number, constant: number, further: number): void {
	const body = assemble(functionAt, ({mov, bytes}) => {
		mov(eax, constant);
		bytes(...near(jmp, functionAt + 5, further));
	});
	ram.set(body, physical);
	for (const [index, at] of [furtherAt, further].entries()) {
		const rest = assemble(at, ({add, ret}) => {
			add(eax, (constant + index) << 8);
			ret();
		});
		ram.set(rest, physical + at - functionAt);
	}
}

/** A guest in whose memory the loop, the functions and their others are, all mapped one to one by entries of their own. */
function start(code: Uint8Array, options: GuestOptions = {}): GuestProcessor {
	const guest = startBytes([], loopAt, {ramBytes: 0x80_0000, ...options});
	const {ram, processor} = guest;
	// To which handlers return.
	for (const [segment, selector] of [kernelCode, kernelCode + 8].entries())
		Object.assign(processor.core.state.segments[segment + 1] ?? {}, {selector});
	putFunction(ram, functionAt, 3, furtherAt);
	putFunction(ram, others + pageBytes, 11, furtherAt + 0x20);
	ram.set(code, loopAt);
	const words = new BigUint64Array(ram.buffer);
	words[(tables + 0x2000) / 8 + loopAt / 2 ** 21] = BigInt(entriesAt) | isPresent | isUser;
	for (let index = 0; index < 512; index++)
		words[entriesAt / 8 + index] = BigInt(loopAt + index * pageBytes) | isPresent | isUser;
	return guest;
}

/** A loop of calls, and what follows each time. */
const loop = (rounds: number, behind: (asm: Assembler) => void) =>
	assemble(loopAt, (asm) => {
		const {label, mov, bytes, add, rol, dec, jnz, hlt, align} = asm;
		mov(edx, rounds);
		label('round');
		mov(ecx, calls);
		// So that it is hot before the function, which its translation has as well.
		asm.jmp('again');
		align(16);
		label('again');
		bytes(...near(call, loopAt + 0x10, functionAt));
		add(rbx, rax);
		rol(rbx, 3);
		dec(ecx);
		jnz('again');
		behind(asm);
		dec(edx);
		jnz('round');
		hlt();
	});
/** A store for machines that each have a processor, and what it answers. */
function sharing() {
	const store = new TranslationStore(makeTranslations);
	const answers: Answer[] = [];
	const machine = (): TranslationSource => {
		const own: Answer[] = [];
		const ask = store.enter().join((answer) => own.push(answer));
		return {
			mayHave: (key) => store.begins.has(key),
			hasTime: () => false,
			ask(request) {
				ask(request);
				answers.push(...own);
				return own.splice(0);
			},
			take: () => undefined,
		};
	};
	return {answers, machine};
}

function runLoop(heat: number | undefined, rounds: number, behind: (asm: Assembler) => void, options?: GuestOptions) {
	const guest = start(loop(rounds, behind), options);
	guest.processor.heat = heat;
	return runOn(guest);
}

test('code of several pages that calls and jumps directly is one function', (t) => {
	const {answers, machine} = sharing();
	runLoop(50, 60, () => {}, {translations: machine()});
	const pages = answers.flatMap((answer) => (answer.kind === 'made' ? [answer.region.pages] : []));
	t.is(Math.max(...pages.map(({length}) => length)), 3);
});

test('code of several pages is compared in lockstep where the interpreter comes to another page, too', (t) => {
	const prepared = () => {
		const guest = start(loop(60, () => {}));
		// FNOP, behind which the interpreter goes on; CALL; RET.
		guest.ram.set([0xd9, 0xd0, ...near(call, functionAt + 2, furtherAt), 0xc3], functionAt);
		return guest;
	};
	const guest = prepared();
	const {processor} = guest;
	const found: unknown[] = [];
	processor.lockstep = new Lockstep(processor, {found: (each) => found.push(each), rounds: Number.POSITIVE_INFINITY});
	processor.heat = 20;
	runOn(guest);
	t.deepEqual(found, []);
	t.true(processor.lockstep.counters.rounds > 0);
	const expected = prepared();
	expected.processor.heat = undefined;
	t.deepEqual(left(guest), left(runOn(expected).guest));
});

/** Where the second of two machines has its functions. */
const arrangements: Readonly<Record<string, readonly (readonly [linear: number, physical: number])[]>> = {
	'alike in other pages': [
		[functionAt, others + 0x11 * pageBytes],
		[furtherAt, others + 0x15 * pageBytes],
	],
	unlike: [
		[functionAt, others + pageBytes],
		[furtherAt, others + 2 * pageBytes],
	],
	'unlike in the last page': [[furtherAt, others + 2 * pageBytes]],
};

for (const [name, places] of Object.entries(arrangements))
	test(`another machine whose code is ${name} executes its own`, (t) => {
		for (const heat of heats) {
			const runs = [undefined, heat].map((own) => {
				const {machine} = sharing();
				return [[], places].map((arrangement) => {
					const guest = start(
						loop(40, () => {}),
						{translations: machine()},
					);
					const {ram, processor} = guest;
					for (const [page, copy] of [
						[functionAt, 0x11],
						[furtherAt, 0x15],
					] as const)
						ram.copyWithin(others + copy * pageBytes, page, page + pageBytes);
					const words = new BigUint64Array(ram.buffer);
					for (const [linear, physical] of arrangement)
						words[entryOf(linear) / 8] = BigInt(physical) | isPresent | isUser;
					processor.heat = own;
					const run = runOn(guest);
					t.is(run.most > 0, own !== undefined);
					return left(run.guest);
				});
			});
			t.deepEqual(runs[1], runs[0], `heat ${heat}`);
		}
	});

/** Exchanges entries of linear pages for those of others. */
const exchange = ({mov, xor}: Assembler, pages: readonly number[], bits = BigInt(loopAt ^ others)) => {
	mov(rax, bits);
	for (const page of pages) xor(qword(entryOf(page)), rax);
};
/** What has another page be at the address of the functions. */
const changes: Readonly<Record<string, (asm: Assembler) => void>> = {
	'INVLPG of it': (asm) => {
		exchange(asm, [functionAt, furtherAt]);
		for (const page of [functionAt, furtherAt]) {
			asm.mov(rdi, page);
			asm.invlpg(byte(rdi));
		}
	},
	'INVLPG of the last one only': (asm) => {
		exchange(asm, [furtherAt]);
		asm.mov(rdi, furtherAt);
		asm.invlpg(byte(rdi));
	},
	'a load of CR3': (asm) => {
		exchange(asm, [functionAt, furtherAt]);
		asm.mov(rax, cr3);
		asm.mov(cr3, rax);
	},
	'stores to two of its pages': ({add, inc}) => {
		add(dword(functionAt + 1), 5);
		inc(byte(furtherAt + 1));
	},
};

for (const [name, change] of Object.entries(changes))
	test(`code of several pages is what is there behind ${name}`, (t) => {
		const expected = runLoop(undefined, 30, change);
		let most = 0;
		for (const heat of heats) {
			const actual = runLoop(heat, 30, change);
			most += actual.most;
			t.deepEqual(left(actual.guest), left(expected.guest), `heat ${heat}`);
		}
		t.true(most > 0);
	});

/** What takes a page of the region away, so that its handler has to give it back. */
const takings = {'is not there': 1n, 'cannot be executed': cannotExecute};

for (const [name, bit] of Object.entries(takings))
	for (const [which, page] of Object.entries({second: functionAt, third: furtherAt}))
		test(`code whose ${which} page ${name} any more faults there`, (t) => {
			const take = (asm: Assembler) => {
				exchange(asm, [page], bit);
				asm.mov(rdi, page);
				asm.invlpg(byte(rdi));
			};
			const handler = assemble(0, (asm) => {
				const {push, pop, add, iretq} = asm;
				push(rax);
				take(asm);
				pop(rax);
				add(r8, 1);
				add(rsp, 8);
				iretq();
			});
			const runs = [undefined, ...heats].map((heat) => {
				const guest = start(loop(20, take));
				handle(guest, 14, [...handler]);
				guest.processor.heat = heat;
				return left(runOn(guest).guest);
			});
			for (const actual of runs) t.deepEqual(actual, runs[0]);
			t.is(runs[0]?.general[8], 19n);
		});

test('a page that is at two addresses leads to what is behind each of them', (t) => {
	const code = assemble(loopAt, (asm) => {
		const {label, mov, bytes, add, rol, dec, jz, xor, hlt, align} = asm;
		mov(ecx, 3000);
		mov(rsi, loopAt + 0x40);
		mov(rdi, (loopAt + 0x40) ^ (alias + 0x40));
		bytes(0xff, 0xe6);
		align(0x40);
		// Here as well as there, and each time at the other one.
		bytes(...near(call, loopAt + 0x40, functionAt));
		add(rbx, rax);
		rol(rbx, 3);
		xor(rsi, rdi);
		dec(ecx);
		jz('end');
		// JMP RSI.
		bytes(0xff, 0xe6);
		label('end');
		hlt();
	});
	const runs = [undefined, ...heats].map((heat) => {
		const guest = start(code);
		const words = new BigUint64Array(guest.ram.buffer);
		for (const [page, physical] of [loopAt, others + pageBytes, others + 2 * pageBytes].entries())
			words[entryOf(alias) / 8 + page] = BigInt(physical) | isPresent | isUser;
		guest.processor.heat = heat;
		return runOn(guest);
	});
	for (const {guest} of runs) t.deepEqual(left(guest), left((runs[0] as KernelRun).guest));
	t.true((runs.at(-1)?.most ?? 0) > 0);
});

test('a page that a program must not execute is not, where the system in the same function has', (t) => {
	const [selectorOfCode, programStack, rounds] = [0x33, 0x2d_0000, 2000];
	const asm = createAssembler({origin: loopAt, bits: 64});
	const {label, mov, push, pop, bytes, add, cmp, xor, dec, inc, ret, syscall, sysretq, align} = asm;
	mov(rsp, stackTop);
	for (const way of [2, 3]) {
		mov(r15, way);
		asm.call('program');
	}
	align(pageBytes);
	// The system, which is in the same page, calls it, too, so that all of this is one function, which begins here and there. R15 tells why.
	label('program');
	cmp(r15, 1);
	asm.je('calls');
	cmp(r15, 0);
	asm.je('back');
	cmp(r15, 3);
	asm.je('starts');
	asm.call('systemOnly');
	label('back');
	ret();
	label('starts');
	asm.call('system');
	label('calls');
	dec(rdx);
	asm.jnz('go');
	mov(r15, 2);
	asm.jmp('program');
	label('go');
	// So that the program's stack is known when it calls.
	push(rax);
	pop(rax);
	syscall();
	label('system');
	mov(rsp, stackTop);
	xor(r15, r15);
	asm.call('program');
	mov(esi, 2);
	mov(rax, 'behind');
	asm.call('systemOnly');
	// An address that is not known before leads here, too: so code goes on within the function at others.
	label('behind');
	dec(esi);
	asm.jz('leave');
	bytes(0xff, 0xe0);
	label('leave');
	inc(r15);
	mov(rsp, programStack);
	mov(rcx, 'program');
	mov(r11, 2);
	sysretq();
	align(pageBytes);
	label('systemOnly');
	add(rbx, 1);
	ret();
	const {bytes: code, labels} = asm.finish();
	const runs = [undefined, ...heats].map((heat) => {
		const guest = start(code);
		const {processor, ram} = guest;
		const {state} = processor.core;
		const words = new BigUint64Array(ram.buffer);
		for (const page of [loopAt, furtherAt]) words[entryOf(page) / 8] = BigInt(page) | 3n;
		handle(guest, 14, [0xf4]);
		words[descriptors / 8 + 5] = 0x00cf_f300_0000_ffffn;
		words[descriptors / 8 + 6] = 0x00af_fb00_0000_ffffn;
		state.gdtr.limit = 0x37;
		processor.msrs.write(0xc000_0081, (BigInt(selectorOfCode - 0x10) << 48n) | (8n << 32n));
		processor.msrs.write(0xc000_0082, BigInt(labels.get('system') ?? 0));
		state.general[2] = BigInt(rounds);
		processor.changed();
		processor.heat = heat;
		return {run: runOn(guest), cr2: state.cr2};
	});
	for (const {run, cr2} of runs) {
		t.is(cr2, BigInt(furtherAt));
		t.deepEqual(left(run.guest), left((runs[0] as (typeof runs)[number]).run.guest));
	}
	// It has been called once a round, and once before.
	t.is(runs[0]?.run.guest.processor.core.state.general[3], BigInt(rounds + 1));
});
