import {concatBytes, packed, reserved, u8, u16, u32} from '#support/wire';
import {readCapacity10, readCommands, synchronizeCache10, verify10} from './block-commands.ts';
import {Opcode} from './opcodes.ts';
import {primaryCommands} from './primary-commands.ts';
import type {ScsiRequest} from './scsi-request.ts';
import type {ScsiCommand, ScsiCommands, ScsiUnit} from './scsi-unit.ts';
import {Senses} from './sense.ts';
import {readToc} from './toc.ts';
import {Attention, MediaEvent, UnitFlag} from './unit-state.ts';

/** Commands of a drive for discs that are read (MMC-6, 6). */
export const dvdCommands: ScsiCommands = new Map<number, ScsiCommand>([
	...primaryCommands,
	...readCommands,
	[Opcode.READ_CAPACITY_10, readCapacity10],
	[Opcode.VERIFY_10, verify10],
	[Opcode.SYNCHRONIZE_CACHE_10, synchronizeCache10],
	[Opcode.START_STOP_UNIT, {run: startStop}],
	[Opcode.PREVENT_ALLOW_MEDIUM_REMOVAL, {run: preventAllow}],
	[Opcode.READ_TOC, {needsMedium: true, run: readToc}],
	[Opcode.GET_CONFIGURATION, {isUnattended: true, run: getConfiguration}],
	[Opcode.GET_EVENT_STATUS_NOTIFICATION, {isUnattended: true, run: getEventStatus}],
	[Opcode.READ_DISC_INFORMATION, {needsMedium: true, run: readDiscInformation}],
	[Opcode.READ_TRACK_INFORMATION, {needsMedium: true, run: readTrackInformation}],
	[Opcode.MECHANISM_STATUS, {run: mechanismStatus}],
	// There is nothing to be slower or faster (6.38).
	[Opcode.SET_CD_SPEED, {run: (_unit, request) => request.good()}],
]);

/** Loading and ejecting (6.46). */
function startStop(unit: ScsiUnit, request: ScsiRequest): void {
	const [start, loadOrEject, powerConditions] = [0x01, 0x02, 0xf0];
	const flags = request.cdb.byte(4);
	if ((flags & powerConditions) !== 0 || (flags & loadOrEject) === 0) request.good();
	else if ((flags & start) !== 0) {
		if (unit.has(UnitFlag.TRAY_OPEN)) moveTray(unit, false);
		request.good();
	} else if (unit.has(UnitFlag.LOCKED)) request.fail(Senses.REMOVAL_PREVENTED);
	else {
		if (!unit.has(UnitFlag.TRAY_OPEN)) moveTray(unit, true);
		request.good();
	}
}

function moveTray(unit: ScsiUnit, isOpen: boolean): void {
	const {state, locked, changed} = unit.facts;
	locked(() => {
		if (isOpen) state.flags |= UnitFlag.TRAY_OPEN;
		else state.flags &= ~UnitFlag.TRAY_OPEN;
		const hasMedium = (state.media & 1) === 0;
		state.mediaEvents = hasMedium ? (isOpen ? MediaEvent.REMOVAL : MediaEvent.NEW_MEDIUM) : 0;
		if (hasMedium && !isOpen) state.attentions |= Attention.MEDIUM;
	});
	changed();
}

/** 6.16. A persistent prevention is for drives whose buttons somebody presses. */
function preventAllow(unit: ScsiUnit, request: ScsiRequest): void {
	const prevent = request.cdb.byte(4) & 0x03;
	if (prevent > 1) request.fail(Senses.INVALID_FIELD);
	else {
		unit.set(UnitFlag.LOCKED, prevent === 1);
		request.good();
	}
}

/** Profiles (MMC-6, table 88): what the medium is, by what goes on one. */
const Profile = {NONE: 0x0000, CD_ROM: 0x0008, DVD_ROM: 0x0010} as const;
/** Blocks of the longest disc of 80 minutes. */
const mostCdBlocks = 80 * 60 * 75;

export function profileOf(unit: ScsiUnit): number {
	if (unit.mediumFault !== undefined) return Profile.NONE;
	return unit.blocks > mostCdBlocks ? Profile.DVD_ROM : Profile.CD_ROM;
}

