import test from 'ava';
import {MicroOp, memoryMap} from '#vcpu-worker/software/state';
import {ownTranslations} from '#vcpu-worker/software/translator';
import {flowsAt, type HostileFlow, hostileFlows} from './fuzz/hostile-flows.ts';
import type {GuestOptions} from './guest-processor.ts';
import {left, runOn} from './kernel-runs.ts';
import {startBytes} from './raw-code.ts';

const turns = 20_000;

function start({code, rounds}: HostileFlow, heat?: number, options?: GuestOptions) {
	const guest = startBytes([...code], flowsAt, options);
	guest.processor.heat = heat;
	guest.processor.core.state.general[1] = BigInt(rounds);
	return guest;
}

for (const [name, flow] of Object.entries(hostileFlows))
	test(`${name}: by translations as by the interpreter`, (t) => {
		t.timeout(600_000);
		const expected = runOn(start(flow), turns).guest;
		t.true(expected.processor.isHalted);
		t.is(expected.processor.core.state.general[1], 0n);
		for (const heat of flow.heats) {
			const {guest, modules} = runOn(start(flow, heat), turns);
			t.deepEqual(left(guest), left(expected), `heat ${heat}`);
			t.true(modules > 0);
		}
	});

test('a guest that makes code without end goes on when there is no room for what is decoded of it', (t) => {
	t.timeout(600_000);
	const made = hostileFlows['code that is made without end'] as HostileFlow;
	// Each has little memory.
	const options = {processors: 64};
	const {core} = start(made, undefined, options).processor;
	// Each round makes a block of more records than that.
	const rounds = (core.memory.byteLength - memoryMap.records) / MicroOp.size / 4;
	const expected = runOn(start({...made, rounds}, undefined, options), turns).guest;
	const guest = start({...made, rounds}, 2, options);
	const before = guest.processor.core.codeEpoch;
	runOn(guest, turns);
	t.true(guest.processor.core.codeEpoch > before);
	t.deepEqual(left(guest), left(expected));
});

test('functions without end leave no more translations than there is room for', (t) => {
	t.timeout(600_000);
	const bound = 200_000;
	const guest = start(hostileFlows['ten thousand functions that are called in turn'] as HostileFlow, 2, {
		translations: ownTranslations({machineBytes: bound, bytes: bound}),
	});
	const {translations} = guest.processor;
	let most = 0;
	for (let turn = 0; turn < turns && guest.processor.run(1000) === 'polled'; turn++)
		most = Math.max(most, translations.size.bytes);
	t.true(guest.processor.isHalted);
	t.true(most > bound / 2 && most <= bound, `${most}`);
});
