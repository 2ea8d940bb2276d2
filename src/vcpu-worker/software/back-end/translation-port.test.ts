import {MessageChannel, receiveMessageOnPort} from 'node:worker_threads';
import test from 'ava';
import {Begins, type TranslationRequest} from '#vcpu-worker/software/translation-store';
import {makeTranslations} from '#vcpu-worker/software/translator';
import {translationsBy} from './translation-port.ts';

const page = new Uint8Array(4096);
// INC EAX; JMP to it.
page.set([0xff, 0xc0, 0xeb, 0xfc]);
const request = (id: number, mayMake = true): TranslationRequest => ({
	...{id, offset: 0, codeSize: 64, features: '', mayMake},
	pages: [{distance: 0, bytes: page, known: Uint16Array.of(0), warm: new Uint16Array(0)}],
});

test('until the owner has given a translation the processor makes its own, and asks for each nevertheless', (t) => {
	const {port1, port2} = new MessageChannel();
	t.teardown(() => port1.close());
	const source = translationsBy(() => port1, new Begins(new SharedArrayBuffer(Begins.byteLength)));
	const kinds = (id: number, mayMake?: boolean) => {
		const answers = source.ask(request(id, mayMake)).map((answer) => answer.kind);
		t.is(receiveMessageOnPort(port2)?.message.id, id);
		return answers;
	};
	t.deepEqual(kinds(1), ['made']);
	t.deepEqual(kinds(2, false), [], 'only what there is');
	port2.postMessage({kind: 'refused', id: 2});
	t.is(source.take()?.kind, 'refused');
	t.deepEqual(kinds(3), ['made']);
	const {module, bytes, regions} = makeTranslations([request(4)]);
	port2.postMessage({kind: 'made', id: 4, number: 1, module, bytes, region: regions[0], index: 0, begin: 0});
	t.like(source.take(), {kind: 'made', number: 1});
	t.is(source.take(), undefined);
	t.deepEqual(kinds(5), []);
});

test('modules that a processor makes have no number of the owner’s', (t) => {
	const {port1} = new MessageChannel();
	t.teardown(() => port1.close());
	const source = translationsBy(() => port1, new Begins(new SharedArrayBuffer(Begins.byteLength)));
	const [answer] = source.ask(request(1));
	t.true(answer?.kind === 'made' && answer.number < 0);
});
