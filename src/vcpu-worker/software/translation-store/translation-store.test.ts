import test from 'ava';
import {Begins} from './begins.ts';
import type {Answer, MadeTranslations, TranslationRequest} from './protocol.ts';
import {TranslationStore} from './translation-store.ts';

const moduleBytes = 100;
const blockBytes = 24;
/** One that does not tell how a block begins. */
const lastByte = blockBytes - 1;
const roomy = {machineBytes: 2 ** 20, bytes: 2 ** 20};

/** Makes of each request a region of the bytes from its offset on, and of those from the begin of each other page on, where it can begin too. */
function make(requests: readonly TranslationRequest[]): MadeTranslations {
	const regions = requests.map(({offset, pages: [first, ...others]}) => ({
		places: [offset, ...others.map(({distance}) => distance)],
		entries: [0, ...others.map((_, index) => index + 1)],
		counts: [0, ...others.map(() => 0)],
		image: new Int32Array(0),
		links: [],
		pages: [
			{distance: 0, ranges: [offset, offset + blockBytes], bytes: first.bytes.slice(offset, offset + blockBytes)},
			...others.map(({distance, bytes}) => ({distance, ranges: [0, blockBytes], bytes: bytes.slice(0, blockBytes)})),
		],
	}));
	const servings = requests.map(({offset}, index) => ({index, begin: offset}));
	return {module: {}, bytes: moduleBytes, regions, servings};
}

const none = new Uint16Array(0);
const pageOf = (bytes: Uint8Array, distance = 0) => ({distance, bytes, known: none, warm: none});
let lastId = 0;
function request(byte: number, offset = 0, rest: Partial<TranslationRequest> = {}): TranslationRequest {
	const pages = [pageOf(new Uint8Array(4096).fill(byte, offset, offset + blockBytes))] as const;
	return {id: ++lastId, offset, pages, codeSize: 64, features: '', mayMake: true, ...rest};
}

/** A store whose batches are kept, and a processor of a machine of its own for each call. */
function opened(limits = roomy) {
	const batches: (readonly TranslationRequest[])[] = [];
	const store = new TranslationStore((requests) => {
		batches.push(requests);
		return make(requests);
	}, limits);
	const machine = () => {
		const answers: Answer[] = [];
		const entered = store.enter();
		return {entered, answers, ask: entered.join((answer) => answers.push(answer))};
	};
	return {store, batches, machine};
}

const kinds = (answers: readonly Answer[]) => answers.map(({kind}) => kind);
const modules = (answers: readonly Answer[]) => answers.map((answer) => ('number' in answer ? answer.number : 'none'));

test('equal bytes are made once, for whoever asks', (t) => {
	const {batches, machine} = opened();
	const [one, other] = [machine(), machine()];
	one.ask(request(1));
	other.ask(request(1));
	one.ask(request(1));
	t.is(batches.length, 1);
	t.deepEqual([modules(one.answers), modules(other.answers)], [[1, 1], [1]]);
});

test('bytes elsewhere in the page may be others', (t) => {
	const {batches, machine} = opened();
	const {ask} = machine();
	const first = request(1);
	ask(first);
	ask({...first, pages: [pageOf(first.pages[0].bytes.slice().fill(9, 100))]});
	t.is(batches.length, 1);
});

test('other bytes, offsets, sizes and features are made apart, also where they begin alike', (t) => {
	const {batches, machine} = opened();
	const {ask} = machine();
	const first = request(1);
	const late = first.pages[0].bytes.slice();
	late[blockBytes - 1] = 2;
	for (const other of [{}, {pages: [pageOf(late)]}, {codeSize: 32}, {features: '1'}] as const)
		ask({...first, ...other});
	ask(request(1, 8));
	t.is(batches.length, 5);
});

test('a machine that has many regions which begin alike made loses its own, and nobody else any', (t) => {
	const {batches, machine} = opened();
	const [one, other] = [machine(), machine()];
	const alike = (last: number) => {
		const one = request(1);
		one.pages[0].bytes[lastByte] = last;
		return one;
	};
	one.ask(alike(100));
	for (let last = 0; last < 20; last++) other.ask(alike(last));
	const made = batches.length;
	one.ask(alike(100));
	for (let last = 12; last < 20; last++) other.ask(alike(last));
	t.is(batches.length, made, 'the newest of each are there');
	other.ask(alike(0));
	t.is(batches.length, made + 1);
});

