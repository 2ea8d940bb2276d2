import {type DmaDirection, MappedMemory} from '#devices/guest-memory';
import {plainMemory} from '#devices/guest-memory/testing';
import type {OpenDisk} from '#devices/storage/backend';
import {openDisk} from '#devices/storage/source';
import {FakeReactor} from '#devices/testing';
import {array, wire} from '#support/wire';
import {ScsiRequest, ScsiUnits, type UnitConfig, UnitState, unitsBytes} from '../index.ts';

const ramBytes = 0x40_0000;
/** Where the initiator has what it gives; what it takes comes to the other half. */
const [outAt, inAt] = [0, ramBytes / 2];
const states = wire('units', {units: array(UnitState, 8)});

/** A command of the test's, whose data are in RAM. */
class TestRequest extends ScsiRequest {
	readonly #memory: MappedMemory;
	#resolve: () => void = () => {};
	readonly finished: Promise<void>;

	constructor(memory: MappedMemory) {
		super(134);
		this.#memory = memory;
		this.finished = new Promise((resolve) => {
			this.#resolve = resolve;
		});
	}

	readData(target: Uint8Array, length: number): boolean {
		return this.#memory.copyOut(outAt, target, 0, length);
	}

	writeData(source: Uint8Array, length: number): boolean {
		return this.#memory.copyIn(inAt, source, 0, length);
	}

	protected pinData(direction: DmaDirection, length: number): boolean {
		return this.#memory.pin(direction === 'write' ? inAt : outAt, length, direction, this.vectors);
	}

	protected readonly mayBeHeld = false;
	protected held(): void {}

	protected ended(): void {
		this.#resolve();
	}
}

/** How a command ended. */
export interface Answer {
	readonly status: number;
	/** Key, code and qualifier of fixed sense data, in hexadecimal with slashes; empty for none. */
	readonly sense: string;
	readonly data: Uint8Array;
	readonly isOverrun: boolean;
	readonly senseBytes: Uint8Array;
}

/** An initiator, whose units are on one thread. */
export class Initiator {
	readonly memory = new MappedMemory(plainMemory({gpa: 0, length: ramBytes}));
	readonly state = states.on(new SharedArrayBuffer(states.byteLength));
	/** Work of the units that is under way. */
	readonly #tracked: Promise<unknown>[] = [];
	changes = 0;
	#units: ScsiUnits | undefined;

	static async make(units: readonly UnitConfig[], open: OpenDisk = openDisk): Promise<Initiator> {
		const made = new Initiator();
		const host = {
			reactor: new FakeReactor() as never,
			worker: {index: 0, count: 1},
			memory: new SharedArrayBuffer(unitsBytes(units, 1)),
			offset: 0,
			track: (promise: Promise<unknown>) => void made.#tracked.push(promise),
			locked: <R>(action: () => R) => action(),
			changed: () => void made.changes++,
			noticed() {},
		};
		made.#units = await ScsiUnits.open({units, serial: 'test', states: made.state.units}, host, open);
		made.units.start();
		made.units.startTelling();
		return made;
	}

	get units(): ScsiUnits {
		return this.#units as ScsiUnits;
	}

	/** Follows what the owner has done. */
	async follow(): Promise<void> {
		this.units.notified();
		await Promise.all(this.#tracked.splice(0));
	}

	/** Sends a command; `out` is what it gives, `room` what it takes at most. */
	send(cdb: readonly number[], {out = new Uint8Array(), room = 0, lun = 0}: SendChoice = {}): TestRequest {
		const request = new TestRequest(this.memory);
		request.cdb.bytes.set(cdb.slice(0, 32));
		if (out.length > 0) this.memory.copyIn(outAt, out);
		request.dataOut = out.length;
		request.dataIn = room;
		this.units.target.execute(lun, request);
		return request;
	}

	async run(cdb: readonly number[], choice: SendChoice = {}): Promise<Answer> {
		const request = this.send(cdb, choice);
		await request.finished;
		const {status, sense, moved, isOverrun} = request;
		const data = new Uint8Array(choice.out === undefined ? moved : 0);
		this.memory.copyOut(inAt, data);
		const [key, code, qualifier] = [sense[2], sense[12], sense[13]].map((each) => (each ?? 0).toString(16));
		return {
			status,
			sense: sense.length === 18 ? `${key}/${code}/${qualifier}` : '',
			data,
			isOverrun,
			senseBytes: sense,
		};
	}

	/** Takes what units have to tell first. */
	async begin(...luns: readonly number[]): Promise<this> {
		for (const lun of luns) await this.run([0, 0, 0, 0, 0, 0], {lun});
		return this;
	}
}

interface SendChoice {
	readonly out?: Uint8Array;
	readonly room?: number;
	readonly lun?: number;
}
