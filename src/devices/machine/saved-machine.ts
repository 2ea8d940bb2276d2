import {bytesOf, restoreStruct, type SavedStruct, saveStruct, stateError, wholeNumber} from '#support/saved-state';
import type {AttachedDevice} from './attached-device.ts';
import {restorePages, type SavedPages, savePages} from './saved-pages.ts';

/** A device's state as it is written to a snapshot. */
export interface SavedDevice extends SavedStruct {
	readonly kind: string;
	/** The memory that BARs of it are, where there is any to be kept. */
	readonly pages?: SavedPages;
	/** Of one that the device worker owns: what the device saved, as base64, and the version that it has. */
	readonly owned?: {readonly version: number; readonly bytes: string};
}

/** The state of a device that the device worker owns. */
export interface OwnedState {
	readonly name: string;
	readonly version: number;
	readonly bytes: Uint8Array;
}

/** The state of a machine's devices, by name, as plain data. */
export interface SavedDevices {
	readonly devices: Readonly<Record<string, SavedDevice>>;
	/** Levels of every interrupt source and input: the shared table, as base64. */
	readonly interrupts: string;
}

/** Reads all devices' state. For the owner, while nothing runs. */
export function saveDevices(
	devices: readonly AttachedDevice[],
	interrupts: SharedArrayBuffer,
	ownedStates: readonly OwnedState[],
): SavedDevices {
	const saved = devices.map(({placed: {name, kind}, model, state, pages}): [string, SavedDevice] => {
		const owned = ownedStates.find((each) => each.name === name);
		const {version = 1, bytes = new Uint8Array()} = owned ?? {};
		return [
			name,
			{
				kind,
				...saveStruct(model.state, state, model.versions),
				...savePages(pages),
				...(owned && {owned: {version, bytes: Buffer.from(bytes).toString('base64')}}),
			},
		];
	});
	return {devices: Object.fromEntries(saved), interrupts: Buffer.from(interrupts).toString('base64')};
}

/**
 * Gives all devices saved state. For the owner, while nothing runs. After a failure the machine is to be reset or ended.
 * @returns what is left to the device worker
 * @throws VmmError STATE_DEVICES_DIFFER, and what {@link restoreStruct} throws
 */
export function restoreDevices(
	devices: readonly AttachedDevice[],
	interrupts: SharedArrayBuffer,
	saved: SavedDevices,
): readonly OwnedState[] {
	checkShape(saved);
	const table = Buffer.from(saved.interrupts, 'base64');
	checkSameDevices(devices, saved, table.length === interrupts.byteLength);
	const owned = devices.flatMap((device) => ownedState(device, saved.devices[device.placed.name] as SavedDevice));
	for (const {placed, model, state, pages} of devices) {
		const own = saved.devices[placed.name] as SavedDevice;
		restoreStruct(model.state, state, own, model.versions);
		restorePages(placed.name, pages, own.pages);
	}
	new Uint8Array(interrupts).set(table);
	for (const {target, faults} of devices) faults.during('restored', () => target.front.restored?.());
	return owned;
}

/** A device's own state as far as it can be checked without the device. */
function ownedState(
	{placed: {name}, model: {owned}}: AttachedDevice,
	{owned: saved}: {readonly owned?: unknown},
): OwnedState[] {
	if ((owned === undefined || !isObject(saved)) && (owned ?? saved) !== undefined)
		throw stateError('STATE_FIELD_WRONG', {struct: name, field: 'owned'});
	if (owned === undefined) return [];
	const {version, bytes} = saved as Readonly<Record<string, unknown>>;
	const found = wholeNumber(Number.MAX_SAFE_INTEGER).parse(version, `${name}.owned.version`);
	if (found < 1 || found > owned.version)
		throw stateError('STATE_VERSION_UNKNOWN', {struct: name, found, version: owned.version});
	return [{name, version: found, bytes: bytesOf(0, owned.mostBytes).parse(bytes, `${name}.owned.bytes`)}];
}

const isObject = (value: unknown): value is object => typeof value === 'object' && value !== null;

/** A snapshot may have been made by anybody: what is no machine at all is refused before it is looked into. */
function checkShape(saved: SavedDevices): void {
	const wrong = (field: string) => stateError('STATE_FIELD_WRONG', {struct: 'the machine', field});
	if (!isObject(saved) || typeof saved.interrupts !== 'string') throw wrong('interrupts');
	if (!isObject(saved.devices) || !Object.values(saved.devices).every(isObject)) throw wrong('devices');
}

function checkSameDevices(devices: readonly AttachedDevice[], saved: SavedDevices, sameLines: boolean): void {
	const label = (name: string, kind: string) => `${name} (${kind})`;
	const here = devices.map(({placed}) => label(placed.name, placed.kind));
	const there = Object.entries(saved.devices).map(([name, {kind}]) => label(name, kind));
	const missing = here.filter((device) => !there.includes(device));
	const unknown = there.filter((device) => !here.includes(device));
	if (!sameLines) unknown.push('other interrupt lines');
	if (missing.length + unknown.length > 0) throw stateError('STATE_DEVICES_DIFFER', {missing, unknown});
}
