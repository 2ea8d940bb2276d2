import {mock} from 'node:test';
import test from 'ava';
import type {GuestAgent} from '#main/agent';
import {GuestDate} from './guest-date.ts';

/** A guest that takes the time when the test says so, in a machine that goes on when the test says so. */
function datedGuest(sleep: {look(): boolean} = {look: () => false}) {
	const taken: (() => void)[] = [];
	const setClock = () => new Promise<void>((resolve) => void taken.push(resolve));
	const listeners = new Set<() => void>();
	const machine = {
		listenToResumes(listener: () => void) {
			listeners.add(listener);
			return () => void listeners.delete(listener);
		},
	};
	const date = new GuestDate(machine, {get: async () => ({setClock}) as unknown as GuestAgent}, sleep);
	const goOn = () => {
		for (const listener of listeners) listener();
	};
	/** Lets what has been asked come to the guest. */
	const settled = () => new Promise((resolve) => setImmediate(resolve));
	return {date, taken, goOn, settled, listeners};
}

test.serial(
	'a guest that goes on again and again is told the time once at a time, and after the last of them',
	async (t) => {
		const {date, taken, goOn, settled, listeners} = datedGuest();
		goOn();
		await settled();
		t.is(taken.length, 1);
		for (let count = 0; count < 100; count++) goOn();
		const {told} = date;
		await settled();
		t.is(taken.length, 1, 'it has not taken the first yet');
		taken[0]?.();
		await settled();
		t.is(taken.length, 2, 'which was of another moment');
		taken[1]?.();
		await told;
		goOn();
		await settled();
		t.is(taken.length, 3);
		date.close();
		t.is(listeners.size, 0);
	},
);

test.serial('a guest whose host has slept is told the time', async (t) => {
	mock.timers.enable({apis: ['setInterval']});
	t.teardown(() => mock.timers.reset());
	let slept = false;
	const {date, taken, settled} = datedGuest({look: () => slept});
	mock.timers.tick(10_000);
	await settled();
	t.is(taken.length, 0);
	slept = true;
	mock.timers.tick(2000);
	await settled();
	t.is(taken.length, 1);
	date.close();
	mock.timers.tick(10_000);
	await settled();
	t.is(taken.length, 1, 'it has ended');
});
