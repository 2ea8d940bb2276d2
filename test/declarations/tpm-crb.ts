import {device, memoryFixed, name, resourceTemplate, string} from '#devices/acpi/aml';
import type {AccessSize, OwnedDevice} from '#devices/device';
import {deviceType} from '#devices/device-type';

/** Carries out commands (TPM 2.0 Library, part 3), and has all of a TPM's state. */
export interface TpmEngine {
	execute(command: Uint8Array): Promise<Uint8Array>;
	/** Drops the state that a TPM loses with its power. */
	powerOn(): void;
	/** At most {@link mostEngineBytes}. */
	save(): Promise<Uint8Array>;
	/** @throws Error for what it has not saved */
	restore(bytes: Uint8Array): Promise<void>;
}

const base = 0xfed4_0000;
const length = 0x1000;
/** Registers of locality 0 (TCG PC Client Platform TPM Profile for TPM 2.0 1.05, "Command Response Buffer Interface"). */
const Register = {
	LOC_STATE: 0x00,
	LOC_CTRL: 0x08,
	LOC_STS: 0x0c,
	INTERFACE_ID: 0x30,
	CTRL_REQ: 0x40,
	CTRL_START: 0x4c,
	CMD_SIZE: 0x58,
	CMD_ADDRESS: 0x5c,
	RSP_SIZE: 0x64,
	RSP_ADDRESS: 0x68,
	BUFFER: 0x80,
} as const;
const bufferBytes = length - Register.BUFFER;
/** TPM_LOC_STATE: registers are valid, locality 0 is active; without the latter nobody has requested it. */
const [validStatus, active] = [0x80, 0x02];
/** TPM_INTERFACE_ID: CRB is the active interface and the only one that there is; version 1. */
const interfaceId = 0x0000_4011;
/** Offset of a command's length, big-endian: behind its tag (TPM 2.0 Library, part 1, "Command and Response Structures"). */
const lengthOffset = 2;
const mostEngineBytes = 2 ** 18;

const fixed: Readonly<Record<number, number>> = {
	[Register.INTERFACE_ID]: interfaceId,
	[Register.CMD_SIZE]: bufferBytes,
	[Register.CMD_ADDRESS]: base + Register.BUFFER,
	[Register.RSP_SIZE]: bufferBytes,
	[Register.RSP_ADDRESS]: base + Register.BUFFER,
};

/** A command and response buffer in front of an engine; both are the same memory. */
class TpmCrb implements OwnedDevice {
	readonly #engine: TpmEngine;
	readonly #failed: (cause: unknown) => void;
	readonly #bytes = Buffer.alloc(bufferBytes);
	#isGranted = false;
	#running: Promise<void> | undefined;

	/** @param failed - told of a command that the engine could not carry out */
	constructor(engine: TpmEngine, failed: (cause: unknown) => void) {
		this.#engine = engine;
		this.#failed = failed;
	}

	read(_region: number, offset: number, size: AccessSize): number {
		if (offset < Register.BUFFER)
			return Math.floor(this.#register(offset & ~3) / 2 ** (8 * (offset & 3))) % 2 ** (8 * size);
		return this.#bytes.subarray(offset - Register.BUFFER).readUIntLE(0, size);
	}

	write(_region: number, offset: number, size: AccessSize, value: number): void {
		if (offset === Register.LOC_CTRL && (value & 3) !== 0) this.#isGranted = (value & 1) !== 0;
		if (!this.#isGranted || this.#running !== undefined) return;
		if (offset >= Register.BUFFER) this.#bytes.writeUIntLE(value, offset - Register.BUFFER, size);
		if (offset === Register.CTRL_START && (value & 1) !== 0) this.#running = this.#run().catch(this.#failed);
	}

	reset(): void {
		this.#isGranted = false;
		this.#bytes.fill(0);
		this.#engine.powerOn();
	}

	async stop(): Promise<void> {
		await this.#running;
	}

	inFlight(): string | undefined {
		return this.#running && 'a command';
	}

	async save(): Promise<Uint8Array> {
		return Buffer.concat([Uint8Array.of(Number(this.#isGranted)), this.#bytes, await this.#engine.save()]);
	}

	async restore(_version: number, bytes: Uint8Array): Promise<void> {
		if (bytes.length < 1 + bufferBytes) throw new RangeError('it has no buffer');
		this.#isGranted = bytes[0] === 1;
		this.#bytes.set(bytes.subarray(1, 1 + bufferBytes));
		await this.#engine.restore(bytes.slice(1 + bufferBytes));
	}

	inspect(): object {
		return {locality: this.#isGranted ? 0 : 'none', command: this.#running === undefined ? 'none' : 'under way'};
	}

	#register(at: number): number {
		if (at === Register.LOC_STATE) return validStatus | (this.#isGranted ? active : 0);
		if (at === Register.LOC_STS) return Number(this.#isGranted);
		return at === Register.CTRL_START ? Number(this.#running !== undefined) : (fixed[at] ?? 0);
	}

	async #run(): Promise<void> {
		const size = Math.min(this.#bytes.readUInt32BE(lengthOffset), bufferBytes);
		const response = await this.#engine.execute(Uint8Array.from(this.#bytes.subarray(0, size)));
		this.#bytes.set(response.subarray(0, bufferBytes));
		this.#running = undefined;
	}
}

/** A TPM, whose state is whatever its engine has. */
export const tpmCrbType = (makeEngine: () => TpmEngine) =>
	deviceType({
		kind: 'tpm-crb',
		summary: 'A TPM 2.0',
		attach: {regions: () => [{space: 'mmio', name: 'locality-0', base, length}]},
		acpi: () => ({
			device: device(
				'TPM0',
				name('_HID', string('MSFT0101')),
				name('_CRS', resourceTemplate(memoryFixed(base, length))),
			),
		}),
		owned: {
			version: 1,
			mostBytes: 1 + bufferBytes + mostEngineBytes,
			make: (_config, {reactor}) =>
				new TpmCrb(makeEngine(), (cause) =>
					reactor.defer(() => {
						throw cause;
					}),
				),
		},
	});
