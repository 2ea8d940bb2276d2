import test from 'ava';
import {decisionNotices} from './decision-notices.ts';
import {DecisionWriter, decisionBytes, decisionsOn, keptDecisions} from './decision-ring.ts';
import type {Decision} from './verdict.ts';

/** A network's rings, and the decisions that it makes. */
function makeRings() {
	const rings = decisionsOn(new SharedArrayBuffer(decisionBytes));
	const [refusals, others] = [new DecisionWriter(rings.refusals), new DecisionWriter(rings.others)];
	const decide = (kind: Decision['kind'], port: number, rest: Partial<Decision> = {}) => {
		const attempt = {guest: 'web', protocol: 'tcp', name: undefined, address: '10.1.2.3', port} as const;
		const writer = kind === 'refuse' ? refusals : others;
		writer.keep({...attempt, kind, detail: '', ...rest}, Uint8Array.of(2, 0, 0, 0, 0, 0xab));
	};
	const notices = decisionNotices(rings);
	/** All that is told until there is nothing more. */
	const allNotices = () => {
		const all = [];
		for (let told = notices(); told.length > 0; told = notices()) all.push(...told);
		return all;
	};
	return {...rings, decide, notices, allNotices};
}

const count = (from: number, to: number) => Array.from({length: to - from + 1}, (_, index) => from + index);

test('refusals are told first, those that are alike at once, and so many others of a round', (t) => {
	const {decide, notices} = makeRings();
	for (const port of count(1, 20)) decide('allow', port);
	for (let times = 0; times < 3; times++) decide('refuse', 443);
	const [first, ...others] = notices();
	t.like(first, {
		level: 'info',
		message: 'The network refuses web (02:00:00:00:00:ab) tcp 10.1.2.3 port 443, 3 times',
		details: {decision: 'refuse', guest: 'web', mac: '02:00:00:00:00:ab', port: 443, count: 3},
	});
	t.deepEqual(
		others.map(({level, details}) => [level, details['port']]),
		count(1, 8).map((port) => ['debug', port]),
	);
	t.is(notices().length, 8, 'the rest is told in the next rounds');
	t.is(notices().length, 4);
	t.deepEqual(notices(), []);
	decide('refuse', 443);
	t.like(notices(), [{details: {port: 443, count: 1}}], 'once more');
});

test('no flood of what passes hides a refusal', (t) => {
	const {refusals, decide, notices} = makeRings();
	decide('refuse', 443);
	for (const port of count(1, 100)) decide('allow', port);
	t.deepEqual(
		keptDecisions(refusals).map(({decision: {port}}) => port),
		[443],
	);
	const told = notices();
	t.like(told[0], {level: 'info', details: {decision: 'refuse', port: 443, count: 1}});
	t.is(told.length, 10);
	t.like(told.at(-1), {level: 'debug', details: {count: 68, refusals: 0}});
});

test('refusals of one kind hide none of another, and those that nobody is told of are counted', (t) => {
	const {decide, notices, allNotices} = makeRings();
	const closed = {address: '169.254.169.254', detail: 'metadata and link-local addresses are closed'};
	const flood = {detail: 'no rule allows it'};
	for (const port of count(1, 500)) decide('refuse', port, flood);
	decide('refuse', 80, closed);
	decide('refuse', 53, {...flood, protocol: 'udp'});
	decide('refuse', 1, {...flood, guest: 'db'});
	for (const port of count(501, 1000)) decide('refuse', port, flood);
	for (const last of count(1, 200)) decide('refuse', 80, {...flood, address: `10.2.0.${last}`});
	decide('refuse', 80, {address: '127.0.0.1', detail: 'the host itself is closed'});
	const told = notices();
	const ends = told.map(({details: {guest, protocol, address, port}}) => `${guest} ${protocol} ${address} ${port}`);
	const rare = ['web tcp 169.254.169.254 80', 'web tcp 127.0.0.1 80', 'web udp 10.1.2.3 53', 'db tcp 10.1.2.3 1'];
	for (const end of rare) t.true(ends.includes(end), `${end} of ${ends}`);
	const all = [...told, ...allNotices()];
	t.is(
		all.reduce((sum, {details}) => sum + Number(details['count']), 0),
		1204,
	);
	t.is(
		all.reduce((sum, {details}) => sum + Number(details['refusals'] ?? 0), 0),
		1204 - 32,
	);
});

test('a scan of one host leaves what was refused of others', (t) => {
	const {refusals, decide} = makeRings();
	for (const last of count(1, 4)) decide('refuse', 22, {address: `10.9.0.${last}`});
	for (const port of count(1, 1000)) decide('refuse', port);
	const hosts = new Set(keptDecisions(refusals).map(({decision: {address}}) => address));
	t.deepEqual(hosts, new Set([...count(1, 4).map((last) => `10.9.0.${last}`), '10.1.2.3']));
	const ports = keptDecisions(refusals).flatMap(({decision: {address, port}}) => (address === '10.1.2.3' ? port : []));
	t.deepEqual(ports, count(973, 1000), 'the last');
	for (const port of count(1, 1000)) decide('refuse', port, {address: '10.1.2.4'});
	const kept = Map.groupBy(keptDecisions(refusals), ({decision: {address}}) => address);
	t.deepEqual([kept.get('10.1.2.3')?.length, kept.get('10.1.2.4')?.length, kept.size], [13, 15, 6], 'they share');
});

test('a decision that is being written over is not told', (t) => {
	const {others, decide} = makeRings();
	for (const port of count(1, 32)) decide('allow', port);
	const [first] = others.records;
	if (first !== undefined) first.number = 0;
	t.is(keptDecisions(others)[0]?.decision.port, 2);
});

test('what a guest has named is cut short, and harms no log', (t) => {
	const {decide, notices} = makeRings();
	const name = `\u001b[2J\n${'x'.repeat(300)}`;
	decide('refuse', 0, {protocol: 'dns', name, address: undefined, port: undefined, detail: 'é'.repeat(300)});
	const [told] = notices();
	t.is(told?.message, `The network refuses web (02:00:00:00:00:ab) dns ?[2J?${'x'.repeat(89)}: ${'?'.repeat(123)}`);
	t.false('port' in (told?.details ?? {}));
});
