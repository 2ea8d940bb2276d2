import test from 'ava';
import {seeded} from '#devices/virtio/testing';
import {Flight} from './flight.ts';

const most = 60;

/** What a flight is, byte by byte. */
interface Byte {
	order: number;
	isAgain: boolean;
	state: 'under-way' | 'has' | 'lost';
}

for (const seed of [1, 2, 3, 4, 5])
	test(`a flight is what its bytes are, whatever is sent, said and lost: ${seed}`, (t) => {
		const below = seeded(seed);
		const flight = new Flight();
		const bytes: Byte[] = [];
		let acknowledged = 0;
		let order = 0;
		const delivered = new Set<number>();
		const told = (span: {from: number; to: number}) => {
			for (let at = span.from; at < span.to; at++) delivered.add(at);
		};
		const range = (): readonly [number, number] => {
			const from = acknowledged + below(Math.max(1, bytes.length - acknowledged));
			return [from, Math.min(bytes.length, from + 1 + below(8))];
		};
		const wanted = new Set<number>();
		const deliver = (at: number) => {
			if ((bytes[at] as Byte).state !== 'has') wanted.add(at);
		};
		for (let step = 0; step < 4000; step++) {
			delivered.clear();
			wanted.clear();
			const action = below(7);
			if (action <= 1 && bytes.length - acknowledged < most) {
				const length = 1 + below(9);
				flight.sent(bytes.length, bytes.length + length, step);
				order++;
				for (let each = 0; each < length; each++) bytes.push({order, isAgain: false, state: 'under-way'});
			} else if (action === 2 && bytes.length > acknowledged) {
				const lost = flight.firstLost;
				if (lost === undefined) continue;
				const to = lost.from + 1 + below(lost.to - lost.from);
				flight.sent(lost.from, to, step);
				order++;
				for (const byte of bytes.slice(lost.from, to)) Object.assign(byte, {order, isAgain: true, state: 'under-way'});
			} else if (action === 3) {
				const position = acknowledged + below(Math.min(12, bytes.length - acknowledged) + 1);
				flight.acknowledged(position, told);
				for (; acknowledged < position; acknowledged++) deliver(acknowledged);
			} else if (action === 4 && bytes.length > acknowledged) {
				const [from, to] = range();
				const isNews = flight.selected(from, to, told);
				for (let at = from; at < to; at++) deliver(at);
				t.is(isNews, wanted.size > 0);
				for (const byte of bytes.slice(from, to)) byte.state = 'has';
			} else if (action === 5) {
				const before = below(order + 1);
				flight.lose((span) => span.order <= before);
				for (const byte of bytes.slice(acknowledged))
					if (byte.state === 'under-way' && byte.order <= before) byte.state = 'lost';
			} else if (below(20) === 0) {
				const isForgotten = below(2) === 0;
				flight.loseAll(isForgotten);
				for (const byte of bytes.slice(acknowledged)) if (byte.state !== 'has' || isForgotten) byte.state = 'lost';
			}
			t.deepEqual(delivered, wanted);
			const left = bytes.slice(acknowledged);
			t.is(flight.underWay, left.filter(({state}) => state === 'under-way').length);
			t.is(
				flight.hasAny,
				left.some(({state}) => state === 'has'),
			);
			const first = left.findIndex(({state}) => state === 'lost');
			t.is(flight.firstLost?.from, first < 0 ? undefined : acknowledged + first);
			t.is(flight.hasReneged, left[0]?.state === 'has');
		}
		t.true(order > 500);
	});

test('with more parts than are kept apart all is sent, and what the guest says it has means nothing until some have gone', (t) => {
	const flight = new Flight();
	for (let at = 0; at < 1000; at++) flight.sent(at, at + 1, at);
	t.is(flight.underWay, 1000);
	t.false(flight.selected(990, 995, () => {}));
	flight.loseAll(false);
	flight.sent(0, 1000, 2000);
	t.is(flight.underWay, 1000);
	let had = 0;
	flight.acknowledged(1000, ({from, to}) => {
		had += to - from;
	});
	t.is(had, 1000);
	t.is(flight.underWay, 0);
});
