import test from 'ava';
import {ecx} from '#flowey/x86-assembler';
import {compute} from '#main/jobs';
import {exitCode, exitPort, type MicroKernel, microKernel, rewriting, userWork} from '#test/tmk';
import {enterVcpu, LoneVcpus} from '#vcpu-worker/software/back-end/testing';
import {Request} from '#vcpu-worker/software/state';
import {
	Allowance,
	type Answer,
	type TranslationRequest,
	type TranslationSource,
	TranslationStore,
} from '#vcpu-worker/software/translation-store';
import {makeTranslations} from '#vcpu-worker/software/translator';
import {type GuestProcessor, startKernel} from './guest-processor.ts';
import {codeAt, startBytes} from './raw-code.ts';

const ends = {port: exitPort, value: exitCode.ok};
/** ADD RBX,1. */
const addOne = [0x48, 0x83, 0xc3, 1];
const turn = 1000;
const enough = 2000;

/** A store whose requests are kept. */
function counting() {
	const requests: TranslationRequest[] = [];
	const store = new TranslationStore((batch) => {
		requests.push(...batch);
		return makeTranslations(batch);
	});
	return {requests, store};
}

/** A processor whose answers come as from another thread, when the test says so. */
function startAsking(kernel: MicroKernel, store: TranslationStore, heat = 1, hasTime = false) {
	const answers: Answer[] = [];
	const ask = store.enter().join((answer) => answers.push(answer));
	const wanted: TranslationRequest[] = [];
	let asked = 0;
	const translations: TranslationSource = {
		ask(request) {
			wanted.push(request);
			asked++;
			return [];
		},
		take: () => answers.shift(),
		mayHave: (key) => store.begins.has(key),
		hasTime: () => hasTime,
	};
	const guest = startKernel(kernel, {translations});
	guest.processor.heat = heat;
	const answer = () => {
		for (const request of wanted.splice(0)) ask(request);
		guest.processor.core.state.request |= Request.TRANSLATIONS;
	};
	return {guest, wanted, answer, asked: () => asked};
}

/** Runs until it halts. @param between - done after each turn */
function run({processor}: GuestProcessor, between: () => void): void {
	for (let index = 0; index < enough && processor.run(turn) === 'polled'; index++) between();
}

const left = ({processor, writes}: GuestProcessor) => {
	const {general, rip, instructions} = processor.core.state;
	return {general: [...general], rip, instructions, writes};
};

function byInterpreter(kernel: MicroKernel) {
	const guest = startKernel(kernel);
	guest.processor.heat = undefined;
	run(guest, () => {});
	return left(guest);
}

const work = userWork({iterations: 20_000});

test('what is made has its bytes in buffers of its own, which go to other threads whole', (t) => {
	const {requests, store} = counting();
	const {guest, answer} = startAsking(work, store);
	run(guest, answer);
	t.true(requests.length > 0);
	for (const {pages, image} of makeTranslations(requests).regions)
		for (const each of [image, ...pages.map(({bytes}) => bytes)]) t.is(each.buffer.byteLength, each.byteLength);
});

test('what one processor has had made another one takes, of another machine too', (t) => {
	const {requests, store} = counting();
	const expected = byInterpreter(work);
	const first = startAsking(work, store);
	run(first.guest, first.answer);
	const made = requests.length;
	t.true(made > 0);
	t.true(first.guest.processor.translations.size.translations > 0);
	// Records of the second lie elsewhere.
	const second = startAsking(work, store);
	const {core} = second.guest.processor;
	core.write(core.decode(new Uint8Array(4096).fill(0x90), 0));
	run(second.guest, second.answer);
	t.is(requests.length, made);
	t.true(second.guest.processor.translations.size.translations > 0);
	t.deepEqual([left(first.guest), left(second.guest)], [expected, expected]);
	t.deepEqual(expected.writes.at(-1), ends);
});

test('what is hot elsewhere is taken long before it is hot here', (t) => {
	const {requests, store} = counting();
	const seldom = userWork({iterations: 1000});
	const first = startAsking(work, store, 10);
	run(first.guest, first.answer);
	const made = requests.length;
	const second = startAsking(seldom, store, 1_000_000);
	run(second.guest, second.answer);
	t.true(second.guest.processor.translations.size.translations > 0);
	t.is(requests.length, made);
	t.deepEqual(left(second.guest), byInterpreter(seldom));
	// Where there is nothing, nobody is asked.
	const third = startAsking(seldom, counting().store, 1_000_000);
	run(third.guest, third.answer);
	t.is(third.asked(), 0);
});

