import type {VmConfig} from '#main/config';
import {type CreateOptions, createVm, type HostOptions, type Vm, type VmEnd} from '#main/vm';
import {longestTimerMs, untilAborted} from '#support/abort';
import {isVmmError} from '#support/errors';
import {AgentLink, type LinkedGuest} from './agent-link.ts';
import {apiError} from './errors.ts';
import type {MachineConsole} from './guest-console.ts';
import type {HostChoices} from './options.ts';
import type {ReachAgent} from './reach-agent.ts';

/** How long a guest may take until it answers, unless that is said: the slowest host boots a distribution in it. */
const usualStartMs = 300_000;

/** A machine that runs. */
export interface RunningMachine {
	readonly machine: Vm;
	readonly console: MachineConsole;
	/** Undefined where it has no agent. */
	readonly link: AgentLink | undefined;
}

/** A machine to be started. */
export interface MachineToStart {
	readonly name: string;
	readonly guestConsole: MachineConsole;
	readonly config: VmConfig;
	readonly create: CreateOptions & HostOptions;
	/** The way to our agent in its guest; undefined where it has none. */
	readonly reach: ReachAgent | undefined;
	/** What is to be done in the guest before it is ready. */
	readonly prepare: (link: AgentLink) => Promise<unknown>;
	/** What each of its boots is to have; see {@link AgentLink}. */
	readonly fill: LinkedGuest['fill'];
	readonly filled?: string | undefined;
}

/**
 * Makes a machine, starts it, and waits until its guest answers.
 * @throws VmmError VM_START_TIMEOUT, VM_START_ENDED; whatever createVm throws; the signal's reason. Nothing of it is left then but its folder
 */
export async function bringUp(wanted: MachineToStart, choices: HostChoices): Promise<RunningMachine> {
	const {signal, log, deviceNoticed, progress, startTimeout = usualStartMs, unready} = choices;
	const {name, guestConsole, config, create, reach, prepare, fill, filled} = wanted;
	progress?.('machine', 0, 0);
	const machine = await createVm(config, {...create, ...(signal && {signal}), ...(deviceNoticed && {deviceNoticed})});
	let link: AgentLink | undefined;
	try {
		if (log !== undefined) guestConsole.listen(log);
		guestConsole.attach(machine);
		progress?.('boot', 0, 0);
		await machine.start();
		signal?.throwIfAborted();
		if (reach !== undefined) {
			link = new AgentLink(machine, {name, reach, said: () => guestConsole.text, fill, filled});
			await answered(prepare(link), {machine, guestConsole, name, startTimeout, signal, link});
		}
		return {machine, console: guestConsole, link};
	} catch (error) {
		try {
			await unready?.({name, machine, console: guestConsole}, error);
		} finally {
			link?.close();
			await machine.stop();
		}
		throw error;
	}
}

interface Awaited {
	readonly machine: Vm;
	readonly guestConsole: MachineConsole;
	readonly name: string;
	readonly startTimeout: number;
	readonly signal: AbortSignal | undefined;
	readonly link: AgentLink;
}

/** Waits for the guest's answer, no longer than the machine is there, and than it may take. */
async function answered<T>(
	answer: Promise<T>,
	{machine, guestConsole, name, startTimeout, signal, link}: Awaited,
): Promise<T> {
	const late = Promise.withResolvers<never>();
	const timer = setTimeout(
		() => {
			const waitedFor = `the guest agent${link.met === undefined ? '' : ` (${link.met})`}`;
			const waited = {name, seconds: startTimeout / 1000, waitedFor, console: guestConsole.text};
			late.reject(apiError('VM_START_TIMEOUT', waited));
		},
		Math.min(startTimeout, longestTimerMs),
	);
	const ended = machine.ended.then((end): never => {
		throw endedEarly(name, end, guestConsole.text);
	});
	try {
		return await untilAborted(Promise.race([answer.catch(endedFirst(ended)), late.promise, ended]), signal);
	} finally {
		clearTimeout(timer);
		late.promise.catch(() => {});
		ended.catch(() => {});
	}
}

/** A guest that ends has its connection end too, and says more by how it ended. */
const endedFirst = (ended: Promise<never>) => (error: unknown) => {
	if (!isVmmError(error, 'VM_STOPPED_AGENT') && !isVmmError(error, 'AGENT_CLOSED')) throw error;
	return ended;
};

const endedEarly = (name: string, end: VmEnd, text: string) => apiError('VM_START_ENDED', {name, end, console: text});
