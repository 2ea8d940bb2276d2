import type {DeviceCommand} from '#devices/device';
import type {DiskSource} from '#devices/storage/source';
import {Attention, MediaEvent, takeOut, UnitEvent, UnitFlag, type UnitState} from './unit-state.ts';

/** What the owner of a machine asks for of one unit. */
export interface UnitCommand {
	readonly kind: string;
	readonly lun: number;
	/** A medium goes though the guest has locked the drive. */
	readonly force?: boolean;
	/** The file that is the medium from now on. */
	readonly path?: string;
}
export const [attachKind, detachKind, ejectKind, insertKind] = [
	'attach-lun',
	'detach-lun',
	'eject-medium',
	'insert-medium',
];

/** The guest gets a unit of the configuration, or loses it. */
export const attachUnit = (lun: number): UnitCommand => ({kind: attachKind, lun});
export const detachUnit = (lun: number): UnitCommand => ({kind: detachKind, lun});
/** A drive's medium goes; where the guest has locked it, the guest is asked for it instead, unless `force` is there. */
export const ejectMedium = (lun: number, force = false): UnitCommand => ({kind: ejectKind, lun, force});
/**
 * What the drive's image is now comes into it, in place of what is in it: of that the lock holds too.
 * @param path - another file, absolute, from now on
 */
export const insertMedium = (lun: number, force = false, path?: string): UnitCommand => ({
	kind: insertKind,
	lun,
	force,
	...(path !== undefined && {path}),
});

/** What of a unit's configuration says which commands it can do. */
interface CommandedUnit {
	readonly lun: number;
	readonly disk: DiskSource;
	readonly dvd?: boolean;
}

/** See `DeviceModel.refuses`. */
export function refusesUnit(command: DeviceCommand, units: readonly CommandedUnit[]): string | undefined {
	const {kind, lun, path} = command as UnitCommand;
	const isOfMedium = kind === ejectKind || kind === insertKind;
	if (kind !== attachKind && kind !== detachKind && !isOfMedium) return undefined;
	const unit = units.find((each) => each.lun === lun);
	if (unit === undefined) return `has no unit ${lun}, but ${units.map((each) => each.lun).join(', ') || 'none'}`;
	if (isOfMedium && unit.dvd !== true) return `has a disk as unit ${lun}, whose medium stays in it`;
	const isOfFile = unit.disk.kind === 'file' && unit.disk.format === undefined;
	return path !== undefined && !isOfFile
		? `has no raw file in unit ${lun}, in whose place another could be`
		: undefined;
}

/**
 * Does what the owner asks for, of a unit and of all others what comes of it. Under the lock.
 * @param isDvd - it is a drive
 * @returns false where there is nothing to be done
 */
export function commandUnit(
	{kind, force = false}: UnitCommand,
	state: UnitState,
	isDvd: boolean,
	all: readonly UnitState[],
): boolean {
	const isDetached = (state.flags & UnitFlag.DETACHED) !== 0;
	switch (kind) {
		case attachKind:
			if (!isDetached) return false;
			state.flags &= ~UnitFlag.DETACHED;
			state.attentions |= Attention.RESET;
			state.events = (state.events | UnitEvent.ADDED) & ~UnitEvent.REMOVED;
			tellOthers(all);
			return true;
		case detachKind:
			if (isDetached) return false;
			state.flags |= UnitFlag.DETACHED;
			state.events = UnitEvent.REMOVED;
			tellOthers(all);
			return true;
		case ejectKind:
			if (!isDvd || isOut(state)) return false;
			if (force || !isAsked(state)) takeOut(state);
			return true;
		case insertKind:
			if (!isDvd) return false;
			if (!isOut(state) && !force && isAsked(state)) return true;
			// From out to in, or what the path leads to now.
			state.media += isOut(state) ? 1 : 2;
			state.flags &= ~UnitFlag.LOCKED;
			return true;
		default:
			return false;
	}
}

function tellOthers(all: readonly UnitState[]): void {
	for (const each of all) if (each.on !== 0) each.attentions |= Attention.UNITS;
}

const isOut = ({media}: UnitState): boolean => (media & 1) !== 0;

/** Asks the guest for a medium that it has locked; false where it has not. */
function isAsked(state: UnitState): boolean {
	if ((state.flags & (UnitFlag.LOCKED | UnitFlag.TRAY_OPEN)) !== UnitFlag.LOCKED) return false;
	state.mediaEvents |= MediaEvent.EJECT_REQUEST;
	state.events |= UnitEvent.MEDIUM;
	return true;
}
