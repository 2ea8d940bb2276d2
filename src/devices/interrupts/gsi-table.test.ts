import test from 'ava';
import {type GsiRoute, GsiTable} from './index.ts';

const message = (data: number) => ({addressLow: 0xfee0_0000, addressHigh: 0, data});

function make(buffer = new SharedArrayBuffer(GsiTable.byteLength)) {
	const applied: number[][] = [];
	const apply = (routes: readonly GsiRoute[]) => void applied.push(routes.map(({gsi, data}) => gsi * 1000 + data));
	return {table: new GsiTable(buffer, apply), applied, buffer};
}

test('an I/O APIC and a device set their routes on two threads, and neither erases the other’s', (t) => {
	const apic = make();
	const device = make(apic.buffer);
	const gsi = device.table.allocate() as number;
	device.table.setMessage(gsi, message(0x41));
	apic.table.setPins([{gsi: 4, ...message(0x31)}]);
	device.table.setMessage(gsi, message(0x42));
	t.deepEqual(device.applied, [[24_065], [4049, 24_066]]);
	t.deepEqual(apic.applied, [[4049, 24_065]]);
	apic.table.setPins([]);
	t.deepEqual(
		apic.table.routes().map(({gsi: routed}) => routed),
		[gsi],
	);
});

test('the back end is told of changes only', (t) => {
	const {table, applied} = make();
	const gsi = table.allocate() as number;
	t.deepEqual(applied, [], 'an input without a message is nothing to it');
	for (let i = 0; i < 2; i++) table.setPins([{gsi: 9, ...message(0x39)}]);
	for (let i = 0; i < 2; i++) table.setMessage(gsi, message(0x50));
	for (let i = 0; i < 2; i++) table.setMessage(gsi, undefined);
	t.deepEqual(applied, [[9057], [9057, 24_080], [9057]]);
});

test('inputs are allocated once, given back, and run out', (t) => {
	const {table} = make();
	const taken: number[] = [];
	for (let gsi = table.allocate(); gsi !== undefined; gsi = table.allocate()) taken.push(gsi);
	t.is(new Set(taken).size, 1000);
	t.true(taken.every((gsi) => gsi >= 24));
	table.setMessage(taken[7] as number, message(1));
	table.free(taken[7] as number);
	t.is(table.allocate(), taken[7]);
	t.deepEqual(table.routes(), []);
});

test('nobody sets the message of an input that is not theirs', (t) => {
	const {table} = make();
	for (const gsi of [4, 24, 1024, -1]) {
		t.throws(() => table.setMessage(gsi, message(1)), {instanceOf: TypeError});
		t.throws(() => table.free(gsi), {instanceOf: TypeError});
	}
});
