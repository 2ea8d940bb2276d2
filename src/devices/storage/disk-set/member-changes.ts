import type {ConfigChange} from '#devices/device';
import {type DiskPolicy, isPolicy} from '#devices/storage/backend';
import {type DiskSource, diskOption} from '#devices/storage/source';
import {errorTable, type VmmError} from '#support/errors';
import {invalidValue} from '#support/options';
import {type SetMember, withMember, withoutMember} from './disk-set.ts';

/** A disk that is to come to a controller while its machine runs. */
export interface DiskAddition extends ConfigChange {
	readonly kind: 'add-disk';
	/** Its number there; one more than the largest unless given. */
	readonly number?: number;
	readonly disk: DiskSource;
	readonly readOnly: boolean;
	/** The guest has it when it is attached. */
	readonly detached?: boolean;
	readonly policy?: DiskPolicy;
}

/** A disk that is to leave a controller while its machine runs. */
export interface DiskRemoval extends ConfigChange {
	readonly kind: 'remove-disk';
	readonly number: number;
}

export type DiskChange = DiskAddition | DiskRemoval;

const memberError = errorTable({
	DISK_NUMBER_IMPOSSIBLE: (c: {number: number; least: number; largest: number}) => ({
		message: `A disk cannot have the number ${c.number} there`,
		remedy: `Numbers are whole, from ${c.least} to ${c.largest}; without one it has the next`,
	}),
	DISK_NUMBER_TAKEN: (c: {number: number}) => ({
		message: `There is a disk ${c.number} already`,
		remedy: 'Give it another number, or none, or remove that one first',
	}),
	DISK_NUMBER_UNKNOWN: (c: {number: number; numbers: readonly number[]}) => ({
		message: `There is no disk ${c.number}, but ${c.numbers.join(', ') || 'none'}`,
	}),
	DISK_CONTROLLER_FULL: (c: {most: number}) => ({
		message: `The controller has ${c.most} disks, and no more`,
		remedy: 'Remove one first, or plug in another controller: openvmm pcie-add',
	}),
	DISK_NO_ROOM: (c: {number: number}) => ({
		message: `Disk ${c.number} cannot come to a controller that runs: what is in memory was placed when it started`,
		remedy: 'Give a file, an image or an address; or plug in a controller that has it: openvmm pcie-add',
	}),
});

const expected = 'a disk with readOnly, and number, detached and policy as they are wanted';

/** Says what is wrong with data that is to be an addition; it may be anybody's. */
export function checkAddition(value: unknown, option: string): VmmError | undefined {
	if (typeof value !== 'object' || value === null) return invalidValue(option, value, expected);
	const {kind: _, number, disk, readOnly, detached, policy, ...others} = value as Record<string, unknown>;
	const isRight =
		Object.keys(others).length === 0 &&
		typeof readOnly === 'boolean' &&
		(number === undefined || typeof number === 'number') &&
		(detached === undefined || typeof detached === 'boolean') &&
		(policy === undefined || isPolicy(policy));
	return isRight ? diskOption.check(disk, option) : invalidValue(option, value, expected);
}

/** What a kind of controller says of its disks. */
export interface MemberRules<M extends SetMember> {
	readonly members: readonly M[];
	readonly workers: number;
	/** Disks that it may have, and their numbers. */
	readonly most: number;
	readonly least: number;
	readonly largest: number;
	/** The set's memory: see `diskSetBytes`. */
	readonly memory: Uint8Array;
	numberOf(member: M): number;
	/** @param own - what is of any controller's disk */
	make(number: number, own: Pick<DiskAddition, 'disk' | 'readOnly' | 'detached' | 'policy'>): M;
}

/**
 * The disks that a controller goes on with: see `ModelParts.reconfigure`.
 * @returns them, and the number of the one that has come or gone
 * @throws VmmError with a `DISK_` code
 */
export function changeMembers<M extends SetMember>(
	change: DiskChange,
	{members, workers, most, least, largest, memory, numberOf, make}: MemberRules<M>,
): {readonly members: readonly M[]; readonly number: number} {
	const numbers = members.map(numberOf);
	if (change.kind === 'remove-disk') {
		const {number} = change;
		const leaving = members[numbers.indexOf(number)];
		if (leaving === undefined) throw memberError('DISK_NUMBER_UNKNOWN', {number, numbers});
		return {members: withoutMember(members, leaving, workers), number};
	}
	const problem = checkAddition(change, change.kind);
	if (problem !== undefined) throw problem;
	const {number = Math.max(least - 1, ...numbers) + 1} = change;
	if (!Number.isInteger(number) || number < least || number > largest)
		throw memberError('DISK_NUMBER_IMPOSSIBLE', {number, least, largest});
	if (numbers.includes(number)) throw memberError('DISK_NUMBER_TAKEN', {number});
	if (members.length >= most) throw memberError('DISK_CONTROLLER_FULL', {most});
	const {disk, readOnly, detached, policy} = change;
	const own = {disk, readOnly, ...(detached === true && {detached}), ...(policy !== undefined && {policy})};
	const next = withMember(members, make(number, own), workers, memory);
	if (next === undefined) throw memberError('DISK_NO_ROOM', {number});
	return {members: next, number};
}