test('pages beyond the first are compared too, where both have them, at their distance', (t) => {
	const {batches, machine} = opened();
	const {ask, answers} = machine();
	const page = (byte: number, distance = 0) => pageOf(new Uint8Array(4096).fill(byte), distance);
	const both = request(0, 8, {pages: [page(1), page(2, 0x3000)]});
	ask(both);
	for (const pages of [[page(1)], [page(1), page(9, 0x1000)]] as const) ask({...both, pages});
	// It begins in the second page, as seen from which the first one is before.
	ask({...both, offset: 0, pages: [page(2), page(1, -0x3000)]});
	t.is(batches.length, 1);
	t.deepEqual(
		answers.map((answer) => answer.kind === 'made' && answer.begin),
		[8, 8, 8, 0x3000],
	);
	ask({...both, pages: [page(1), page(3, 0x3000)]});
	ask({...both, offset: 0, pages: [page(2), page(3, -0x3000)]});
	t.is(batches.length, 3);
});

test('requests that come while others are made are made together, and equal ones once', async (t) => {
	const batches: {readonly requests: readonly TranslationRequest[]; readonly made: () => void}[] = [];
	const store = new TranslationStore((requests) => {
		const {promise, resolve} = Promise.withResolvers<MadeTranslations>();
		batches.push({requests, made: () => resolve(make(requests))});
		return promise;
	}, roomy);
	const answers: Answer[] = [];
	const ask = store.enter().join((answer) => answers.push(answer));
	for (const byte of [1, 1, 2, 3, 3]) ask(request(byte));
	batches[0]?.made();
	await new Promise(setImmediate);
	batches[1]?.made();
	await new Promise(setImmediate);
	t.deepEqual(
		batches.map(({requests}) => requests.map(({pages: [{bytes}]}) => bytes[0])),
		[[1], [2, 3]],
	);
	t.deepEqual(modules(answers), [1, 1, 2, 2, 2]);
});

test('a request is compared with few of those that wait and begin alike, however many a guest has', async (t) => {
	const batches: (readonly TranslationRequest[])[] = [];
	const store = new TranslationStore(async (requests) => {
		batches.push(requests);
		return make(requests);
	}, roomy);
	const ask = store.enter().join(() => {});
	const alike = Array.from({length: 9}, (_, last) => {
		const one = request(1);
		one.pages[0].bytes[lastByte] = last;
		return one;
	});
	for (const one of alike) ask(one);
	const [first, second] = alike as [TranslationRequest, TranslationRequest];
	for (const again of [first, second, alike.at(-1) as TranslationRequest]) ask(again);
	for (let turn = 0; turn < 4; turn++) await new Promise(setImmediate);
	// The last one again, as nobody has seen that it waits.
	t.deepEqual(
		batches.map(({length}) => length),
		[1, 9],
	);
});

test('what could not be made is refused, and what comes then is made', async (t) => {
	let fails = true;
	const store = new TranslationStore((requests) => (fails ? Promise.reject(new Error('no')) : make(requests)), roomy);
	const answers: Answer[] = [];
	const ask = store.enter().join((answer) => answers.push(answer));
	ask(request(1));
	await new Promise(setImmediate);
	fails = false;
	ask(request(1));
	t.deepEqual(kinds(answers), ['refused', 'made']);
});

test('where there is no room for more, what nobody has asked for longest goes, and its users are told', (t) => {
	const {store, batches, machine} = opened({machineBytes: 3 * moduleBytes, bytes: 2 ** 20});
	const [one, other] = [machine(), machine()];
	for (const byte of [1, 2, 3]) one.ask(request(byte));
	other.ask(request(1));
	other.ask(request(2));
	one.ask(request(1));
	one.ask(request(4));
	t.deepEqual(one.answers.at(-1), {kind: 'dropped', number: 3});
	t.false(kinds(other.answers).includes('dropped'));
	t.is(store.bytes, 3 * moduleBytes);
	one.ask(request(3));
	t.is(batches.length, 5);
	t.deepEqual(other.answers.at(-1), {kind: 'dropped', number: 2});
});

