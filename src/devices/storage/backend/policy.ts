import {areLimits, givenLimits, limitKeyTable} from '#devices/limits';
import {DiskError} from '#devices/storage/disk';
import {invalidValue, type KeyTable, type KeyValues, parseNumber, type ValueType} from '#support/options';
import {type DiskLimits, limitTable} from './limits.ts';

/** What follows an error of the host's: the guest is told, it is not told, or the machine pauses and tries again when it goes on. */
export const errorActions = ['report', 'ignore', 'stop'] as const;
export type ErrorAction = (typeof errorActions)[number];

/** What stands between a device and its disk, as plain data. */
export interface DiskPolicy {
	readonly limits?: DiskLimits;
	/** What follows where the host cannot read or write; `report` without it. */
	readonly onError?: ErrorAction;
	/** The same where it has no room; as {@link onError} without it. */
	readonly enospc?: ErrorAction;
	/** Seconds after which a request that the host does not answer is an error of it; without this none is. */
	readonly timeout?: number;
}

/** The host has failed, and the guest has done nothing wrong. */
export const isOfHost = (error: DiskError): boolean =>
	error === DiskError.IO || error === DiskError.NO_SPACE || error === DiskError.TIMEOUT;

/** What follows an error. Those that a guest asks for are its own. */
export function actionOn(error: DiskError, {onError = 'report', enospc = onError}: DiskPolicy): ErrorAction {
	if (error === DiskError.NO_SPACE) return enospc;
	return isOfHost(error) ? onError : 'report';
}

/** True where requests may be kept until the machine goes on: a device has to be able to put them into a snapshot. */
export const mayHold = ({onError = 'report', enospc = onError}: DiskPolicy): boolean =>
	onError === 'stop' || enospc === 'stop';

/** Keys of a policy between those of a flag. */
export const policyKeys: KeyTable = {
	...limitKeyTable(limitTable),
	on_error: 'value',
	enospc: 'value',
	timeout: 'value',
};

/** What help says of them. */
export const policyHelp =
	'bps=BYTES and iops=N (limits a second; also bps_rd, bps_wr, iops_rd, iops_wr, and each with _burst for what goes at once), on_error=report, ignore or stop (what follows an error of the host: the guest is told, is not told, or the machine pauses and tries again when it goes on), enospc=… (the same where the host has no room), timeout=S (seconds after which what the host does not answer is an error; data go by a copy then)';

/** A policy by the keys of a flag; undefined where none is given. @throws VmmError CONFIG_ */
export function givenPolicy(given: Pick<KeyValues, 'value'> | undefined, option: string): DiskPolicy | undefined {
	const limits = givenLimits(limitTable, given, option);
	const [onError, enospc] = ['on_error', 'enospc'].map((key) => parseAction(given?.value(key), `${option} ${key}`));
	const timeout = given?.value('timeout');
	const policy: DiskPolicy = {
		...(Object.keys(limits).length > 0 && {limits}),
		...(onError !== undefined && {onError}),
		...(enospc !== undefined && {enospc}),
		...(timeout !== undefined && {timeout: parseNumber(timeout, `${option} timeout`, 1, mostTimeout)}),
	};
	return Object.keys(policy).length === 0 ? undefined : policy;
}

function parseAction(text: string | undefined, option: string): ErrorAction | undefined {
	if (text === undefined || isAction(text)) return text;
	throw invalidValue(option, text, errorActions.join(', '));
}

const isAction = (value: unknown): value is ErrorAction => (errorActions as readonly unknown[]).includes(value);

/** Longest {@link DiskPolicy.timeout}: an hour. */
export const mostTimeout = 3600;

const expected = 'keys and values with ; between them, for example bps=100M;iops=500;on_error=stop';

/** A policy as an option of a device, written `KEY=VALUE;…`. */
export const policyOption: ValueType<DiskPolicy> = {
	placeholder: 'POLICY',
	parse(text, option) {
		const words = text === '' ? [] : text.split(';');
		const values = new Map(words.map((word) => word.split(/=(.*)/s) as [string, string | undefined]));
		const unknown = [...values].find(([key, value]) => !Object.hasOwn(policyKeys, key) || !value);
		if (unknown !== undefined || values.size < words.length) throw invalidValue(option, text, expected);
		return givenPolicy({value: (key) => values.get(key)}, option) ?? {};
	},
	check: (value, option) => (isPolicy(value) ? undefined : invalidValue(option, value, expected)),
};

/** True for what a {@link DiskPolicy} may hold. */
export function isPolicy(value: unknown): value is DiskPolicy {
	if (typeof value !== 'object' || value === null) return false;
	const {limits, onError, enospc, timeout, ...rest} = value as Record<string, unknown>;
	return (
		Object.keys(rest).length === 0 &&
		(limits === undefined || areLimits(limitTable, limits)) &&
		[onError, enospc].every((action) => action === undefined || isAction(action)) &&
		(timeout === undefined || (Number.isInteger(timeout) && Number(timeout) >= 1 && Number(timeout) <= mostTimeout))
	);
}
