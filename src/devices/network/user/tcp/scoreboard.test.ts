import test from 'ava';
import {seeded} from '#devices/virtio/testing';
import {Scoreboard} from './scoreboard.ts';

const mss = 10;

test('what is missing is lost when three ranges or more than two segments behind it have come', (t) => {
	const board = new Scoreboard();
	t.true(board.add(20, 30));
	t.false(board.add(22, 30), 'no news');
	t.true(board.add(40, 50));
	t.false(board.isLost(0, mss));
	t.is(board.underWay(0, 100, 0, mss), 80);
	t.true(board.add(50, 51), 'one more byte than two segments');
	t.true(board.isLost(0, mss));
	t.false(board.isLost(30, mss));
	t.is(board.underWay(0, 100, 0, mss), 10 + 49);
	t.is(board.underWay(0, 100, 10, mss), 10 + 10 + 49, 'sent again');
	board.release(25);
	t.deepEqual([board.past(25), board.nextFrom(30), board.nextFrom(41)], [30, 40, Number.POSITIVE_INFINITY]);
	board.add(60, 61);
	board.add(70, 71);
	t.true(board.isLost(31, mss), 'three ranges');
	board.clear();
	t.true(board.isEmpty);
});

test('it knows what a list of bytes knows, and keeps 64 ranges', (t) => {
	const below = seeded(7);
	for (let round = 0; round < 50; round++) {
		const board = new Scoreboard();
		const bytes = new Uint8Array(400);
		let acknowledged = 0;
		for (let step = 0; step < 60 && acknowledged < 340; step++) {
			const from = acknowledged + 1 + below(360 - acknowledged);
			const to = Math.min(400, from + 1 + below(below(4) === 0 ? 40 : 4));
			const isNews = bytes.subarray(from, to).includes(0);
			t.is(board.add(from, to), isNews);
			bytes.fill(1, from, to);
			if (below(8) === 0 && acknowledged < 300) {
				acknowledged += below(20);
				// A guest that acknowledges has what is behind it too.
				while (bytes[acknowledged] === 1) acknowledged++;
				bytes.fill(0, 0, acknowledged);
				board.release(acknowledged);
			}
			const at = acknowledged + below(400 - acknowledged);
			const past = bytes.indexOf(0, at);
			t.is(board.past(at), past < 0 ? 400 : past);
			const next = bytes.findIndex(
				(byte, index) => index >= at && byte === 1 && (bytes[index - 1] !== 1 || index === 0),
			);
			t.is(board.nextFrom(at), next < 0 ? Number.POSITIVE_INFINITY : next);
			const repeated = acknowledged + below(400 - acknowledged);
			let underWay = 0;
			for (let each = acknowledged; each < 400; each++) {
				if (bytes[each] === 1) continue;
				underWay += (board.isLost(each, mss) ? 0 : 1) + (each < repeated ? 1 : 0);
			}
			t.is(board.underWay(acknowledged, 400, repeated, mss), underWay);
		}
	}
	const full = new Scoreboard();
	for (let range = 0; range < 64; range++) t.true(full.add(10 * range + 5, 10 * range + 6));
	t.false(full.add(1000, 1001), 'there is no room');
	t.true(full.add(6, 7), 'what it touches grows');
	full.release(500);
	t.true(full.add(1000, 1001));
});
