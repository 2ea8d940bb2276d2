import {fits, generator, randomFields, randomSteps, type Step} from '#devices/conformance';
import type {Region} from '#devices/device';
import {type SavedFields, saveStruct} from '#support/saved-state';
import type {CheckedDevice, CheckedMachine} from './checked-machine.ts';

/** A rule that a device keeps. What {@link run} throws is a fault of the device, too. */
export interface DeviceCheck {
	/** The rule, as a sentence of which the device is the subject. */
	readonly rule: string;
	/** @param fault - told of each fault, in a line */
	run(device: CheckedDevice, fault: (line: string) => void): void | Promise<void>;
}

const stepCount = 20_000;
const damagedRounds = 50;
const damagedSteps = 400;
const mostNs = 2e8;

/** Spaces whose accesses are numbers, without configuration space, which is the platform's. */
const isPlain = ({space}: Region) => space === 'pio' || space === 'mmio' || space === 'bar';

/** Random accesses to what of a device any thread answers, and commands that it takes. */
export function* steps(
	{device}: CheckedMachine,
	{type}: CheckedDevice,
	seed: number,
	count = stepCount,
): Generator<Step> {
	const plain = device.regions.flatMap((region, index) => (isPlain(region) ? [{...region, index}] : []));
	for (const step of randomSteps(type.commands ?? [], plain, generator(seed), count))
		yield 'size' in step ? {...step, region: (plain[step.region] as {index: number}).index} : step;
}

/** Makes an access or gives a command; what was read, or 0. @throws VmmError where the device fails */
export function perform({device, machine}: CheckedMachine, step: Step): number {
	if ('command' in step) machine.control(device.placed.name, step.command);
	else if (step.value < 0) return device.target.read(step.region, step.offset, step.size);
	else device.target.write(step.region, step.offset, step.size, step.value);
	return 0;
}

/** Tells of what fits no access, once for each register. */
export function misfits(machine: Pick<CheckedMachine, 'placeOf'>, fault: (line: string) => void) {
	const told = new Set<string>();
	return (step: Step, value: number): void => {
		if (!('size' in step) || fits(step.size, value)) return;
		const place = machine.placeOf(step.region, step.offset, step.size);
		if (!told.has(place)) fault(`a read of ${place} gives ${value}, which does not fit`);
		told.add(place);
	};
}

/** Performs steps until one fails, and says which. @returns the answers, or undefined after a failure */
function performAll(
	machine: CheckedMachine,
	all: Iterable<Step>,
	fault: (line: string) => void,
	perStep: (step: Step, index: number) => number,
): number[] | undefined {
	const answers: number[] = [];
	const below = generator(11);
	for (const step of all) {
		machine.nowNs += below(mostNs);
		try {
			answers.push(perStep(step, answers.length));
		} catch (error) {
			fault(`${stepLine(machine, step)}: ${(error as Error).message}`);
			return undefined;
		}
	}
	return answers;
}

/** A step as a person says it. */
export function stepLine(machine: Pick<CheckedMachine, 'placeOf'>, step: Step): string {
	if ('command' in step) return `the command ${step.command.kind}`;
	const {region, offset, size, value} = step;
	return `${value < 0 ? 'a read of' : `a write of 0x${value.toString(16)} to`} ${machine.placeOf(region, offset, size)}`;
}

const stateOf = ({device}: CheckedMachine): SavedFields =>
	saveStruct(device.model.state, device.state, device.model.versions).fields;

/** Names the fields that differ. */
function differing(one: SavedFields, other: SavedFields): string[] {
	const text = (value: unknown) => JSON.stringify(value) ?? 'nothing';
	return Object.keys(one).filter((name) => text(one[name]) !== text(other[name]));
}

