import type {TestFn} from 'ava';
import type {AccessSize, DeviceCommand} from '#devices/device';
import type {AnyDeviceType} from '#devices/device-type';
import {type SavedField, type SavedFields, type SavedStruct, saveStruct} from '#support/saved-state';
import {type AnyField, type Fields, isKind, type Wire} from '#support/wire';
import {DeviceUnderTest} from './device-under-test.ts';
import {exampleConfig} from './example-config.ts';

type Subject = DeviceUnderTest<unknown, Fields>;

const stepCount = 20_000;
const crowdedBytes = 0x44;
const damagedRounds = 50;
const damagedSteps = 400;
const spaceEnds = {pio: 0x1_0000, mmio: 2 ** 52} as const;
const sizes: readonly AccessSize[] = [1, 2, 4];

/** Deterministic numbers below `limit` (numerical recipes' generator, high bits). */
function generator(seed: number): (limit: number) => number {
	let state = seed;
	return (limit) => {
		state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
		return Math.floor((state / 2 ** 32) * limit);
	};
}

type Step = Access | {readonly command: DeviceCommand};

interface Access {
	readonly region: number;
	readonly offset: number;
	readonly size: AccessSize;
	/** -1 reads. */
	readonly value: number;
}

/** Random accesses that a bus could pass on, inside one region, and now and then a command. */
function* accesses(known: readonly DeviceCommand[], device: Subject, seed: number, count = stepCount): Generator<Step> {
	const below = generator(seed);
	for (let step = 0; step < count; step++) {
		const command = known[below(16 * known.length)] ?? (device.regions.length === 0 ? known[0] : undefined);
		if (command !== undefined) {
			yield {command};
			continue;
		}
		const region = below(device.regions.length);
		const {length} = device.regions[region] as {length: number};
		const fitting = sizes.filter((size) => size <= length);
		const size = fitting[below(fitting.length)] as AccessSize;
		// Large regions have their registers at the start.
		const offset = below(Math.min(length, below(2) === 0 ? length : crowdedBytes) - size + 1);
		const value = below(2) === 0 ? -1 : below(2 ** (8 * size));
		device.nowNs += below(2e8);
		yield {region, offset, size, value};
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

/** A value that a front may answer with: one of 4 bytes may be signed. */
const fits = (step: Step, value: number) => {
	const bits = 8 * ('size' in step ? step.size : 1);
	return Number.isInteger(value) && value >= (bits === 32 ? -(2 ** 31) : 0) && value < 2 ** bits;
};

/** Values that fit every field and make no sense together. */
function randomState(device: Subject, below: (limit: number) => number): SavedStruct {
	const random = (field: AnyField): SavedField => {
		if (isKind(field, 'struct')) return randomFields(field);
		if (isKind(field, 'list')) return Array.from({length: field.length}, () => random(field.item));
		if (isKind(field, 'scalar') && field.type === 'f64') return (below(2 ** 31) - 2 ** 30) * 2 ** (below(54) - 31);
		if (isKind(field, 'scalar') && field.size < 8) return below(2 ** (8 * field.size)) + Number(field.range?.[0]);
		const bytes = Buffer.from(Uint8Array.from({length: field.size}, () => below(256)));
		return isKind(field, 'halves') || isKind(field, 'scalar') ? `0x${bytes.toString('hex')}` : bytes.toString('base64');
	};
	const randomFields = ({fields}: Wire): SavedFields =>
		Object.fromEntries(Object.entries(fields).map(([name, field]) => [name, random(field)]));
	return {version: device.save().version, fields: randomFields(device.model.state)};
}

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
			misfits.push(...(fits(step, value) ? [] : [`${JSON.stringify(step)} gave ${value}`]));
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
				misfits.push(...(fits(step, value) ? [] : [`${JSON.stringify(step)} gave ${value}`]));
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