/** A feature (5.3): its number, its version and whether it stays, and its data behind these. */
interface Feature {
	readonly code: number;
	readonly version?: number;
	/** Whatever the medium. */
	readonly isPersistent?: true;
	isCurrent?(profile: number): boolean;
	data(profile: number): readonly number[];
}

const isMedium = (profile: number): boolean => profile !== Profile.NONE;
const wide = (value: number, bytes: number): number[] =>
	Array.from({length: bytes}, (_, index) => Math.floor(value / 2 ** (8 * (bytes - 1 - index))) & 0xff);

const features: readonly Feature[] = [
	{
		// Profile List.
		code: 0x0000,
		isPersistent: true,
		data: (current) =>
			[Profile.DVD_ROM, Profile.CD_ROM].flatMap((each) => [...wide(each, 2), each === current ? 1 : 0, 0]),
	},
	// Core: SCSI, with INQUIRY data and tray events.
	{code: 0x0001, version: 2, isPersistent: true, data: () => [...wide(1, 4), 0x03, 0, 0, 0]},
	// Morphing: events of operational changes are not waited for.
	{code: 0x0002, version: 1, isPersistent: true, data: () => [0x02, 0, 0, 0]},
	// Removable Medium: a tray that ejects and locks.
	{code: 0x0003, isPersistent: true, data: () => [0x29, 0, 0, 0]},
	// Random Readable: blocks of 2048 bytes.
	{code: 0x0010, isCurrent: isMedium, data: () => [...wide(2048, 4), ...wide(1, 2), 0, 0]},
	{code: 0x001d, isCurrent: isMedium, data: () => []},
	{code: 0x001e, version: 2, isCurrent: (profile) => profile === Profile.CD_ROM, data: () => [0, 0, 0, 0]},
	{code: 0x001f, isCurrent: (profile) => profile === Profile.DVD_ROM, data: () => []},
	// Power Management, and Timeout.
	{code: 0x0100, isPersistent: true, data: () => []},
	{code: 0x0105, isPersistent: true, data: () => []},
];

/** Header of GET CONFIGURATION's data (6.5.2). */
const ConfigurationHeader = packed('feature_header', {length: u32.be, rest: reserved(2), profile: u16.be}).sized(8);
/** Which features are asked for (6.5.1.1). */
const Requested = {ALL: 0, CURRENT: 1, ONE: 2} as const;

/** 6.5. */
function getConfiguration(unit: ScsiUnit, request: ScsiRequest): void {
	const {cdb} = request;
	const [which, first] = [cdb.byte(1) & 0x03, cdb.u16(2)];
	if (which > Requested.ONE) {
		request.fail(Senses.INVALID_FIELD);
		return;
	}
	const profile = profileOf(unit);
	const found = features.filter(({code, isPersistent, isCurrent}) => {
		if (which === Requested.ONE) return code === first;
		const isNow = isPersistent === true || isCurrent?.(profile) === true;
		return code >= first && (which === Requested.ALL || isNow);
	});
	const body = found.map(({code, version = 0, isPersistent, isCurrent, data}) => {
		const own = data(profile);
		const isNow = isPersistent === true || isCurrent?.(profile) === true;
		const flags = (version << 2) | (isPersistent === true ? 2 : 0) | (isNow ? 1 : 0);
		return Uint8Array.from([...wide(code, 2), flags, own.length, ...own]);
	});
	const length = body.reduce((sum, each) => sum + each.length, ConfigurationHeader.size - 4);
	request.give(concatBytes(ConfigurationHeader.encode({length, profile}), ...body), cdb.u16(7));
}

/** Header of an event (6.6.2). */
const EventHeader = packed('event_header', {length: u16.be, notification: u8, classes: u8}).sized(4, 'MMC-6, 6.6.2');
const [noEventAvailable, mediaClass] = [0x80, 4];
/** Codes of a drive's events (table 318), in the order in which they are told. */
const mediaCodes = [
	[MediaEvent.EJECT_REQUEST, 1],
	[MediaEvent.REMOVAL, 3],
	[MediaEvent.NEW_MEDIUM, 2],
] as const;

