import {isTemperatureWrong, temperature} from './features.ts';
import {firmware} from './identify.ts';
import {EffectsLog, ErrorEntry, FirmwareLog, HealthLog} from './layout.ts';
import {numberIn} from './namespace-slots.ts';
import {AdminOpcode, changingOpcodes, IoOpcode} from './opcodes.ts';
import {pageBytes} from './registers.ts';
import type {ControllerState} from './state.ts';

/** Log pages that there are (NVM Express Base 2.0, 5.16.1). */
const LogPage = {SUPPORTED: 0x00, ERRORS: 0x01, HEALTH: 0x02, FIRMWARE: 0x03, NAMESPACES: 0x04, EFFECTS: 0x05} as const;

/** Bytes of a unit that the counters of data are in: a thousand blocks of 512. */
const unitBytes = 512_000;
const [isSupported, changesContent] = [0x1, 0x2];
const [allSpare, leastSpare] = [100, 10];
const temperatureWarning = 0x2;
/** An error that is of no command. */
const nowhere = 0xffff;

/** What the controller keeps a log of. */
export class LogPages {
	readonly #state: ControllerState;
	/** Changed namespaces that the last list of them has. */
	#listed = 0;

	constructor(state: ControllerState) {
		this.#state = state;
	}

	/** All of a page; undefined for one that there is not. */
	page(id: number): Uint8Array | undefined {
		switch (id) {
			case LogPage.SUPPORTED: {
				const supported = new Uint32Array(256);
				for (const page of Object.values(LogPage)) supported[page] = isSupported;
				return new Uint8Array(supported.buffer);
			}
			case LogPage.ERRORS:
				return this.#errors();
			case LogPage.HEALTH:
				return this.#health();
			case LogPage.FIRMWARE:
				return FirmwareLog.encode({active: 1, first: firmware.padEnd(8)});
			case LogPage.NAMESPACES:
				return this.#changedNamespaces();
			case LogPage.EFFECTS:
				return effects;
			default:
				return undefined;
		}
	}

	/** The driver has looked at a page, and asks to be told of what comes. Under the device's lock. */
	wasRead(id: number): void {
		if (id === LogPage.NAMESPACES) this.#state.changedNamespaces &= ~this.#listed;
	}

	#errors(): Uint8Array {
		const {errors, errorQueue} = this.#state;
		if (errors === 0) return ErrorEntry.encode({});
		return ErrorEntry.encode({
			number: whole(errors),
			queue: errorQueue & 0xffff,
			command: nowhere,
			location: nowhere,
		});
	}

	#health(): Uint8Array {
		const {features, bytesRead, bytesWritten, reads, writes, mediaErrors, errors} = this.#state;
		return HealthLog.encode({
			warning: isTemperatureWrong(features) ? temperatureWarning : 0,
			temperature: temperature.NOW,
			spare: allSpare,
			spareThreshold: leastSpare,
			unitsRead: whole(bytesRead / unitBytes),
			unitsWritten: whole(bytesWritten / unitBytes),
			reads: whole(reads),
			writes: whole(writes),
			mediaErrors: whole(mediaErrors),
			errors: whole(errors),
		});
	}

	#changedNamespaces(): Uint8Array {
		const data = new Uint32Array(pageBytes / Uint32Array.BYTES_PER_ELEMENT);
		this.#listed = this.#state.changedNamespaces;
		const changed = [...this.#state.namespaces].filter((_, slot) => (this.#listed & (1 << slot)) !== 0);
		data.set(changed.map(numberIn).sort((one, other) => one - other));
		return new Uint8Array(data.buffer);
	}
}

/** A counter as drivers read it. A snapshot may hold any. */
const whole = (value: number): number => Math.min(Math.max(Math.ceil(value) || 0, 0), Number.MAX_SAFE_INTEGER);

const effects = EffectsLog.encode({
	admin: Array.from({length: 256}, (_, opcode) =>
		Object.values<number>(AdminOpcode).includes(opcode) ? isSupported : 0,
	),
	io: Array.from({length: 256}, (_, opcode) => {
		if (!Object.values<number>(IoOpcode).includes(opcode)) return 0;
		return changingOpcodes.includes(opcode) ? isSupported | changesContent : isSupported;
	}),
});
