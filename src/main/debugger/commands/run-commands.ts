import type {Step} from '#vcpu-worker/debug';
import {parseAddress} from '../protocol/index.ts';
import type {Session} from '../session.ts';
import {parseThread} from '../threads.ts';
import {type Command, failure} from './command.ts';

/** A client names at most every processor once. */
const maxActions = 1025;

/** `c` and `s`, with an address to go on from. */
const runOld =
	(step: boolean): Command =>
	async (session, argument) => {
		if (argument !== '') {
			const rip = parseAddress(argument);
			if (rip === undefined) return failure.invalid;
			const {general} = await session.registersOf(session.selected);
			await session.changeRegisters({general: {...general, rip}});
		}
		const vcpu = session.toRun === 'all' ? session.selected : session.toRun;
		await session.run(step ? new Map([[vcpu, true]]) : undefined);
		return undefined;
	};

/** `c`: runs on. */
export const goOn: Command = runOld(false);
/** `s`: runs one instruction. */
export const stepOne: Command = runOld(true);

/** `C` and `S`: the same with a signal, which means nothing to a machine. */
export const withoutSignal =
	(command: Command): Command =>
	(session, argument) =>
		/^[0-9a-fA-F]{2}(;|$)/.test(argument) ? command(session, argument.slice(3)) : failure.invalid;

/** `vCont?`: the actions there are. */
export const runActions: Command = () => 'vCont;c;C;s;S;r';

/** `vCont`: what each processor is to do. The first action that names it counts; one without any stays where it is. */
export const runThreads: Command = async (session, argument) => {
	const steps = parseActions(argument, session);
	if (steps === undefined) return failure.invalid;
	const allGoOn = steps.size === session.machine.processors && [...steps.values()].every((step) => step === false);
	await session.run(allGoOn ? undefined : steps);
	return undefined;
};

function parseActions(argument: string, session: Session): Map<number, Step> | undefined {
	const {processors} = session.machine;
	const steps = new Map<number, Step>();
	const texts = argument.split(';').slice(1);
	if (texts.length > maxActions) return undefined;
	for (const text of texts) {
		const [action = '', thread = '-1'] = text.split(':');
		const step = parseAction(action);
		const vcpu = parseThread(thread, processors);
		if (step === undefined || vcpu === undefined) return undefined;
		const named = vcpu === 'all' ? Array.from({length: processors}, (_, index) => index) : [vcpu];
		for (const index of named) if (!steps.has(index)) steps.set(index, step);
	}
	return steps.size === 0 ? undefined : steps;
}

function parseAction(text: string): Step | undefined {
	if (/^(c|C[0-9a-fA-F]{2})$/.test(text)) return false;
	if (/^(s|S[0-9a-fA-F]{2})$/.test(text)) return true;
	const [, first = '', second = ''] = /^r([0-9a-fA-F]+),([0-9a-fA-F]+)$/.exec(text) ?? [];
	const [start, end] = [parseAddress(first), parseAddress(second)];
	return start === undefined || end === undefined ? undefined : {start, end};
}