test('a program’s blocks ask long before they are hot where the store has time, a kernel’s do not', (t) => {
	/** Instructions until something is asked for that is to be made. */
	const until = (kernel: MicroKernel, hasTime: boolean) => {
		const {guest, wanted} = startAsking(kernel, counting().store, 4000, hasTime);
		for (let index = 0; index < enough && wanted.length === 0; index++) guest.processor.run(turn);
		t.true(wanted[0]?.mayMake);
		return Number(guest.processor.core.state.instructions);
	};
	const kernel = microKernel('counting', ({label, mov, dec, jnz}, {exit}) => {
		mov(ecx, 20_000);
		label('again');
		dec(ecx);
		jnz('again');
		exit(exitCode.ok);
	});
	const [busy, free] = [until(work, false), until(work, true)];
	t.true(free < busy / 2, `${free} ${busy}`);
	t.is(until(kernel, true), until(kernel, false));
});

test('a kernel’s blocks ask as soon when it has served programs for a while', (t) => {
	/** MOV ECX,20000; again: DEC ECX; JNZ again; HLT. */
	const loop = [0xb9, 0x20, 0x4e, 0, 0, 0xff, 0xc9, 0x75, 0xfc, 0xf4];
	const kernelAt = codeAt + 0x1000;
	/** Instructions of the kernel until something is asked for, so many after a program has asked. */
	const until = (served: bigint) => {
		let asked = 0;
		const translations: TranslationSource = {
			ask() {
				asked++;
				return [];
			},
			take: () => undefined,
			mayHave: () => false,
			hasTime: () => true,
		};
		const {processor, ram} = startBytes(loop, codeAt, {translations});
		ram.set(loop, kernelAt);
		processor.heat = 4000;
		const {state} = processor.core;
		const begin = (rip: number, code: object, stack: object) => {
			state.rip = BigInt(rip);
			Object.assign(state.segments[1] as object, code);
			Object.assign(state.segments[2] as object, stack);
			processor.changed();
			const [before, start] = [asked, state.instructions];
			for (let index = 0; index < enough && asked === before; index++) processor.run(turn);
			t.is(asked, before + 1);
			return Number(state.instructions - start);
		};
		begin(codeAt, {selector: 0x33, attributes: 0xa0fb}, {selector: 0x2b, attributes: 0xc0f3});
		state.instructions += served;
		return begin(kernelAt, {selector: 8, attributes: 0xa09b}, {selector: 0x10, attributes: 0xc093});
	};
	const [soon, late] = [until(0n), until(2n ** 26n)];
	t.true(late < soon / 2, `${late} ${soon}`);
});

test('a program’s block that has no time now asks again', (t) => {
	let calls = 0;
	const asked: number[] = [];
	const translations: TranslationSource = {
		ask() {
			asked.push(calls);
			return [];
		},
		take: () => undefined,
		mayHave: () => false,
		hasTime: () => ++calls > 2,
	};
	const guest = startKernel(work, {translations});
	guest.processor.heat = 4000;
	run(guest, () => {});
	t.true((asked[0] ?? 0) > 2);
	t.deepEqual(left(guest), byInterpreter(work));
});

test('a translation whose accesses with one look are across pages is made anew without such looks', (t) => {
	const rounds = 20_000;
	// ADD QWORD [RBX],1; ADD RAX,[RBX+8]; DEC ECX; JNZ back; HLT.
	const code = [0x48, 0x83, 0x03, 0x01, 0x48, 0x03, 0x43, 0x08, 0xff, 0xc9, 0x75, 0xf4, 0xf4];
	for (const [at, isAcross] of [
		[0x2f_1000 - 8, true],
		[0x2f_1000 - 16, false],
	] as const) {
		const {requests, store} = counting();
		const answers: Answer[] = [];
		const ask = store.enter().join((answer) => answers.push(answer));
		const guest = startBytes(code, codeAt, {
			translations: {
				ask(request) {
					ask(request);
					return answers.splice(0);
				},
				take: () => undefined,
				mayHave: () => false,
				hasTime: () => false,
			},
		});
		const {state} = guest.processor.core;
		Object.assign(state.general, {0: 0n, 1: BigInt(rounds), 3: BigInt(at)});
		const words = new DataView(guest.ram.buffer);
		words.setBigUint64(at + 8, 3n, true);
		guest.processor.heat = 10;
		run(guest, () => {});
		t.is(state.general[0], BigInt(rounds * 3));
		t.is(words.getBigUint64(at, true), BigInt(rounds));
		t.deepEqual(
			requests.map(({looksAlone}) => looksAlone),
			isAcross ? [false, true] : [false],
		);
	}
});

