import type {Disk} from '#devices/storage/disk';
import type {RequestOwner, ScsiRequest} from './scsi-request.ts';
import {type Sense, Senses} from './sense.ts';
import {takeAttention, UnitFlag, type UnitState} from './unit-state.ts';

/** Kinds of units. */
export type UnitKind = 'disk' | 'dvd';

/** A unit, as an initiator's commands find it. */
export interface UnitFacts {
	readonly kind: UnitKind;
	readonly lun: number;
	/** Names the device that it is a part of: the unit's ids follow from it. */
	readonly serial: string;
	readonly state: UnitState;
	/** Runs `action` under the lock of the state. */
	locked<R>(action: () => R): R;
	/** The initiator has changed what other threads and the transport have to look at. */
	changed(): void;
}

/** One command of units. */
export interface ScsiCommand {
	/** It is done though the initiator is to be told of something first (SAM-5, 5.14.2). */
	readonly isUnattended?: true;
	/** It is refused without a disk, or without a medium in the drive. */
	readonly needsMedium?: true;
	run(unit: ScsiUnit, request: ScsiRequest): void;
}
export type ScsiCommands = ReadonlyMap<number, ScsiCommand>;

/** Normal ACA in the control byte (SAM-5, 5.2), which no unit of ours has. */
const acaBit = 0x04;

/** A logical unit, as one thread has it. */
export class ScsiUnit implements RequestOwner {
	readonly facts: UnitFacts;
	readonly #commands: ScsiCommands;
	/** Its disk; undefined while there is none, or none yet. */
	disk: Disk | undefined;
	/** The owner's changes of the medium that {@link disk} follows: see the state. Undefined before the first start. */
	media: number | undefined;
	#inFlight = 0;
	#emptied: (() => void) | undefined;

	constructor(facts: UnitFacts, commands: ScsiCommands) {
		this.facts = facts;
		this.#commands = commands;
	}

	get state(): UnitState {
		return this.facts.state;
	}

	get isAttached(): boolean {
		return !this.has(UnitFlag.DETACHED);
	}

	get hasDescriptors(): boolean {
		return this.has(UnitFlag.DESCRIPTORS);
	}

	/** A write is durable when it is done. */
	get isWriteThrough(): boolean {
		return this.has(UnitFlag.WRITE_THROUGH);
	}

	/** Bytes of a block. A DVD's sectors are what the medium has, whatever the disk's are (MMC-6, 4.2). */
	get blockBytes(): number {
		return this.facts.kind === 'dvd' ? 2048 : (this.disk?.geometry.sectorBytes ?? 512);
	}

	/** Blocks of the medium, in whole. */
	get blocks(): number {
		return Math.floor((this.disk?.bytes ?? 0) / this.blockBytes);
	}

	has(flag: number): boolean {
		return (this.state.flags & flag) !== 0;
	}

	/** Turns a flag on or off. */
	set(flag: number, isOn: boolean): void {
		const {state, locked} = this.facts;
		locked(() => {
			state.flags = isOn ? state.flags | flag : state.flags & ~flag;
		});
	}

	/** Why there is no medium that could be used; undefined where there is one. */
	get mediumFault(): Sense | undefined {
		if (this.has(UnitFlag.TRAY_OPEN)) return Senses.TRAY_OPEN;
		if ((this.state.media & 1) !== 0) return Senses.NO_MEDIUM;
		return this.disk === undefined || this.media !== this.state.media ? Senses.BECOMING_READY : undefined;
	}

	/** Does what a command asks for, and ends it, now or later. */
	execute(request: ScsiRequest): void {
		request.begin(this);
		this.#inFlight++;
		const command = this.#commands.get(request.cdb.opcode);
		const isTold = this.state.attentions !== 0 && command?.isUnattended !== true;
		const attention = isTold ? this.#takeAttention() : undefined;
		const fault = command?.needsMedium ? this.mediumFault : undefined;
		if (attention !== undefined) request.fail(attention);
		else if (command === undefined) request.fail(Senses.INVALID_OPCODE);
		else if ((request.cdb.control & acaBit) !== 0) request.fail(Senses.INVALID_FIELD);
		else if (fault !== undefined) request.fail(fault);
		else command.run(this, request);
	}

	/** Apart from {@link execute}, which would make the closure's context for each command. */
	#takeAttention(): Sense | undefined {
		const {state, locked} = this.facts;
		return locked(() => takeAttention(state));
	}

	requestEnded(): void {
		this.#inFlight--;
		if (this.#inFlight > 0) return;
		this.#emptied?.();
		this.#emptied = undefined;
	}

	/** Resolves when no command is under way. */
	async idle(): Promise<void> {
		if (this.#inFlight === 0) return;
		const {promise, resolve} = Promise.withResolvers<void>();
		this.#emptied = resolve;
		await promise;
	}
}
