import {hexText} from '../protocol/index.ts';
import {parseThread, threadId} from '../threads.ts';
import {type Command, done, failure} from './command.ts';

/** `H`: selects the processor for register and memory packets (`g`), or for `c` and `s` (`c`). */
export const selectThread: Command = (session, argument) => {
	const vcpu = parseThread(argument.slice(1), session.machine.processors);
	if (vcpu === undefined) return failure.invalid;
	if (argument.startsWith('c')) session.toRun = vcpu;
	else if (argument.startsWith('g')) session.selected = vcpu === 'all' ? 0 : vcpu;
	else return failure.invalid;
	return done;
};

/** `T`: whether a thread is there. */
export const isAlive: Command = (session, argument) =>
	typeof parseThread(argument, session.machine.processors) === 'number' ? done : failure.invalid;

/** `qC`: the selected thread. */
export const currentThread: Command = (session) => `QC${threadId(session.selected)}`;

/** `qfThreadInfo`: every thread, in one packet: 1024 processors fit. */
export const listThreads: Command = (session) =>
	`m${Array.from({length: session.machine.processors}, (_, vcpu) => threadId(vcpu)).join(',')}`;

/** `qsThreadInfo`: there are no more. */
export const noMoreThreads: Command = () => 'l';

/** `qThreadExtraInfo`: what to call a thread, and what it does. */
export const describeThread: Command = async (session, argument) => {
	const vcpu = parseThread(argument, session.machine.processors);
	if (typeof vcpu !== 'number') return failure.invalid;
	const {activity} = await session.registersOf(vcpu);
	return hexText(`CPU ${vcpu} [${activity}]`);
};