test('where all machines have no room, the one that has most gives way', (t) => {
	const {store, machine} = opened({machineBytes: 2 ** 20, bytes: 4 * moduleBytes});
	const [one, other] = [machine(), machine()];
	other.ask(request(100));
	for (let byte = 1; byte < 50; byte++) one.ask(request(byte));
	t.deepEqual(kinds(other.answers), ['made']);
	t.is(store.bytes, 4 * moduleBytes);
	other.ask(request(100));
	t.deepEqual(modules(other.answers), [1, 1]);
});

test('a machine that makes code without end is refused after its share, and others are not', (t) => {
	const {batches, machine} = opened();
	const [endless, other] = [machine(), machine()];
	for (let offset = 0; offset < 4000; offset++)
		for (const byte of [1, 2, 3])
			endless.ask(request(byte, offset, {pages: [pageOf(new Uint8Array(4096).fill(byte))]}));
	t.true(batches.length < 6000, `${batches.length}`);
	t.is(kinds(endless.answers).at(-1), 'refused');
	other.ask(request(200));
	t.deepEqual(kinds(other.answers), ['made']);
});

test('what there is can be told without asking, and is not made for whoever only wants what there is', (t) => {
	const {store, batches, machine} = opened({machineBytes: moduleBytes, bytes: 2 ** 20});
	const {ask, answers} = machine();
	const has = ({pages: [{bytes}], offset, codeSize}: TranslationRequest) =>
		store.begins.has(Begins.keyOf(bytes, offset, codeSize));
	const [one, other] = [request(1), request(2)];
	ask({...one, mayMake: false});
	t.deepEqual([batches.length, kinds(answers), has(one)], [0, ['refused'], false]);
	ask(one);
	t.deepEqual([has(one), has(other), has({...one, codeSize: 16})], [true, false, false]);
	ask({...one, mayMake: false});
	t.deepEqual(modules(answers.slice(1)), [1, 1]);
	ask(other);
	t.deepEqual([has(one), has(other)], [false, true]);
});

test('a machine that has left is told nothing, and what was made for it serves the next', (t) => {
	const {batches, machine} = opened();
	const [one, other] = [machine(), machine()];
	one.ask(request(1));
	one.entered.leave();
	one.ask(request(2));
	other.ask(request(1));
	t.deepEqual(kinds(one.answers), ['made']);
	t.deepEqual(modules(other.answers), [1]);
	t.is(batches.length, 2);
});

test('who waits for what a machine wants that leaves is told to ask again', async (t) => {
	const batches: (() => void)[] = [];
	const store = new TranslationStore((requests) => {
		const {promise, resolve} = Promise.withResolvers<MadeTranslations>();
		batches.push(() => resolve(make(requests)));
		return promise;
	}, roomy);
	const [leaving, staying] = [store.enter(), store.enter()];
	const answers: Answer[] = [];
	const [first, other] = [leaving.join(() => {}), staying.join((answer) => answers.push(answer))];
	first(request(1));
	first(request(2));
	other(request(2));
	leaving.leave();
	t.deepEqual(kinds(answers), ['refused']);
	other(request(2));
	for (const made of batches) {
		made();
		await new Promise(setImmediate);
	}
	t.deepEqual(kinds(answers), ['refused', 'made']);
});

test('the store has time while a core is left that no processor needs, and less waits than is made at once', async (t) => {
	const made = Promise.withResolvers<void>();
	const store = new TranslationStore(
		async (requests) => {
			await made.promise;
			return make(requests);
		},
		roomy,
		2,
	);
	const {begins} = store;
	const [one, other] = [store.enter(), store.enter()];
	let answers = 0;
	const ask = one.join(() => answers++);
	t.true(begins.hasTime);
	other.join(() => {});
	t.false(begins.hasTime, 'each core has a processor');
	other.leave();
	t.true(begins.hasTime);
	const asked = 17;
	for (let byte = 1; byte <= asked; byte++) ask(request(byte));
	t.false(begins.hasTime, 'the first is made, and 16 wait');
	made.resolve();
	while (answers < asked) await new Promise(setImmediate);
	t.true(begins.hasTime);
});
