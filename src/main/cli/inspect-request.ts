import {parseNumber} from '#main/config';
import type {InspectOptions} from '#support/inspect';
import {cliError} from './errors.ts';
import type {FlagValues} from './parse.ts';

/** What an `inspect` command asks, on the command line and in the console. */
export interface InspectRequest {
	readonly path: string;
	readonly options: InspectOptions;
	/** Value to give to what is at the path. */
	readonly update: string | undefined;
	readonly json: boolean;
}

/** Deeper than any tree. */
const wholeDepth = 64;

/** @throws CLI_FLAG_NEEDS, CONFIG_VALUE_INVALID */
export function inspectRequest(flags: FlagValues<string>, argument: string | undefined): InspectRequest {
	const update = flags.last('update');
	if (update !== undefined && argument === undefined)
		throw cliError('CLI_FLAG_NEEDS', {flag: '--update', needed: 'the path of what to change'});
	const limit = flags.last('limit');
	const depth =
		limit === undefined ? (flags.has('recursive') ? wholeDepth : 1) : parseNumber(limit, '--limit', 0, wholeDepth);
	return {path: argument ?? '', options: {depth, safe: flags.has('safe')}, update, json: flags.has('json')};
}
