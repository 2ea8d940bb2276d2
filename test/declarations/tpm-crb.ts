import {device, memoryFixed, name, resourceTemplate, string} from '#devices/acpi/aml';
import {deviceType} from '#devices/device-type';
import {bytes, u32, wire} from '#support/wire';

/** What carries out a command (TPM 2.0 Library, part 3). */
export interface TpmEngine {
	execute(command: Uint8Array): Promise<Uint8Array>;
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
/** Where the length of a command is, big-endian: behind its tag (TPM 2.0 Library, part 1, "Command and Response Structures"). */
const lengthOffset = 2;
const State = wire('tpm-crb', {granted: u32, start: u32, buffer: bytes(bufferBytes)});

/** A TPM behind a command and response buffer; both are the same memory. */
export const tpmCrbType = (engine: TpmEngine) =>
	deviceType({
		kind: 'tpm-crb',
		summary: 'A TPM 2.0',
		state: State,
		attach: {regions: () => [{space: 'mmio', name: 'locality-0', base, length}]},
		acpi: () => ({
			device: device(
				'TPM0',
				name('_HID', string('MSFT0101')),
				name('_CRS', resourceTemplate(memoryFixed(base, length))),
			),
		}),
		front(_config, state, services) {
			const fixed: Readonly<Record<number, number>> = {
				[Register.INTERFACE_ID]: interfaceId,
				[Register.CMD_SIZE]: bufferBytes,
				[Register.CMD_ADDRESS]: base + Register.BUFFER,
				[Register.RSP_SIZE]: bufferBytes,
				[Register.RSP_ADDRESS]: base + Register.BUFFER,
			};
			const valueAt = (at: number): number => {
				if (at === Register.LOC_STATE) return validStatus | (state.granted === 0 ? 0 : active);
				if (at === Register.LOC_STS) return state.granted;
				return at === Register.CTRL_START ? state.start : (fixed[at] ?? 0);
			};
			const buffer = new DataView(state.buffer.buffer, state.buffer.byteOffset, bufferBytes);
			return {
				read(_region, offset, size) {
					if (offset < Register.BUFFER)
						return Math.floor(valueAt(offset & ~3) / 2 ** (8 * (offset & 3))) % 2 ** (8 * size);
					let value = 0;
					for (let at = size - 1; at >= 0; at--) value = value * 256 + buffer.getUint8(offset - Register.BUFFER + at);
					return value;
				},
				write(_region, offset, size, value) {
					if (offset === Register.LOC_CTRL && (value & 3) !== 0) state.granted = value & 1;
					if (state.granted === 0 || state.start !== 0) return;
					for (let at = 0; offset >= Register.BUFFER && at < size; at++)
						buffer.setUint8(offset - Register.BUFFER + at, Math.floor(value / 2 ** (8 * at)) & 0xff);
					if (offset !== Register.CTRL_START || (value & 1) === 0) return;
					state.start = 1;
					services.notifyBack();
				},
			};
		},
		back(_config, state, {locked, reactor}) {
			let running: Promise<void> | undefined;
			const run = async () => {
				const taken = locked(() => Buffer.from(state.buffer));
				const size = Math.min(taken.readUInt32BE(lengthOffset), bufferBytes);
				const response = await engine.execute(taken.subarray(0, size));
				locked(() => {
					state.buffer.set(response.subarray(0, bufferBytes));
					state.start = 0;
				});
				running = undefined;
			};
			const begin = () => {
				if (state.start === 0 || running !== undefined) return;
				running = run();
				running.catch((error: unknown) =>
					reactor.defer(() => {
						throw error;
					}),
				);
			};
			return {start: begin, stop: async () => await running, notified: begin, dispose() {}};
		},
	});
