import type {DoorbellDeclaration, Region} from '#devices/device';
import {errorTable} from '#support/errors';
import {type Fields, isKind} from '#support/wire';

/** Most queues of a device. */
export const mostQueues = 1024;

const doorbellError = errorTable({
	DEVICE_DOORBELL_IMPOSSIBLE: (c: {device: string; doorbell: string; cause: string}) => ({
		message: `Device ${c.device} cannot have the doorbell ${c.doorbell}: ${c.cause}`,
		remedy:
			'A doorbell is an aligned write of 1, 2 or 4 bytes, or of any width, to ports or memory that the device claims',
	}),
	DEVICE_DOORBELLS_OVERLAP: (c: {device: string; doorbell: string; other: string}) => ({
		message: `Device ${c.device} has two doorbells for the same write: ${c.other} and ${c.doorbell}`,
		remedy: 'Give each queue an address of its own, or a value to match at a common address and size',
	}),
	DEVICE_QUEUES_IMPOSSIBLE: (c: {device: string; queue: number}) => ({
		message: `Device ${c.device} has a doorbell for the queue ${c.queue}; queues are 0-${mostQueues - 1}`,
	}),
});

const show = ({region, offset, size, match}: DoorbellDeclaration): string => {
	const value = match === undefined ? '' : ` of 0x${match.toString(16)}`;
	return `region ${region} offset 0x${offset.toString(16)} (${size === 'any' ? 'any width' : `${size} bytes`}${value})`;
};

const widest = 4;

/**
 * Checks the doorbells of one device against its regions and the fields of its state.
 * @returns how many queues they lead to
 * @throws VmmError naming the doorbell and what is wrong with it
 */
export function checkDoorbells(
	device: string,
	doorbells: readonly DoorbellDeclaration[],
	regions: readonly Region[],
	fields: Fields,
): number {
	let queues = 0;
	for (const [index, doorbell] of doorbells.entries()) {
		const cause = faultOf(doorbell, regions[doorbell.region]) ?? storeFaultOf(doorbell, fields);
		if (cause !== undefined)
			throw doorbellError('DEVICE_DOORBELL_IMPOSSIBLE', {device, doorbell: show(doorbell), cause});
		const {queue} = doorbell;
		if (!(Number.isInteger(queue) && queue >= 0 && queue < mostQueues))
			throw doorbellError('DEVICE_QUEUES_IMPOSSIBLE', {device, queue});
		const other = doorbells.slice(0, index).find((earlier) => overlap(doorbell, earlier));
		if (other !== undefined)
			throw doorbellError('DEVICE_DOORBELLS_OVERLAP', {device, doorbell: show(doorbell), other: show(other)});
		queues = Math.max(queues, queue + 1);
	}
	return queues;
}

function faultOf({offset, size, match}: DoorbellDeclaration, region: Region | undefined): string | undefined {
	if (region === undefined) return 'it has no such region';
	const {name, space, length, yields} = region;
	if (space === 'pages') return `nobody is told of writes to its region ${name}`;
	if (space !== 'pio' && space !== 'mmio' && space !== 'bar') return `its region ${name} is neither ports nor memory`;
	if (yields) return `its region ${name} yields to other devices`;
	const bytes = size === 'any' ? 1 : size;
	if (![1, 2, 4].includes(bytes)) return 'there are no such writes';
	if (!(Number.isInteger(offset) && offset >= 0 && offset + bytes <= length))
		return `its region ${name} has 0x${length.toString(16)} bytes`;
	if (offset % bytes !== 0) return 'it is not aligned';
	if (match === undefined) return undefined;
	if (size === 'any') return 'a value to match needs a width';
	return Number.isInteger(match) && match >= 0 && match < 2 ** (8 * size) ? undefined : 'no write has that value';
}

function storeFaultOf({stores, match}: DoorbellDeclaration, fields: Fields): string | undefined {
	if (stores === undefined) return undefined;
	if (match !== undefined) return 'a value to match says nothing that could be stored';
	const {field: name, index} = stores;
	const field = Object.hasOwn(fields, name) ? fields[name] : undefined;
	if (field === undefined || !isKind(field, 'array') || !['i32', 'u32'].includes(field.item.type))
		return `its state has no array of 32-bit words ${name}`;
	if (Number.isInteger(index) && index >= 0 && index < field.length) return undefined;
	return `${name} has ${field.length} words, and none of index ${index}`;
}

function overlap(one: DoorbellDeclaration, other: DoorbellDeclaration): boolean {
	if (one.region !== other.region) return false;
	const end = ({offset, size}: DoorbellDeclaration) => offset + (size === 'any' ? widest : size);
	if (one.offset >= end(other) || other.offset >= end(one)) return false;
	const isShared = one.offset === other.offset && one.size === other.size;
	return !(isShared && one.match !== undefined && other.match !== undefined && one.match !== other.match);
}
