import type {BackWork, SavedMemory} from '#devices/device';
import type {DiskPolicy, OpenDisk, ReportedDisk} from '#devices/storage/backend';
import {type Disk, type DiskRequest, diskMovers} from '#devices/storage/disk';
import {DiskSet, type DiskSetHost, diskSetBytes, diskSetPlaces, diskSetSavedParts} from '#devices/storage/disk-set';
import type {DiskSource} from '#devices/storage/source';
import {errorTable} from '#support/errors';
import {blockCommands} from './block-commands.ts';
import {dvdCommands} from './dvd-commands.ts';
import {ScsiTarget} from './scsi-target.ts';
import {ScsiUnit, type UnitFacts} from './scsi-unit.ts';
import {insertKind, type UnitCommand} from './unit-commands.ts';
import {Attention, MediaEvent, resetUnit, takeOut, UnitEvent, UnitFlag, type UnitState} from './unit-state.ts';

/** Most units of one device. */
export const mostUnits = 32;

/** One logical unit of a device: a disk, or a drive with what is in it. */
export interface UnitConfig {
	/** 0 to 255, of one device's each another. */
	readonly lun: number;
	readonly disk: DiskSource;
	/** Commands that write fail. */
	readonly readOnly: boolean;
	/** Limits of a disk or a drive, and what follows errors of the host's. */
	readonly policy?: DiskPolicy;
	/** It is a drive for discs, and the disk the image of one. */
	readonly dvd?: boolean;
	/** The guest does not see it until it is attached. */
	readonly detached?: boolean;
}

const unitError = errorTable({
	SCSI_UNIT_DIFFERS: (c: {lun: number; bytes: number; block: number; told: string}) => ({
		message: `Unit ${c.lun} has ${c.bytes} bytes in blocks of ${c.block}, and the guest goes on with one of ${c.told}`,
		remedy: 'Restore with the disks that the machine had when its snapshot was made',
	}),
	SCSI_DISC_BLOCKS: (c: {lun: number; sector: number; bytes: number}) => ({
		message: `The disc of unit ${c.lun} has ${c.bytes} bytes that are read by ${c.sector}, and is to have blocks of 2048`,
		remedy: 'Give an image of a disc, without direct',
	}),
});

/** What a transport's worker has for its units. */
export interface UnitsHost extends DiskSetHost, Pick<BackWork, 'track'> {
	/** Runs `action` under the lock of the states. */
	locked<R>(action: () => R): R;
	/** The initiator has changed what other workers have to look at: each is to be {@link ScsiUnits.notified}. */
	changed(): void;
}

/** Names the units, and what they have of shared state. */
export interface UnitsParts {
	readonly units: readonly UnitConfig[];
	/** Of the device: ids of units follow from it. */
	readonly serial: string;
	/** By place in the configuration. */
	readonly states: readonly UnitState[];
}

const membersOf = (units: readonly UnitConfig[]) =>
	units.map(({disk, readOnly, dvd = false, policy}) => ({
		disk,
		readOnly: readOnly || dvd,
		isPrivate: dvd,
		...(policy !== undefined && {policy}),
	}));

/** Bytes of the host's that the workers of such units share. */
export const unitsBytes = (units: readonly UnitConfig[], workers: number): number =>
	diskSetBytes(membersOf(units), workers, units.length);

/**
 * Where the disks of such units are in that memory, by the numbers of the units.
 * @param offset - of the units in it
 */
export const unitPlaces = (units: readonly UnitConfig[], workers: number, offset: number): readonly ReportedDisk[] =>
	diskSetPlaces(membersOf(units), workers, offset).map((place) => ({
		disk: units[place.disk]?.lun as number,
		offset: place.offset,
	}));

/** The parts of it that snapshots have. @param offset - of the units in it */
export const unitSavedParts = (units: readonly UnitConfig[], workers: number, offset: number): readonly SavedMemory[] =>
	diskSetSavedParts(membersOf(units), workers, offset, (index) => `unit-${units[index]?.lun}`);

/** The units of a device as one worker has them: opens their disks, follows their media and lengths, and keeps them through snapshots. */
export class ScsiUnits {
	readonly target: ScsiTarget;
	readonly #all: readonly OpenUnit[];
	readonly #disks: DiskSet;
	readonly #host: UnitsHost;
	/** Its states may be another device's. */
	#isGone = false;

