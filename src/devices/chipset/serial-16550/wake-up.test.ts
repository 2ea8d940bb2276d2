import test from 'ava';
import type {DeviceServices} from '#devices/device';
import {ByteRing} from '#support/shared-memory';
import {serial16550} from './index.ts';
import {Serial16550State} from './state.ts';

/** A front whose ring is emptied by `back` in the middle of each push, as another thread may. */
function interrupted(back: (ring: ByteRing<'tx'>) => void) {
	const state = Serial16550State.on(new SharedArrayBuffer(Serial16550State.byteLength));
	Serial16550State.reset(state);
	const ring = new ByteRing(Serial16550State, state, 'tx');
	const txData = new Proxy(state.txData, {
		get: (data, key) => Reflect.get(data, key, data),
		set: (data, key, value) => {
			back(ring);
			return Reflect.set(data, key, value, data);
		},
	});
	const counts = {notifications: 0};
	const services = {
		line: () => ({setLevel: () => {}}),
		notifyBack: () => {
			counts.notifications++;
		},
	} as unknown as DeviceServices;
	const config = {base: 0x3f8, irq: 4, backend: {kind: 'stderr'}} as const;
	return {front: serial16550.front(config, Object.assign(state, {txData}), services), counts, ring};
}

test('a byte that arrives just as the back has emptied the ring wakes the back again', (t) => {
	const {front, counts, ring} = interrupted((tx) => tx.clear());
	front.write(0, 0, 1, 0x61);
	t.is(counts.notifications, 1);
	front.write(0, 0, 1, 0x62);
	t.is(ring.length, 1);
	t.is(counts.notifications, 2);
});

test('a byte that joins others wakes nobody, for the back goes on until the ring is empty', (t) => {
	const {front, counts} = interrupted(() => {});
	for (const byte of [0x61, 0x62, 0x63]) front.write(0, 0, 1, byte);
	t.is(counts.notifications, 1);
});
