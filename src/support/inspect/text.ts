import type {InspectResult} from './result.ts';

type ValueResult = Extract<InspectResult, {kind: 'value'}>;

/** Text in place of a part that is not there. */
const absent = {depth: '…', timeout: '(no answer in time)', sensitive: '(sensitive)'} as const;

const indentation = '  ';

/** The tree as a person reads it, one line per node; objects end in a slash. Ends without a line feed. */
export function toText(result: InspectResult): string {
	return result.kind === 'object' ? childLines(result, '').join('\n') : inline(result);
}

function childLines(result: Extract<InspectResult, {kind: 'object'}>, indent: string): string[] {
	return result.children.flatMap(([name, child]) => {
		if (child.kind === 'object') {
			const mark = child.sensitive ? ' (sensitive)' : '';
			return [`${indent}${name}/${mark}`, ...childLines(child, indent + indentation)];
		}
		const isCut = child.kind === 'unresolved' && child.why === 'depth';
		return [`${indent}${name}${isCut ? '/' : ':'} ${inline(child)}`];
	});
}

function inline(result: Exclude<InspectResult, {kind: 'object'}>): string {
	if (result.kind === 'unresolved') return absent[result.why];
	if (result.kind === 'error') return `(error: ${printable(result.message)})`;
	const marks = [...(result.sensitive ? ['sensitive'] : []), ...(result.writable ? ['writable'] : [])];
	return marks.length === 0 ? valueText(result) : `${valueText(result)} (${marks.join(', ')})`;
}

function valueText({value, format, unit}: ValueResult): string {
	if (typeof value === 'number') {
		if (format === 'hex') return `0x${value.toString(16)}`;
		if (unit === 'ns') return durationText(value);
		if (unit === 'bytes') return bytesText(value);
	}
	return printable(String(value));
}

/** A value may hold anything, a terminal must not obey it. */
const printable = (text: string): string => text.replace(/[\p{Cc}\p{Cf}]/gu, '�');

const timeUnits = [
	['s', 1e9],
	['ms', 1e6],
	['µs', 1e3],
] as const;

function durationText(ns: number): string {
	const [name, size] = timeUnits.find(([, least]) => ns >= least) ?? ['ns', 1];
	return `${short(ns / size)} ${name}`;
}

const byteUnits = [
	['GiB', 2 ** 30],
	['MiB', 2 ** 20],
	['KiB', 2 ** 10],
] as const;

function bytesText(bytes: number): string {
	const [name, size] = byteUnits.find(([, least]) => bytes >= least) ?? ['bytes', 1];
	return `${short(bytes / size)} ${name}`;
}

const short = (value: number): string => (Number.isInteger(value) ? String(value) : value.toFixed(value < 10 ? 2 : 1));
