import test from 'ava';
import {decisionNotices} from './decision-notices.ts';
import {DecisionRing, keepDecision, keptDecisions} from './decision-ring.ts';
import type {Decision} from './verdict.ts';

/** A network's ring, and the decisions that it makes. */
function makeRing() {
	const ring = DecisionRing.on(new SharedArrayBuffer(DecisionRing.byteLength));
	let refusals = 0;
	const decide = (kind: Decision['kind'], port: number, rest: Partial<Decision> = {}) => {
		if (kind === 'refuse') refusals++;
		const attempt = {guest: 'web', protocol: 'tcp', name: undefined, address: '10.1.2.3', port} as const;
		keepDecision(ring, {...attempt, kind, detail: '', ...rest}, Uint8Array.of(2, 0, 0, 0, 0, 0xab));
	};
	return {ring, decide, notices: decisionNotices(ring, () => refusals)};
}

test('refusals are told first, those that are alike at once, and so many of a flood', (t) => {
	const {decide, notices} = makeRing();
	for (let port = 1; port <= 20; port++) decide('allow', port);
	for (let count = 0; count < 3; count++) decide('refuse', 443);
	const [first, ...others] = notices();
	t.like(first, {
		level: 'info',
		message: 'The network refuses web (02:00:00:00:00:ab) tcp 10.1.2.3 port 443, 3 times',
		details: {decision: 'refuse', guest: 'web', mac: '02:00:00:00:00:ab', port: 443, count: 3},
	});
	t.is(others.length, 8);
	t.like(others.at(-1), {level: 'debug', details: {count: 13, refusals: 0}});
	t.deepEqual(notices(), []);
});

test('what a flood has written over is told by its number', (t) => {
	const {ring, decide, notices} = makeRing();
	decide('refuse', 443);
	for (let port = 1; port <= 100; port++) decide('allow', port);
	t.deepEqual(
		keptDecisions(ring).map(({port}) => port),
		Array.from({length: 32}, (_, index) => index + 69),
	);
	const told = notices();
	t.is(told.length, 9);
	t.like(told.at(-1), {
		level: 'info',
		message: 'The network has decided 93 times more, 1 of them to refuse',
		details: {count: 93, refusals: 1},
	});
});

test('a decision that is being written over is not told', (t) => {
	const {ring, decide} = makeRing();
	for (let port = 1; port <= 32; port++) decide('allow', port);
	ring.begun++;
	t.is(keptDecisions(ring)[0]?.port, 2);
});

test('what a guest has named is cut short, and harms no log', (t) => {
	const {decide, notices} = makeRing();
	const name = `\u001b[2J\n${'x'.repeat(300)}`;
	decide('refuse', 0, {protocol: 'dns', name, address: undefined, port: undefined, detail: 'é'.repeat(300)});
	const [told] = notices();
	t.is(told?.message, `The network refuses web (02:00:00:00:00:ab) dns ?[2J?${'x'.repeat(89)}: ${'?'.repeat(123)}`);
	t.false('port' in (told?.details ?? {}));
});
