import {type FieldsView, f64, u32, wire} from '#support/wire';
import {type Sense, Senses} from './sense.ts';

/** What the initiator or the machine's owner has made of a unit: bits. */
export const UnitFlag = {
	/** The write cache is off. */
	WRITE_THROUGH: 0x01,
	/** Sense data have descriptors. */
	DESCRIPTORS: 0x02,
	/** The medium must not be ejected. */
	LOCKED: 0x04,
	/** The initiator has ejected the medium, which is still in the drive. */
	TRAY_OPEN: 0x08,
	/** The initiator does not see the unit. */
	DETACHED: 0x10,
} as const;

/** What the initiator is to be told of, in this order, each by the next command's failure (SAM-5, 5.14): bits. */
export const Attention = {RESET: 0x1, MEDIUM: 0x2, CAPACITY: 0x4, UNITS: 0x8} as const;

const attentionSenses: readonly (readonly [bit: number, sense: Sense])[] = [
	[Attention.RESET, Senses.WAS_RESET],
	[Attention.MEDIUM, Senses.MEDIUM_CHANGED],
	[Attention.CAPACITY, Senses.CAPACITY_CHANGED],
	[Attention.UNITS, Senses.UNITS_CHANGED],
];

/** What an initiator that asks for a drive's events has not been told of (MMC-6, 6.6.2.5): bits. */
export const MediaEvent = {EJECT_REQUEST: 0x1, NEW_MEDIUM: 0x2, REMOVAL: 0x4} as const;

/** What a transport has to tell the driver of by itself: bits. */
export const UnitEvent = {ADDED: 0x1, REMOVED: 0x2, CAPACITY: 0x4, MEDIUM: 0x8} as const;

/** What changes of a unit while a guest runs. Written under the device's lock; the flags are read without. */
export const UnitState = wire('scsi-unit', {
	/** 1 since power-on. */
	on: u32,
	flags: u32,
	attentions: u32,
	mediaEvents: u32,
	events: u32,
	/** How often the owner has taken the medium out or put one in: odd while there is none. */
	media: u32,
	/** What the initiator is told of the disk: its length, 0 before there is one, and its blocks. */
	blockBytes: u32,
	/** What moves its data, counted from 1 in the list of movers. */
	mover: u32,
	bytes: f64,
});
export type UnitState = FieldsView<(typeof UnitState)['fields']>;

/** What is to be told next, which is then told; undefined where another command has just been told of all. Under the lock. */
export function takeAttention(state: UnitState): Sense | undefined {
	for (const [bit, sense] of attentionSenses) {
		if ((state.attentions & bit) === 0) continue;
		state.attentions &= ~bit;
		return sense;
	}
	// A snapshot may hold anything.
	state.attentions = 0;
	return undefined;
}

/**
 * The initiator begins anew with the unit (SAM-5, 6.3). A write cache that it has turned off stays off, as if that were saved: drivers
 * do not look again after a reset, and would have no flush make durable what they write. Under the lock.
 */
export function resetUnit(state: UnitState): void {
	state.flags &= UnitFlag.DETACHED | UnitFlag.TRAY_OPEN | UnitFlag.WRITE_THROUGH;
	state.attentions = Attention.RESET;
}

/** A drive's medium goes, and with it what the initiator has locked. Under the lock. */
export function takeOut(state: UnitState): void {
	state.media++;
	state.flags &= ~(UnitFlag.LOCKED | UnitFlag.TRAY_OPEN);
	state.mediaEvents = MediaEvent.REMOVAL;
	state.events |= UnitEvent.MEDIUM;
}
