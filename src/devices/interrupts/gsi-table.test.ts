import test from 'ava';
import {type GsiRoute, GsiTable} from './index.ts';

const message = (data: number) => ({addressLow: 0xfee0_0000, addressHigh: 0, data});

function make(buffer = new SharedArrayBuffer(GsiTable.byteLength)) {
	const applied: number[][] = [];
	const apply = (routes: readonly GsiRoute[]) => void applied.push(routes.map(({gsi, data}) => gsi * 1000 + data));
	return {table: new GsiTable(buffer, apply), applied, buffer};
}

test('the back end is told of changes only, whichever thread made them', (t) => {
	const one = make();
	const other = make(one.buffer);
	const pins = [4, 9].map((gsi) => ({gsi, ...message(0x30 + gsi)}));
	for (const {table} of [one, other]) table.setPins(pins);
	t.deepEqual([one.applied, other.applied], [[[4052, 9057]], []]);
	other.table.setPins(pins.slice(1));
	one.table.setPins([{gsi: 9, ...message(0x41)}]);
	for (let i = 0; i < 2; i++) one.table.setPins([]);
	t.deepEqual([one.applied.slice(1), other.applied], [[[9065], []], [[9057]]]);
});
