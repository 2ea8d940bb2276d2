/**
 * A PCI Express device of your own: copies guest memory, and says by interrupt when it is done.
 * `openvmm --pcie-root-complex rc0 --pcie-root-port rc0:rp0 --device guide/examples/dma-engine.ts,port=rp0 …`
 */
import {bytes, deviceType, u32, wire} from 'openvmm/devices';

const bufferBytes = 4096;

/** All that changes while the guest runs, configuration space aside. */
const State = wire('dma-engine', {
	sourceLow: u32,
	sourceHigh: u32,
	targetLow: u32,
	targetHigh: u32,
	length: u32,
	/** Why the engine wants attention: {@link Cause}. */
	cause: u32,
	copies: u32,
	buffer: bytes(bufferBytes),
});

/** 32-bit registers of BAR 0. Writing COMMAND starts a copy; writing a cause's bit to CAUSE takes it back. */
const Register = {
	ID: 0x00,
	SOURCE_LOW: 0x08,
	SOURCE_HIGH: 0x0c,
	TARGET_LOW: 0x10,
	TARGET_HIGH: 0x14,
	LENGTH: 0x18,
	COMMAND: 0x1c,
	CAUSE: 0x20,
} as const;
const id = 0x656e_6744;
const Cause = {DONE: 1, FAILED: 2} as const;

/** A guest may ask for anything, but not for our time. */
const maxLength = 64 * 1024;
/** Anything of our own: no driver of a guest claims it. */
const [vendor, device, otherClass] = [0x1414, 0xc0de, 0xff_0000] as const;

const dmaEngine = deviceType({
	kind: 'dma-engine',
	summary: 'Copies guest memory',
	state: State,
	attach: {
		pci: {
			vendor,
			device,
			class: otherClass,
			bars: [
				{index: 0, size: 0x1000},
				{index: 2, size: bufferBytes, kind: 'prefetchable'},
			],
			// The table of MSI-X gets BAR 1, as no other BAR has that number.
			interrupts: {vectors: ['done', 'failed'], msi: true, msix: {bar: 1}},
		},
	},

	front(_config, state, services) {
		const [done, failed] = [services.line('done'), services.line('failed')];
		const copyBuffer = new Uint8Array(maxLength);
		const showCause = () => {
			done.setLevel((state.cause & Cause.DONE) !== 0);
			failed.setLevel((state.cause & Cause.FAILED) !== 0);
		};
		const copy = () => {
			const part = copyBuffer.subarray(0, Math.min(state.length, maxLength));
			const {memory} = services;
			// False where there is no RAM, and while the guest has not made this function a bus master.
			const isCopied =
				memory.copyOut(state.sourceHigh * 2 ** 32 + state.sourceLow, part) &&
				memory.copyIn(state.targetHigh * 2 ** 32 + state.targetLow, part);
			state.cause = (state.cause | (isCopied ? Cause.DONE : Cause.FAILED)) >>> 0;
			state.copies++;
			showCause();
		};
		const registers = {
			[Register.SOURCE_LOW]: 'sourceLow',
			[Register.SOURCE_HIGH]: 'sourceHigh',
			[Register.TARGET_LOW]: 'targetLow',
			[Register.TARGET_HIGH]: 'targetHigh',
			[Register.LENGTH]: 'length',
		} as const;
		const isRegister = (offset: number): offset is keyof typeof registers => offset in registers;
		const bytesOf = (offset: number, size: number) =>
			state.buffer.subarray(offset, offset + size).reduceRight((value, byte) => value * 256 + byte, 0);
		return {
			// Region 0 is BAR 0, region 1 the next one of the list.
			read(region, offset, size) {
				if (region === 1) return bytesOf(offset, size);
				if (size !== 4) return 2 ** (8 * size) - 1;
				if (offset === Register.ID) return id;
				if (offset === Register.CAUSE) return state.cause;
				return isRegister(offset) ? state[registers[offset]] : 0;
			},
			write(region, offset, size, value) {
				if (region === 1) for (let i = 0; i < size; i++) state.buffer[offset + i] = value >>> (8 * i);
				if (region !== 0 || size !== 4) return;
				if (isRegister(offset)) state[registers[offset]] = value;
				if (offset === Register.COMMAND) copy();
				if (offset === Register.CAUSE) {
					state.cause = (state.cause & ~value) >>> 0;
					showCause();
				}
			},
		};
	},
});

export default dmaEngine;
