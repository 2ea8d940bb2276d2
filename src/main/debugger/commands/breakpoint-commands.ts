import type {BreakpointRequest, InsertResult} from '../breakpoints/index.ts';
import {parseAddress, parseCount} from '../protocol/index.ts';
import {type Command, done, failure, unsupported} from './command.ts';

/** A watched region beyond this is no debug register's. */
const maxWatched = 4096;

const replies: Readonly<Record<InsertResult, string>> = {
	ok: done,
	unsupported,
	'no memory': failure.address,
	'too many': failure.space,
};

/** `Z`: inserts a breakpoint or watchpoint. */
export const insertBreakpoint: Command = async (session, argument) => {
	const request = parseRequest(argument);
	if (request === undefined) return failure.invalid;
	const view = await session.view();
	const {memory} = session.machine;
	const inRam = (address: bigint) => {
		const physical = view.translate(address);
		return physical !== undefined && memory.contains(physical, 1) ? physical : undefined;
	};
	return replies[session.breakpoints.insert(request, inRam)];
};

/** `z`: removes one. Removing what is not there is done. */
export const removeBreakpoint: Command = (session, argument) => {
	const request = parseRequest(argument);
	if (request === undefined) return failure.invalid;
	session.breakpoints.remove(request);
	return done;
};

/** `type,address,kind`; conditions and commands that may follow are the client's to evaluate. */
function parseRequest(text: string): BreakpointRequest | undefined {
	const [parts = ''] = text.split(';');
	const [first = '', second = '', third = '', ...rest] = parts.split(',');
	const address = parseAddress(second);
	const length = parseCount(third, maxWatched);
	if (!/^[0-4]$/.test(first) || address === undefined || length === undefined || rest.length > 0) return undefined;
	return {type: Number(first), address, length};
}