	private constructor({units, serial, states}: UnitsParts, disks: DiskSet, host: UnitsHost) {
		this.#disks = disks;
		this.#host = host;
		this.#all = units.map((config, index) => {
			const facts: UnitFacts = {
				kind: config.dvd === true ? 'dvd' : 'disk',
				lun: config.lun,
				serial,
				state: states[index] as UnitState,
				locked: host.locked,
				changed: () => host.changed(),
			};
			const unit = new ScsiUnit(facts, config.dvd === true ? dvdCommands : blockCommands);
			unit.disk = disks.at(index);
			return {unit, config, index, isFollowing: false};
		});
		this.target = new ScsiTarget(this.#all.map(({unit}) => unit).sort((one, other) => one.facts.lun - other.facts.lun));
	}

	/** @throws what the disks' opening throws, SCSI_DISC_BLOCKS */
	static async open(parts: UnitsParts, host: UnitsHost, open: OpenDisk): Promise<ScsiUnits> {
		const disks = await DiskSet.open(membersOf(parts.units), host, open);
		const made = new ScsiUnits(parts, disks, host);
		try {
			for (const {unit} of made.#all) checkDisc(unit);
			return made;
		} catch (cause) {
			await disks.close();
			throw cause;
		}
	}

	/** Before anything is served. Under the lock. */
	start(): void {
		this.#disks.start();
		for (const {unit, config} of this.#all) {
			const {facts, state} = unit;
			// A disk is no medium, whatever a snapshot says.
			if (facts.kind === 'disk') state.media = 0;
			// What has just been opened is the last medium that the guest of a snapshot knows; what comes during a pause is another.
			unit.media ??= state.media - (state.media & 1);
			if (state.on !== 0) continue;
			state.on = 1;
			state.flags = config.detached === true ? UnitFlag.DETACHED : 0;
			state.attentions = Attention.RESET;
		}
	}

	/**
	 * Notes what the disks are, for the initiator. Of the first worker, under the lock.
	 * @throws VmmError SCSI_UNIT_DIFFERS for one that the guest of a snapshot cannot go on with
	 */
	startTelling(): void {
		for (const {unit} of this.#all) {
			const {state, disk, blockBytes} = unit;
			const {lun, kind} = unit.facts;
			if (kind === 'dvd' || disk === undefined || state.bytes === 0) continue;
			if (disk.bytes >= state.bytes && blockBytes === state.blockBytes) continue;
			const told = `${state.bytes} bytes in blocks of ${state.blockBytes}`;
			throw unitError('SCSI_UNIT_DIFFERS', {lun, bytes: disk.bytes, block: blockBytes, told});
		}
		this.#tell();
	}

	/** The device comes to rest: no limit keeps a command any more. See `DiskBackend.stop`. */
	stop(isReset = false): void {
		this.#disks.stop(isReset);
	}

	/** A medium that comes into a drive from now on may be another file's. On each worker, before the state is changed. */
	control({kind, lun, path}: UnitCommand): void {
		const index = this.#all.find(({unit}) => unit.facts.lun === lun)?.index;
		if (kind === insertKind && path !== undefined && index !== undefined) this.#disks.lead(index, path);
	}

	/** Ends a command that waits for a limit, if it does: see `DiskBackend.withdraw`. */
	withdraw(request: DiskRequest): void {
		this.#disks.withdraw(request);
	}

	/** Has the disks' files hold what was written. When no command is under way. */
	settle(): Promise<void> {
		return this.#disks.settle();
	}

	/** The device begins anew for another initiator, which has to look at everything. Under the lock. */
	reset(): void {
		for (const {unit} of this.#all) {
			resetUnit(unit.state);
			unit.state.flags &= ~UnitFlag.WRITE_THROUGH;
		}
	}

	/** Follows the media that the owner has taken out or put in, by the states. */
	notified(): void {
		for (const each of this.#all)
			if (each.unit.media !== each.unit.state.media && !each.isFollowing)
				this.#host.track(this.#follow(each), 'changing a medium');
	}

	/** Looks how long the disks are. Of the first worker. */
	async measure(): Promise<void> {
		await this.#disks.measure();
		if (!this.#isGone) this.#host.locked(() => this.#tell());
	}

	async close(): Promise<void> {
		this.#isGone = true;
		await this.#disks.close();
	}

	async #follow(each: OpenUnit): Promise<void> {
		each.isFollowing = true;
		const {unit, index} = each;
		while (!this.#isGone && unit.media !== unit.state.media) {
			const wanted = unit.state.media;
			unit.disk = undefined;
			this.#disks.release(index);
			await unit.idle();
			await this.#disks.remove(index);
			if ((wanted & 1) === 0) await this.#insert(each, wanted);
			unit.media = wanted;
		}
		each.isFollowing = false;
	}

	/** A medium that cannot be read is none. */
	async #insert({unit, index}: OpenUnit, wanted: number): Promise<void> {
		const isFound = await this.#disks.insert(index).then(
			() => isDisc(this.#disks.at(index)),
			() => false,
		);
		if (this.#isGone) return;
		const {state} = unit;
		if (isFound) {
			unit.disk = this.#disks.at(index);
			unit.media = wanted;
		}
		this.#host.locked(() => {
			if (state.media !== wanted) return;
			// One of the workers has none: then none has.
			if (!isFound) takeOut(state);
			if (!isFound || this.#host.worker.index !== 0) return;
			state.flags &= ~UnitFlag.TRAY_OPEN;
			state.attentions |= Attention.MEDIUM;
			state.mediaEvents = MediaEvent.NEW_MEDIUM;
			state.events |= UnitEvent.MEDIUM;
			this.#tell();
		});
		this.#host.changed();
	}

	#tell(): void {
		for (const {unit} of this.#all) {
			const {state, disk, facts} = unit;
			if (disk === undefined) continue;
			if (facts.kind === 'disk' && state.bytes !== 0 && state.bytes !== disk.bytes) {
				state.attentions |= Attention.CAPACITY;
				state.events |= UnitEvent.CAPACITY;
			}
			state.bytes = disk.bytes;
			state.blockBytes = unit.blockBytes;
			state.mover = diskMovers.indexOf(disk.mover) + 1;
		}
	}
}

interface OpenUnit {
	readonly unit: ScsiUnit;
	readonly config: UnitConfig;
	readonly index: number;
	isFollowing: boolean;
}

/** Says whether a disk can be read by blocks of a disc, of which it has one. */
const isDisc = (disk: Disk | undefined): boolean =>
	disk !== undefined && 2048 % disk.geometry.sectorBytes === 0 && disk.bytes >= 2048;

function checkDisc({facts, disk}: ScsiUnit): void {
	if (facts.kind !== 'dvd' || isDisc(disk)) return;
	const {bytes = 0, geometry} = disk ?? {};
	throw unitError('SCSI_DISC_BLOCKS', {lun: facts.lun, sector: geometry?.sectorBytes ?? 0, bytes});
}
