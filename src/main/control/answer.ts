import {checkParams, type Machine, type Operation} from '#main/operations';
import {VmmError} from '#support/errors';
import {suggestion} from '#support/suggestion';
import {controlError} from './errors.ts';
import type {Progress, Request, Response} from './protocol.ts';

/** The machine behind a control socket, and what its clients may do. */
export interface Served {
	readonly machine: Machine;
	readonly operations: readonly Operation[];
	/** Ends the machine, and its process with it. */
	quit(): void;
}

/**
 * Answers one line, whatever it holds. Never throws.
 * @param signal - gives up what takes long
 * @param tell - has the client told how far it is, where it has asked for that
 */
export async function answer(
	line: string,
	{machine, operations, quit}: Served,
	signal: AbortSignal,
	tell: (progress: Progress) => void = () => {},
): Promise<Response> {
	let id: Response['id'] = null;
	let method = 'the request';
	try {
		const request = parseRequest(line);
		({id, method} = request);
		const found = operations.find(({name}) => name === method);
		if (found === undefined) {
			const names = operations.map(({name}) => name);
			throw controlError('CONTROL_METHOD_UNKNOWN', {method, suggestion: suggestion(method, names)});
		}
		const values = checkParams(method, found.params, request.params ?? {});
		// The end comes behind the answer.
		const progress = (done: number, total: number) => tell({id: request.id, progress: {done, total}});
		const context = {signal, quit: () => void setImmediate(quit), ...(request.progress === true && {progress})};
		return {id, result: await found.run(machine, values, context)};
	} catch (caught) {
		if (caught instanceof VmmError) return {id, error: caught.toData()};
		const cause = caught instanceof Error ? caught.message : String(caught);
		return {id, error: controlError('CONTROL_FAILED', {method, cause}).toData()};
	}
}

/** @throws VmmError CONTROL_REQUEST_MALFORMED */
function parseRequest(line: string): Request {
	let value: unknown;
	try {
		value = JSON.parse(line);
	} catch {
		throw controlError('CONTROL_REQUEST_MALFORMED', {reason: 'it is no JSON'});
	}
	const reason = whatIsWrong(value);
	if (reason !== undefined) throw controlError('CONTROL_REQUEST_MALFORMED', {reason});
	return value as Request;
}

function whatIsWrong(value: unknown): string | undefined {
	if (!isRecord(value)) return 'it is no object';
	const {id, method, params, progress} = value;
	if (typeof id !== 'number' && !(typeof id === 'string' && id.length <= 64)) return '"id" is no number or short text';
	if (typeof method !== 'string') return '"method" is no text';
	if (progress !== undefined && typeof progress !== 'boolean') return '"progress" is not true or false';
	return params === undefined || isRecord(params) ? undefined : '"params" is no object';
}

const isRecord = (value: unknown): value is Record<string, unknown> =>
	typeof value === 'object' && value !== null && !Array.isArray(value);
