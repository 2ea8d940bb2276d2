import test from 'ava';
import {Lockstep} from '#vcpu-worker/software/lockstep';
import {
	type Answer,
	pageOf,
	type TranslationRequest,
	type TranslationSource,
	TranslationStore,
} from '#vcpu-worker/software/translation-store';
import {makeTranslations} from '#vcpu-worker/software/translator';
import type {GuestOptions} from './guest-processor.ts';
import {left, runOn} from './kernel-runs.ts';
import {startBytes} from './raw-code.ts';

const codeAt = 0x20_0000;
/** Eight functions, of which each page has two. */
const functionsAt = 0x21_0000;
const [functionBytes, functions] = [0x800, 8];
const dataAt = 0x2f_0000;
const rounds = 20_000;
/** Once the loop has so many rounds left, it changes a constant of the third function. */
const rewriteAt = 6_000;
const enough = 4000;

const dword = (value: number): readonly number[] => [...new Uint8Array(Uint32Array.of(value).buffer)];

/** A loop that calls one of the functions by a register, which one a generator of random numbers says. */
const loop = [
	// MOV RAX,RDX; AND EAX,7; SHL EAX,11; ADD EAX,functions; CMP RDX,RBX; CALL RAX.
	...[0x48, 0x89, 0xd0, 0x83, 0xe0, 0x07, 0xc1, 0xe0, 0x0b, 0x05, ...dword(functionsAt), 0x48, 0x39, 0xda, 0xff, 0xd0],
	// IMUL RDX,RDX,1664525; ADD RDX,1013904223; ROR RDX,3.
	...[0x48, 0x69, 0xd2, ...dword(1_664_525), 0x48, 0x81, 0xc2, ...dword(1_013_904_223), 0x48, 0xc1, 0xca, 0x03],
	// CMP ECX,rewriteAt; JNE behind; MOV BYTE [third function's constant],9.
	...[0x81, 0xf9, ...dword(rewriteAt), 0x75, 0x08, 0xc6, 0x04, 0x25, ...dword(functionsAt + 2 * functionBytes + 3), 9],
	// DEC ECX; JNZ loop; HLT.
	...[0xff, 0xc9, 0x75, 0xc7, 0xf4],
];

/** ADC RBX,number, by the carry of the comparison before the call; ROL RBX,3; ADD [RBP+8*number],RBX; RET. One of them jumps to another by a register instead. */
const functionOf = (number: number): readonly number[] => [
	...[0x48, 0x83, 0xd3, number + 1, 0x48, 0xc1, 0xc3, 0x03, 0x48, 0x01, 0x5d, 8 * number],
	// MOV EAX,address; JMP RAX.
	...(number === 3 ? [0xb8, ...dword(functionsAt + 5 * functionBytes), 0xff, 0xe0] : [0xc3]),
];

function start(heat: number | undefined, options?: GuestOptions) {
	const guest = startBytes(loop, codeAt, options);
	for (let number = 0; number < functions; number++)
		guest.ram.set(functionOf(number), functionsAt + number * functionBytes);
	const {processor} = guest;
	Object.assign(processor.core.state.general, {1: BigInt(rounds), 2: 5n, 3: 1n, 5: BigInt(dataAt)});
	processor.heat = heat;
	return guest;
}

/** Makes translations, and keeps what it is asked and answers. */
function answering(store = new TranslationStore(makeTranslations)) {
	const requests: TranslationRequest[] = [];
	const answers: Answer[] = [];
	const own: Answer[] = [];
	const ask = store.enter().join((answer) => own.push(answer));
	const translations: TranslationSource = {
		ask(request) {
			requests.push(request);
			ask(request);
			answers.push(...own);
			return own.splice(0);
		},
		take: () => undefined,
		mayHave: () => false,
		hasTime: () => false,
	};
	return {requests, answers, translations};
}

/** Answers with translations that have ways by a register. */
const linkedIn = (answers: readonly Answer[]) =>
	answers.flatMap((each) => (each.kind === 'made' && each.region.links.length > 0 ? [each] : []));

const data = ({ram}: ReturnType<typeof start>) => [...ram.subarray(dataAt, dataAt + 8 * functions)];

test('a translation that code often leaves by a register is made anew with where that goes', (t) => {
	const expected = runOn(start(undefined), enough).guest;
	t.true(expected.processor.isHalted);
	for (const [heat, least] of [
		[1, 1],
		[320, functions / 2],
	] as const) {
		const {answers, translations} = answering();
		const {guest} = runOn(start(heat, {translations}), enough);
		t.deepEqual(left(guest), left(expected), `heat ${heat}`);
		t.deepEqual(data(guest), data(expected));
		const linked = linkedIn(answers).map(({region}) => region);
		t.true(linked.length > 0);
		// It has three times more ways at most.
		t.true(linked.every(({links}) => links.length <= 2 * 3 * 8));
		const most = Math.max(
			...linked.map(
				({links, places}) => links.filter((place, index) => index % 2 === 1 && places.includes(place)).length,
			),
		);
		t.true(most >= least, `heat ${heat}: ${most}`);
	}
});

test('one that another processor had made with such ways keeps them when it is made anew', (t) => {
	const store = new TranslationStore(makeTranslations);
	const [first, second] = [answering(store), answering(store)];
	const {processor} = start(320, {translations: first.translations});
	while (linkedIn(first.answers).length === 0 && processor.run(1000) === 'polled');
	runOn(start(320, {translations: second.translations}), enough);
	const [given] = linkedIn(second.answers);
	const asked = second.requests.find(({id}) => id === given?.id);
	t.truthy(given);
	t.is(asked?.links, undefined);
	const links = given?.region.links.map((place) => place - pageOf(given.begin)) ?? [];
	const again = second.requests.find(({offset, links}) => offset === asked?.offset && links !== undefined);
	t.true((again?.links?.length ?? 0) > links.length);
	t.deepEqual(again?.links?.slice(0, links.length), links);
});

test('64-bit code has no base, whatever a host says, interpreted and translated', (t) => {
	const expected = left(runOn(start(undefined), enough).guest);
	for (const heat of [undefined, 1]) {
		const guest = start(heat);
		const {processor} = guest;
		Object.assign(processor.core.state.segments[1] ?? {}, {base: 0x1_0000n});
		processor.changed();
		t.deepEqual(left(runOn(guest, enough).guest), expected, `heat ${heat}`);
		t.is(processor.translations.size.translations > 0, heat !== undefined);
	}
});

test('translations with ways by a register do what the interpreter does', (t) => {
	const guest = start(10);
	const {processor} = guest;
	const found: unknown[] = [];
	processor.lockstep = new Lockstep(processor, {found: (each) => found.push(each)});
	runOn(guest, enough);
	t.deepEqual(found, []);
	t.true(processor.lockstep.counters.rounds > 10);
	const expected = runOn(start(undefined), enough).guest;
	t.deepEqual(left(guest), left(expected));
	t.deepEqual(data(guest), data(expected));
});