/** Performs the same on both sides and tells what differs. */
function tellDifferences(
	fault: (line: string) => void,
	what: string,
	[one, other]: readonly [CheckedMachine, CheckedMachine],
	all: readonly Step[],
	[left, right]: readonly [readonly number[], readonly number[]],
): void {
	const at = left.findIndex((value, index) => value !== right[index]);
	if (at >= 0) fault(`${stepLine(one, all[at] as Step)} gives ${right[at]} ${what}, and ${left[at]} otherwise`);
	const fields = differing(stateOf(one), stateOf(other));
	if (fields.length > 0) fault(`its state is another one ${what}: ${fields.join(', ')}`);
}

/** What every device is to keep to that any thread serves. */
export const frontChecks: readonly DeviceCheck[] = [
	{
		rule: 'answers every access, and every value fits its width',
		run(checked, fault) {
			const machine = checked.make();
			machine.enable();
			const misfit = misfits(machine, fault);
			performAll(machine, steps(machine, checked, 1), fault, (step) => {
				const value = perform(machine, step);
				misfit(step, value);
				return value;
			});
		},
	},
	{
		rule: 'is after a reset what it was at power-on, with its lines low',
		run(checked, fault) {
			const machine = checked.make();
			const before = stateOf(machine);
			machine.enable();
			performAll(machine, steps(machine, checked, 2), fault, (step) => perform(machine, step));
			machine.powerOn();
			const fields = differing(before, stateOf(machine));
			if (fields.length > 0) fault(`a reset leaves behind: ${fields.join(', ')}`);
			const lines = Object.entries(machine.device.placed.lines).filter(([, {gsi}]) => machine.raised.has(gsi));
			if (lines.length > 0) fault(`a reset leaves lines high: ${lines.map(([name]) => name).join(', ')}`);
		},
	},
	{
		rule: 'keeps all that the guest can change in its state, so that any thread can serve it',
		run(checked, fault) {
			const one = checked.make();
			const two = checked.make();
			const third = checked.make(two);
			for (const machine of [one, two]) machine.enable();
			const all = [...steps(one, checked, 3)];
			const expected = performAll(one, all, fault, (step) => perform(one, step));
			const answers = performAll(two, all, fault, (step, index) => perform(index % 2 === 0 ? two : third, step));
			if (expected && answers) tellDifferences(fault, 'on two threads', [one, two], all, [expected, answers]);
		},
	},
	{
		rule: 'goes on from a saved state as the device that it was saved from',
		run(checked, fault) {
			const [one, two] = [checked.make(), checked.make()];
			one.enable();
			if (!performAll(one, steps(one, checked, 5), fault, (step) => perform(one, step))) return;
			two.machine.restore(JSON.parse(JSON.stringify(one.machine.save())));
			two.nowNs = one.nowNs;
			const all = [...steps(one, checked, 6)];
			const expected = performAll(one, all, fault, (step) => perform(one, step));
			const answers = performAll(two, all, fault, (step) => perform(two, step));
			if (expected && answers) tellDifferences(fault, 'after a restore', [one, two], all, [expected, answers]);
		},
	},
	{
		rule: 'fails for no saved state, whatever is in it, and has words for it',
		run(checked, fault) {
			const below = generator(7);
			for (let round = 0; round < damagedRounds; round++) {
				const machine = checked.make();
				const {name, type} = checked;
				const {device} = machine;
				const saved = machine.machine.save();
				const own = saved.devices[name] as (typeof saved.devices)[string];
				const fields = randomFields(device.model.state, below);
				machine.machine.restore({...saved, devices: {...saved.devices, [name]: {...own, fields}}});
				const faults: string[] = [];
				const tell = (line: string) =>
					void faults.push(`with the fields ${JSON.stringify(fields).slice(0, 200)}, ${line}`);
				const misfit = misfits(machine, tell);
				performAll(machine, steps(machine, checked, round, damagedSteps), tell, (step) => {
					const value = perform(machine, step);
					misfit(step, value);
					return value;
				});
				for (const [word, text] of Object.entries(type.words?.(device.state, device.placed.config) ?? {}))
					if (typeof text !== 'string') tell(`"words" has ${String(text)} for ${word}`);
				if (faults[0] !== undefined) return fault(faults[0]);
			}
		},
	},
];
