import {setImmediate} from 'node:timers/promises';
import {generator, type Step} from '#devices/conformance';
import {DeviceBacks, type OwnedState} from '#devices/machine';
import {isVmmError} from '#support/errors';
import {EpollReactor} from '#support/reactor';
import type {CheckedDevice, CheckedMachine} from './checked-machine.ts';
import {type DeviceCheck, misfits, perform, stepLine, steps} from './front-checks.ts';

const stepCount = 2000;
const stepsPerTurn = 64;
const damagedRounds = 50;
const damagedSteps = 100;
const mostDamagedBytes = 4096;

type Fault = (line: string) => void;

/** What goes on behind a device's registers, on a reactor that runs. */
interface Running {
	readonly machine: CheckedMachine;
	readonly backs: readonly DeviceBacks[];
	/** Lets everything that is due have its turn. */
	turn(): Promise<void>;
	/** Random accesses until the device fails; what was read. @param told - of each */
	access(all: Iterable<Step>, told?: (step: Step, value: number) => void): Promise<number[]>;
}

/** Runs a device's back, or the owned device, while `action` lasts. What fails there is told. */
async function running(
	checked: CheckedDevice,
	fault: Fault,
	action: (running: Running) => Promise<void>,
): Promise<void> {
	const machine = checked.make();
	// The reactor hears of Node's own loop, once that has begun.
	await setImmediate();
	const reactor = new EpollReactor();
	const loop = reactor.run();
	const backs: DeviceBacks[] = [];
	let last: Step | undefined;
	const failed = ({message}: Error) => fault(last === undefined ? message : `${stepLine(machine, last)}: ${message}`);
	try {
		for (const worker of machine.layout.workers.keys())
			backs.push(new DeviceBacks(machine.machine, reactor, failed, {worker}));
		const turn = () => {
			for (const each of backs) each.poll();
			return new Promise<void>((resolve) => void reactor.after(0, resolve));
		};
		const access: Running['access'] = async (all, told) => {
			const answers: number[] = [];
			for (last of all) {
				const value = performBehind(checked, machine, backs, last);
				if (machine.device.faults.hasFailed) break;
				told?.(last, value);
				if (answers.push(value) % stepsPerTurn === 0) await turn();
			}
			last = undefined;
			return answers;
		};
		await action({machine, backs, turn, access});
	} finally {
		for (const each of backs) each.dispose();
		reactor.close();
		await loop;
	}
}

/** An owned device answers on its worker, and any thread for what is the platform's. */
function performBehind(
	{name}: CheckedDevice,
	machine: CheckedMachine,
	backs: readonly DeviceBacks[],
	step: Step,
): number {
	const {model, placed} = machine.device;
	if (model.owned === undefined) return perform(machine, step);
	if ('command' in step) {
		backs[0]?.owned.control(name, step.command);
		return 0;
	}
	const {region, offset, size, value} = step;
	if (!model.owned.answers(placed.config)(region, offset)) return perform(machine, step);
	const call = backs[0]?.back(name);
	if (value < 0) return call?.call('read', ({device}) => device.read(region, offset, size)) ?? 0;
	call?.call('write', ({device}) => device.write(region, offset, size, value));
	return 0;
}

/** What every device is to keep to that has something behind its registers. */
export const backChecks: readonly DeviceCheck[] = [
	{
		rule: 'starts, answers accesses, serves its queues and comes to rest, twice',
		run: (checked, fault) =>
			running(checked, fault, async ({machine, backs, turn, access}) => {
				machine.enable();
				const misfit = misfits(machine, fault);
				for (let round = 0; round < 2; round++) {
					for (const each of backs) each.start();
					await turn();
					await access(steps(machine, checked, 20 + round, stepCount), misfit);
					await Promise.all(backs.map((each) => each.stop()));
				}
			}),
	},
];

const ownState = async ({name}: CheckedDevice, backs: readonly DeviceBacks[]): Promise<OwnedState> =>
	(await backs[0]?.owned.save())?.find((state) => state.name === name) as OwnedState;
const isSame = (one: OwnedState, other: OwnedState) => Buffer.compare(one.bytes, other.bytes) === 0;

/** What every device is to keep to that the device worker owns. */
export const ownedChecks: readonly DeviceCheck[] = [
	{
		rule: 'is after a reset what it was at power-on, with its lines low',
		run: (checked, fault) =>
			running(checked, fault, async ({machine, backs, access}) => {
				const before = await ownState(checked, backs);
				await access(steps(machine, checked, 2, stepCount));
				machine.powerOn();
				backs[0]?.owned.reset();
				if (!isSame(before, await ownState(checked, backs)))
					fault('after a reset it saves other bytes than at power-on');
				if (machine.raised.size > 0) fault('a reset leaves lines high');
			}),
	},
	{
		rule: 'goes on from a saved state as the device that it was saved from',
		async run(checked, fault) {
			let [saved, expected]: [OwnedState | undefined, readonly number[]] = [undefined, []];
			await running(checked, fault, async ({machine, backs, access}) => {
				await access(steps(machine, checked, 5, stepCount));
				saved = await ownState(checked, backs);
				expected = await access(steps(machine, checked, 6, stepCount));
			});
			await running(checked, fault, async ({machine, backs, access}) => {
				if (saved === undefined) return;
				await backs[0]?.owned.restore([saved]);
				if (!isSame(saved, await ownState(checked, backs))) fault('restored, it saves other bytes than it was given');
				const all = [...steps(machine, checked, 6, stepCount)];
				const answers = await access(all);
				const at = answers.findIndex((value, index) => value !== expected[index]);
				const step = all[at];
				if (step)
					fault(`${stepLine(machine, step)} gives ${answers[at]} after a restore, and ${expected[at]} otherwise`);
			});
		},
	},
	{
		rule: 'refuses bytes that it has not saved, or takes them without harm',
		async run(checked, fault) {
			const below = generator(9);
			const {version = 1, mostBytes = 0} = checked.type.owned ?? {};
			const {name} = checked;
			for (let round = 0; round < damagedRounds; round++) {
				const faults: string[] = [];
				const bytes = Uint8Array.from({length: below(Math.min(mostBytes, mostDamagedBytes) + 1)}, () => below(256));
				const tell: Fault = (line) => void faults.push(`restored from ${bytes.length} bytes of anybody's, ${line}`);
				await running(checked, tell, async ({machine, backs, access}) => {
					try {
						await backs[0]?.owned.restore([{name, version, bytes}]);
					} catch (error) {
						if (isVmmError(error, 'DEVICE_STATE_REFUSED')) return;
						throw error;
					}
					await access(steps(machine, checked, round, damagedSteps));
				});
				if (faults[0] !== undefined) return fault(faults[0]);
			}
		},
	},
];
