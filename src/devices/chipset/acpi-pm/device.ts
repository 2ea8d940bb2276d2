import type {AccessSize, DeviceCommand, DeviceFront, DeviceModel, DeviceServices} from '#devices/device';
import {gpeCount, gpeInput} from '#devices/interrupts';
import {cell, type FieldsView} from '#support/wire';
import {GeneralPurposeEvents, gpeName} from './general-purpose-events.ts';
import {Pm1Control, Pm1Status, pm1EnableWritable, pmLayout, timerHz} from './registers.ts';
import {type AcpiPmFields, AcpiPmState} from './state.ts';

/** Names this device in machine descriptions. */
export const acpiPmKind = 'acpi-pm';

/** The ACPI fixed hardware of a machine. */
export interface AcpiPmConfig {
	/** First port of the register block, {@link pmLayout.base} unless a machine moves it. */
	readonly base: number;
	/** The system control interrupt's input, {@link pmLayout.sciIrq} unless a machine moves it. */
	readonly sciIrq: number;
}

/** Presses the power button: the guest decides what follows (ACPI 6.5, 4.8.2.2.1.1). */
export const powerButton = {kind: 'power-button'} as const satisfies DeviceCommand;

const gpeInputs = Object.fromEntries(Array.from({length: gpeCount}, (_, event) => [gpeName(event), gpeInput(event)]));

/** ACPI power management: power-off, hibernate, reset, PM timer, general-purpose events. */
export const acpiPm: DeviceModel<AcpiPmConfig, AcpiPmFields> = {
	kind: acpiPmKind,
	state: AcpiPmState,
	attach: {regions: ({base}) => [{space: 'pio', name: 'dynamic', base, length: pmLayout.length}]},
	lines: ({sciIrq}) => ({sci: sciIrq}),
	inputs: () => gpeInputs,
	front: acpiPmFront,
};

/** The registers of the ACPI fixed hardware on one thread. Any width and alignment works, byte by byte. */
function acpiPmFront(_config: AcpiPmConfig, state: FieldsView<AcpiPmFields>, services: DeviceServices): DeviceFront {
	const line = services.line('sci');
	const now = cell();
	/** The PM timer's 32 bits at the moment of a read. */
	const timer = new Uint32Array(1);
	const events = new GeneralPurposeEvents(state, services);
	const sync = () => line.setLevel((state.status & state.enable) !== 0 || events.pending);

	const enterSleepState = (control: number) => {
		const type = (control >> Pm1Control.SLP_TYP_SHIFT) & Pm1Control.SLP_TYP_MASK;
		const {s4, s5} = pmLayout.sleepTypes;
		if (type !== s4 && type !== s5) return;
		state.requests++;
		services.request({kind: type === s5 ? 'power-off' : 'hibernate'});
	};

	/** The 16-bit register at an even offset; what is not there reads zero (4.8.1, reserved bits). */
	const readWord = (offset: number): number => {
		switch (offset) {
			case pmLayout.status:
				return state.status;
			case pmLayout.enable:
				return state.enable;
			case pmLayout.control:
				return state.control;
			case pmLayout.gpeStatus:
				return state.gpeStatus;
			case pmLayout.gpeEnable:
				return state.gpeEnable;
			default:
				return 0;
		}
	};

	const readByte = (offset: number): number => {
		const inTimer = offset - pmLayout.timer;
		if (inTimer >= 0 && inTimer < pmLayout.timerLength) return ((timer[0] as number) >>> (8 * inTimer)) & 0xff;
		return (readWord(offset & ~1) >> (8 * (offset & 1))) & 0xff;
	};

	/** Writes the bytes of a 16-bit register that `mask` covers. */
	const writeWord = (offset: number, value: number, mask: number) => {
		switch (offset) {
			case pmLayout.status:
				state.status &= ~value;
				break;
			case pmLayout.enable:
				state.enable = merge(state.enable, value, mask & pm1EnableWritable);
				break;
			case pmLayout.control:
				state.control = merge(state.control, value, mask & Pm1Control.WRITABLE);
				if ((value & Pm1Control.SLP_EN) !== 0) enterSleepState(state.control);
				break;
			case pmLayout.gpeStatus:
				events.clear(value);
				break;
			case pmLayout.gpeEnable:
				state.gpeEnable = merge(state.gpeEnable, value, mask);
				break;
		}
	};

	const writeByte = (offset: number, value: number) => {
		if (offset === pmLayout.reset) {
			if (value !== pmLayout.resetValue) return;
			state.requests++;
			services.request({kind: 'reset'});
			return;
		}
		const shift = (offset & 1) * 8;
		writeWord(offset & ~1, value << shift, 0xff << shift);
	};

	return {
		read(_region, offset, size) {
			// One sample for the whole access, or a carry between its bytes would show.
			services.time.look(now);
			timer[0] = Math.floor((now[0] * timerHz) / 1e9);
			let value = 0;
			// Signed, since V8 makes an object of an unsigned one from 2^31 on.
			for (let i = 0; i < size; i++) value |= readByte(offset + i) << (8 * i);
			return value;
		},
		write(_region: number, offset: number, size: AccessSize, value: number) {
			for (let i = 0; i < size; i++) writeByte(offset + i, (value >>> (8 * i)) & 0xff);
			sync();
		},
		inputChanged(name) {
			events.inputChanged(name);
			sync();
		},
		control({kind}: DeviceCommand) {
			if (kind !== powerButton.kind) return;
			state.status |= Pm1Status.PWRBTN;
			sync();
		},
		reset: sync,
	};
}

const merge = (old: number, value: number, mask: number): number => (old & ~mask) | (value & mask);