/** 6.6: asked for again and again; the drive does not wait for one. */
function getEventStatus(unit: ScsiUnit, request: ScsiRequest): void {
	const {cdb} = request;
	const {state, locked} = unit.facts;
	const polled = 0x01;
	const [asked, supported, most] = [cdb.byte(4), 1 << mediaClass, cdb.u16(7)];
	if ((cdb.byte(1) & polled) === 0) {
		request.fail(Senses.INVALID_FIELD);
		return;
	}
	if ((asked & supported) === 0) {
		request.give(EventHeader.encode({length: 2, notification: noEventAvailable, classes: supported}), most);
		return;
	}
	const code = locked(() => {
		const [bit, next] = mediaCodes.find((each) => (state.mediaEvents & each[0]) !== 0) ?? [0, 0];
		state.mediaEvents &= ~bit;
		return next;
	});
	const [doorOpen, mediumPresent] = [0x01, 0x02];
	const present = (state.media & 1) === 0 && !unit.has(UnitFlag.TRAY_OPEN) ? mediumPresent : 0;
	const status = (unit.has(UnitFlag.TRAY_OPEN) ? doorOpen : 0) | present;
	const header = EventHeader.encode({length: 6, notification: mediaClass, classes: supported});
	request.give(concatBytes(header, Uint8Array.of(code, status, 0, 0)), most);
}

/** Standard Disc Information (6.21.3). */
const DiscInformation = packed('disc_information', {
	length: u16.be,
	status: u8,
	firstTrack: u8,
	sessions: u8,
	firstOfLast: u8,
	lastOfLast: u8,
	validity: u8,
	type: u8,
	rest: reserved(7),
	leadIn: u32.be,
	leadOut: u32.be,
	end: reserved(10),
}).sized(34, 'MMC-6, 6.21.3');

/** One session, which is complete, with one track. */
function readDiscInformation(_unit: ScsiUnit, request: ScsiRequest): void {
	const {cdb} = request;
	const [complete, unrestricted] = [0x0e, 0x20];
	if ((cdb.byte(1) & 0x07) !== 0) request.fail(Senses.INVALID_FIELD);
	else {
		const data = DiscInformation.encode({
			length: DiscInformation.size - 2,
			status: complete,
			firstTrack: 1,
			sessions: 1,
			firstOfLast: 1,
			lastOfLast: 1,
			validity: unrestricted,
			leadIn: 0xffff_ffff,
			leadOut: 0xffff_ffff,
		});
		request.give(data, cdb.u16(7));
	}
}

/** Track Information Block (6.26.3). */
const TrackInformation = packed('track_information', {
	length: u16.be,
	track: u8,
	session: u8,
	reserved: reserved(1),
	mode: u8,
	dataMode: u8,
	validity: u8,
	first: u32.be,
	next: u32.be,
	free: u32.be,
	packet: u32.be,
	size: u32.be,
	rest: reserved(8),
}).sized(36, 'MMC-6, 6.26.3');

/** By a block of it, by its number, or by its session's. */
function readTrackInformation(unit: ScsiUnit, request: ScsiRequest): void {
	const {cdb} = request;
	const [kind, address] = [cdb.byte(1) & 0x03, cdb.u32(2)];
	const isThere = kind === 0 ? address < unit.blocks : kind < 3 && address === 1;
	const dataTrack = 0x04;
	if (!isThere) request.fail(Senses.INVALID_FIELD);
	else {
		const data = TrackInformation.encode({
			length: TrackInformation.size - 2,
			track: 1,
			session: 1,
			mode: dataTrack,
			dataMode: 1,
			size: Math.min(unit.blocks, 0xffff_ffff),
		});
		request.give(data, cdb.u16(7));
	}
}

/** 6.13: no slots, and a door. */
function mechanismStatus(unit: ScsiUnit, request: ScsiRequest): void {
	const doorOpen = unit.has(UnitFlag.TRAY_OPEN) ? 0x10 : 0;
	request.give(Uint8Array.of(0, doorOpen, 0, 0, 0, 0, 0, 0), request.cdb.u16(8));
}
