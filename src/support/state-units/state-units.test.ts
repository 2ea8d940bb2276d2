import test from 'ava';
import type {StateUnit} from './state-unit.ts';
import {StateUnits} from './state-units.ts';

/** A unit that writes down what happens to it. */
function recorded(log: string[], name: string, needs: readonly string[], startsAfterMs = 0): StateUnit {
	return {
		name,
		needs,
		async start() {
			log.push(`start ${name}`);
			if (startsAfterMs > 0) await new Promise((resolve) => setTimeout(resolve, startsAfterMs));
			log.push(`started ${name}`);
		},
		stop: () => void log.push(`stop ${name}`),
		reset: () => void log.push(`reset ${name}`),
		save: () => ({of: name}),
		restore: (saved) => void log.push(`restore ${name} ${JSON.stringify(saved)}`),
	};
}

test('units stop in the opposite order of their start, whatever order they are given in', async (t) => {
	const log: string[] = [];
	const units = new StateUnits([
		recorded(log, 'vcpus', ['devices', 'time']),
		recorded(log, 'devices', ['time']),
		recorded(log, 'time', []),
	]);
	t.deepEqual(units.names, ['time', 'devices', 'vcpus']);
	await units.reset();
	await units.stop();
	t.deepEqual(log, ['reset time', 'reset devices', 'reset vcpus', 'stop vcpus', 'stop devices', 'stop time']);
});

test('a slow start holds nobody up, and is waited for', async (t) => {
	const log: string[] = [];
	const units = new StateUnits([recorded(log, 'slow', [], 20), recorded(log, 'quick', ['slow'])]);
	await units.start();
	t.deepEqual(log, ['start slow', 'start quick', 'started quick', 'started slow']);
});

test('a failing start is reported', async (t) => {
	const units = new StateUnits([{name: 'a', needs: [], start: () => Promise.reject(new Error('no'))}]);
	await t.throwsAsync(units.start(), {message: 'no'});
});

test('what is saved is restored, unit by unit', async (t) => {
	const log: string[] = [];
	const units = new StateUnits([recorded(log, 'b', ['a']), recorded(log, 'a', []), {name: 'stateless', needs: []}]);
	const saved = await units.save();
	t.deepEqual(saved, {a: {of: 'a'}, b: {of: 'b'}});
	await units.restore(saved);
	t.deepEqual(log, ['restore a {"of":"a"}', 'restore b {"of":"b"}']);
});

test('units of another machine are refused by name', async (t) => {
	const units = new StateUnits([recorded([], 'a', [])]);
	const error = await t.throwsAsync(units.restore({b: {}}), {code: 'STATE_UNITS_DIFFER'});
	t.regex(error?.message ?? '', /without a, with b/);
});

test('needs that lead nowhere or in circles are mistakes of the builder', (t) => {
	t.throws(() => new StateUnits([recorded([], 'a', ['b'])]), {message: /unit a needs b/});
	t.throws(() => new StateUnits([recorded([], 'a', ['b']), recorded([], 'b', ['a'])]), {message: /a → b → a/});
});