test('while a translation is made the interpreter goes on', (t) => {
	const {requests, store} = counting();
	const {guest, wanted} = startAsking(work, store);
	run(guest, () => {});
	t.true(wanted.length > 0);
	t.is(requests.length, 0);
	t.deepEqual(left(guest), byInterpreter(work));
});

test('a block asks once, and others of its page when that is answered', (t) => {
	const {guest, wanted} = startAsking(work, counting().store);
	run(guest, () => {});
	const pages = wanted.map(({pages: [{bytes}], codeSize}) => `${codeSize} ${Buffer.from(bytes).toString('hex')}`);
	t.is(new Set(pages).size, pages.length);
});

test('a processor asks for no more than it may', (t) => {
	const {guest, wanted, answer} = startAsking(work, counting().store);
	guest.processor.translations.allowance = new Allowance(2, 0);
	let asked = 0;
	run(guest, () => {
		asked += wanted.length;
		answer();
	});
	t.is(asked + wanted.length, 2);
	t.deepEqual(left(guest), byInterpreter(work));
});

test('a processor that gets no answers has few requests on their way', (t) => {
	const pages = 40;
	const asked = (processors: number) => {
		let count = 0;
		const translations: TranslationSource = {
			ask() {
				count++;
				return [];
			},
			take: () => undefined,
			mayHave: () => false,
			hasTime: () => false,
		};
		const guest = startBytes([], codeAt, {translations, processors});
		for (let page = 0; page < pages; page++) {
			const next = codeAt + (page + 1) * 0x1000;
			// MOV ECX,100; DEC ECX; JNZ back; MOV EAX,next; JMP RAX: no region has two of the pages.
			const target = [next & 0xff, (next >> 8) & 0xff, (next >> 16) & 0xff, 0];
			guest.ram.set([0xb9, 100, 0, 0, 0, 0xff, 0xc9, 0x75, 0xfc, 0xb8, ...target, 0xff, 0xe0], next - 0x1000);
		}
		guest.ram.set([0xf4], codeAt + pages * 0x1000);
		guest.processor.heat = 10;
		t.is(guest.processor.run(100_000), 'halted');
		return count;
	};
	t.deepEqual([asked(1), asked(32)], [pages, 16]);
});

test('processors of a machine share what they may ask for at once', (t) => {
	const most = (processors: number) => {
		const {translations} = startKernel(work, {processors}).processor;
		let count = 0;
		while (count < 10_000 && translations.allowance.spend()) count++;
		return count;
	};
	const [alone, shared] = [most(1), most(32)];
	t.true(shared >= 64 && shared * 8 < alone, `${alone} ${shared}`);
});

test('code that was rewritten while its translation was made is not entered by it', (t) => {
	const kernel = rewriting(2000);
	const {guest, answer} = startAsking(kernel, counting().store);
	let turns = 0;
	// Answers are late by some turns, in which the guest has rewritten what they are of.
	run(guest, () => {
		if (++turns % 3 === 0) answer();
	});
	t.deepEqual(left(guest), byInterpreter(kernel));
	t.deepEqual(guest.writes.at(-1), ends);
});

test('a translation of other bytes than those that are decoded is not taken', (t) => {
	const kernel = microKernel('adding', ({bytes, label, dec, jnz}, {exit}) => {
		label('again');
		// ADD RBX,1.
		bytes(...addOne);
		dec(ecx);
		jnz('again');
		exit(exitCode.ok);
	});
	for (const [field, value] of Object.entries({0: 0x49, 2: 0xc0, 3: 2})) {
		const answers: Answer[] = [];
		const ask = counting()
			.store.enter()
			.join((answer) => answers.push(answer));
		let asked = 0;
		const guest = startKernel(kernel, {
			translations: {
				ask(request) {
					asked++;
					const [{bytes}] = request.pages;
					bytes[Buffer.from(bytes).indexOf(Buffer.from(addOne)) + Number(field)] = value;
					ask(request);
					return answers.splice(0);
				},
				take: () => undefined,
				mayHave: () => false,
				hasTime: () => false,
			},
		});
		const {processor} = guest;
		const {general} = processor.core.state;
		Object.assign(general, {1: 10_000n, 3: 0n});
		processor.heat = 10;
		run(guest, () => {});
		t.true(asked > 0);
		t.is(general[3], 10_000n, `byte ${field}`);
	}
});

