import test from 'ava';
import type {MachineEvent} from '#devices/device';
import {MachineEvents, MachineState} from './machine-events.ts';

const made = () => new MachineEvents(new SharedArrayBuffer(MachineState.byteLength));

test('the first request waits until it is taken, and is the same where it is restored', (t) => {
	const asked: MachineEvent[] = [
		{kind: 'reset'},
		{kind: 'power-off'},
		{kind: 'hibernate'},
		{kind: 'crash'},
		{kind: 'watchdog'},
		{kind: 'exit', status: 0},
		{kind: 'exit', status: 255},
	];
	for (const event of asked) {
		const [events, restored] = [made(), made()];
		events.request(event);
		events.request({kind: 'exit', status: 7});
		events.request({kind: 'reset'});
		t.deepEqual(events.event, event);
		// The event that waits there is of another guest.
		restored.request({kind: 'exit', status: 9});
		restored.restore(JSON.parse(JSON.stringify(events.save())));
		t.deepEqual(restored.event, event);
		restored.restore(made().save());
		t.false(restored.pending);
	}
});

test('what no machine can have asked for is refused, and what waits is left alone', (t) => {
	const events = made();
	events.request({kind: 'reset'});
	for (const saved of [undefined, 1, 'reset', {kind: 'launch', status: 0}, {kind: 'exit', status: 256}, {kind: 'exit'}])
		t.throws(() => events.restore(saved), {code: 'STATE_FIELD_WRONG'});
	t.deepEqual(events.event, {kind: 'reset'});
});
