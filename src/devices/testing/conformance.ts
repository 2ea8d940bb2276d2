import type {TestFn} from 'ava';
import {type Below, fits, generator, randomFields, randomSteps, type Step} from '#devices/conformance';
import type {DeviceCommand} from '#devices/device';
import type {AnyDeviceType} from '#devices/device-type';
import {type SavedStruct, saveStruct} from '#support/saved-state';
import type {Fields} from '#support/wire';
import {DeviceUnderTest} from './device-under-test.ts';
import {exampleConfig} from './example-config.ts';

type Subject = DeviceUnderTest<unknown, Fields>;

const stepCount = 20_000;
const damagedRounds = 50;
const damagedSteps = 400;
const spaceEnds = {pio: 0x1_0000, mmio: 2 ** 52} as const;

/** Random accesses and commands, between which time passes. Memory of a BAR is not a device's state: nobody accesses it. */
function* accesses(known: readonly DeviceCommand[], device: Subject, seed: number, count = stepCount): Generator<Step> {
	const below = generator(seed);
	for (const step of randomSteps(known, device.regions, below, count)) {
		if ('size' in step && device.regions[step.region]?.space === 'pages') continue;
		if ('size' in step) device.nowNs += below(2e8);
		yield step;
	}
}

function perform(front: Subject['front'], step: Step): number {
	if ('command' in step) {
		front.control?.(step.command);
		return 0;
	}
	const {region, offset, size, value} = step;
	if (value < 0) return front.read(region, offset, size);
	front.write(region, offset, size, value);
	return 0;
}

const isFitting = (step: Step, value: number) => fits('size' in step ? step.size : 1, value);

/** Values that fit every field and make no sense together. */
const randomState = (device: Subject, below: Below): SavedStruct => {
	return {version: device.save().version, fields: randomFields(device.model.state, below)};
};

const snapshot = (device: Subject) => JSON.stringify(device.save());

/**
 * Registers the tests that every device has to pass, made from its declaration: no throw, values that fit their width, reset
 * restores the declared state, any thread can serve it, a saved device goes on as the one that it was saved from, and neither
 * damaged state nor state that makes no sense does harm.
 */
export function testConformance(test: TestFn, type: AnyDeviceType): void {
	const {kind, commands = []} = type;
	const config = exampleConfig(type);
	const make = (): Subject => new DeviceUnderTest(type, config) as Subject;
	const steps = (...rest: Parameters<typeof accesses> extends [unknown, ...infer R] ? R : never) =>
		accesses(commands, ...rest);

	test(`${kind}: regions have unique names, do not overlap and stay in their space`, (t) => {
		const {regions} = make();
		t.is(new Set(regions.map(({name}) => name)).size, regions.length);
		for (const [space, end] of Object.entries(spaceEnds)) {
			const sorted = regions.filter((region) => region.space === space).sort((a, b) => a.base - b.base);
			for (const [index, {base, length}] of sorted.entries()) {
				t.true(length > 0);
				t.true(base + length <= (sorted[index + 1]?.base ?? end));
			}
		}
	});

	test(`${kind}: no access throws, and every value fits its width`, (t) => {
		const device = make();
		const misfits: string[] = [];
		for (const step of steps(device, 1)) {
			const value = perform(device.front, step);
			misfits.push(...(isFitting(step, value) ? [] : [`${JSON.stringify(step)} gave ${value}`]));
		}
		t.deepEqual(misfits, []);
	});

	test(`${kind}: reset restores the initial state and drops every interrupt`, (t) => {
		const device = make();
		const initial = snapshot(device);
		for (const step of steps(device, 2)) perform(device.front, step);
		t.not(snapshot(device), initial, 'else this proves nothing');
		device.nowNs = 0;
		device.reset();
		t.is(snapshot(device), initial);
		t.false([...device.levels.values()].includes(true));
	});

	test(`${kind}: any thread can serve any access, for all state is shared`, (t) => {
		const [one, two] = [make(), make()];
		const fronts = [two.front, two.otherFront()] as const;
		const [answers, expected]: [number[], number[]] = [[], []];
		for (const step of steps(one, 3)) {
			two.nowNs = one.nowNs;
			expected.push(perform(one.front, step));
			answers.push(perform(fronts[answers.length & 1] as (typeof fronts)[0], step));
		}
		t.deepEqual(answers, expected);
		t.is(snapshot(two), snapshot(one));
		t.deepEqual([...two.levels], [...one.levels]);
	});

	test(`${kind}: a saved device goes on as the one it was saved from`, (t) => {
		const [one, two] = [make(), make()];
		for (const step of steps(one, 5)) perform(one.front, step);
		two.restore(JSON.parse(JSON.stringify(one.save())));
		t.is(snapshot(two), snapshot(one));
		two.nowNs = one.nowNs;
		const [answers, expected]: [number[], number[]] = [[], []];
		for (const step of steps(one, 6)) {
			two.nowNs = one.nowNs;
			expected.push(perform(one.front, step));
			answers.push(perform(two.front, step));
		}
		t.deepEqual(answers, expected);
	});

	test(`${kind}: whatever a saved state holds, no access throws, every value fits its width, and there are words for it`, (t) => {
		const below = generator(7);
		for (let round = 0; round < damagedRounds; round++) {
			const device = make();
			device.restore(randomState(device, below));
			const misfits: string[] = [];
			for (const step of steps(device, round, damagedSteps)) {
				const value = perform(device.front, step);
				misfits.push(...(isFitting(step, value) ? [] : [`${JSON.stringify(step)} gave ${value}`]));
			}
			const words = Object.values(type.words?.(device.state, config) ?? {});
			misfits.push(...words.filter((word) => typeof word !== 'string'));
			t.deepEqual(misfits, []);
		}
	});

	test(`${kind}: a damaged saved state is refused, field by field, and changes nothing`, (t) => {
		const device = make();
		const before = snapshot(device);
		const saved = device.save();
		for (const field of Object.keys(saved.fields)) {
			const {[field]: _, ...others} = saved.fields;
			t.throws(() => device.restore({...saved, fields: others}), {code: 'STATE_FIELD_WRONG'});
			t.throws(() => device.restore({...saved, fields: {...others, [field]: null as never}}), {
				code: 'STATE_FIELD_WRONG',
			});
		}
		t.is(snapshot(device), before);
	});

	test(`${kind}: the state can be decoded from another thread's view as finite numbers`, (t) => {
		const device = make();
		for (const step of steps(device, 4)) perform(device.front, step);
		const {state: schema} = device.model;
		const bytes = device.state.$bytes;
		const elsewhere = schema.on(bytes.buffer as SharedArrayBuffer, bytes.byteOffset);
		const decoded = JSON.stringify(saveStruct(schema, elsewhere, device.model.versions));
		t.is(decoded, snapshot(device));
		t.false(decoded.includes('null'), 'JSON has no other numbers');
	});
}