test('what the store drops is executed by the interpreter, until it is hot again', (t) => {
	const {requests, store} = counting();
	const answers: Answer[] = [];
	const ask = store.enter().join((answer) => answers.push(answer));
	const guest = startKernel(work, {
		translations: {
			ask(request) {
				ask(request);
				return answers.splice(0);
			},
			take: () => answers.shift(),
			mayHave: () => true,
			hasTime: () => false,
		},
	});
	guest.processor.heat = 5;
	const sizes = new Set<number>();
	let turns = 0;
	run(guest, () => {
		if (++turns % 10 === 0) {
			for (let number = 0; number <= requests.length; number++) answers.push({kind: 'dropped', number});
			guest.processor.core.state.request |= Request.TRANSLATIONS;
		}
		sizes.add(guest.processor.translations.size.translations);
	});
	t.true(sizes.size > 1);
	t.deepEqual(left(guest), byInterpreter(work));
});

test('the pool makes what the processors of machines ask for, once for all of them', async (t) => {
	const jobs: Promise<unknown>[] = [];
	/** In instructions, of which each round has two. */
	const hotAfter = 20_000n;
	/** Instructions that each processor of a machine has executed when it gets its translation. */
	const translated = async () => {
		const after: bigint[] = [];
		const vcpus = new LoneVcpus(2, [{gpa: 0, length: 0x1_0000}], (name, job) => {
			const made = compute(name, job);
			jobs.push(made);
			return made;
		});
		// In real mode: INC AX; JMP to it.
		vcpus.memory.copyIn(0x1000, Uint8Array.of(0x40, 0xeb, 0xfd));
		for (const index of [0, 1]) {
			const {processor} = await enterVcpu(vcpus.of(index), () => vcpus.connect(index));
			const {state, translations} = {state: processor.core.state, translations: processor.translations};
			Object.assign(state.segments[1] ?? {}, {selector: 0, base: 0n});
			state.rip = 0x1000n;
			processor.changed();
			while (translations.size.translations === 0) {
				processor.run(1000);
				await new Promise(setImmediate);
			}
			after.push(state.instructions);
			const before = state.instructions;
			processor.run(100_000);
			t.true(state.instructions > before);
			t.is(state.general[0], (state.instructions / 2n) & 0xffffn, 'it has counted each round');
		}
		return after;
	};
	await translated();
	await Promise.all(jobs);
	// Whoever comes later takes what there is before it is hot, and would make its own.
	const after = await translated();
	t.true(
		after.every((instructions) => instructions < hotAfter),
		`${after}`,
	);
	t.is(jobs.length, 1);
});

test('where to find a translation has all code forgotten, the block that asked is looked for anew', (t) => {
	let asked = 0;
	const translations: TranslationSource = {
		ask() {
			asked++;
			const {processor} = guest;
			const {core} = processor;
			processor.heat = 1000;
			// Others take the place of what was there.
			for (let block = 0; block < 100; block++) core.write(core.decode(new Uint8Array(4096).fill(0xf4), 0));
			return [];
		},
		take: () => undefined,
		mayHave: () => true,
		hasTime: () => false,
	};
	const guest = startKernel(work, {translations});
	guest.processor.heat = 1000;
	run(guest, () => {});
	t.true(asked > 0);
	t.deepEqual(left(guest), byInterpreter(work));
});

test('a processor for which there are answers without end looks up from them', (t) => {
	let taken = 0;
	const translations: TranslationSource = {
		ask: () => [],
		take: () => (++taken < 1000 ? {kind: 'dropped', number: taken} : undefined),
		mayHave: () => false,
		hasTime: () => false,
	};
	const guest = startKernel(work, {translations});
	const {processor} = guest;
	processor.core.state.request |= Request.TRANSLATIONS;
	t.is(processor.run(turn), 'polled');
	t.true(taken < 200, 'they wait');
	run(guest, () => {});
	t.is(taken, 1000);
	t.deepEqual(guest.writes, [ends]);
});
