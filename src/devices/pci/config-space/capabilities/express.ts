import type {ConfigLayout} from '../config-layout.ts';
import {CapabilityId} from '../registers.ts';

/** PCI Express capability, version 2 (PCI Express Base 6.0, 7.5.3). Offsets in it. */
export const Express = {
	CAPABILITIES: 0x02,
	DEVICE_CAPABILITIES: 0x04,
	DEVICE_CONTROL: 0x08,
	LINK_CAPABILITIES: 0x0c,
	LINK_CONTROL: 0x10,
	LINK_STATUS: 0x12,
	SLOT_CAPABILITIES: 0x14,
	SLOT_CONTROL: 0x18,
	SLOT_STATUS: 0x1a,
	ROOT_CONTROL: 0x1c,
	DEVICE_CAPABILITIES_2: 0x24,
	DEVICE_CONTROL_2: 0x28,
	LINK_CAPABILITIES_2: 0x2c,
	LINK_CONTROL_2: 0x30,
	length: 0x3c,
} as const;

/** Device/port type (7.5.3.2). */
export const PortType = {endpoint: 0, root: 4, upstream: 5, downstream: 6} as const;

export const DeviceControl = {FUNCTION_RESET: 1 << 15} as const;
export const LinkStatus = {ACTIVE: 1 << 13} as const;

/** Slot capabilities (7.5.3.9). */
export const SlotCapability = {ATTENTION_BUTTON: 1 << 0} as const;

/** Slot control (7.5.3.10). */
export const SlotControl = {
	ATTENTION_ENABLE: 1 << 0,
	PRESENCE_ENABLE: 1 << 3,
	INTERRUPT_ENABLE: 1 << 5,
	POWER_INDICATOR: 3 << 8,
	/** Value of {@link POWER_INDICATOR}. */
	POWER_BLINKS: 2 << 8,
	/** Set: the slot is off. */
	POWER_OFF: 1 << 10,
	LINK_ENABLE: 1 << 12,
} as const;

/** Slot status (7.5.3.11). */
export const SlotStatus = {ATTENTION: 1 << 0, PRESENCE_CHANGED: 1 << 3, PRESENT: 1 << 6, LINK_CHANGED: 1 << 8} as const;

/** Function that an Express capability describes. */
export interface ExpressOptions {
	readonly type: keyof typeof PortType;
	/** The function can be reset by itself. */
	readonly functionReset?: boolean;
	/** A slot that devices come to and go from: its number, and whether it has an attention button. */
	readonly slot?: {readonly number: number; readonly button: boolean};
	/** End-to-end prefixes, four of them, as process address space ids need. */
	readonly prefixes?: boolean;
}

const version = 2;
const slotImplemented = 1 << 8;
/** Role-based error reporting; every function since 1.1 has it. */
const roleBasedErrors = 1 << 15;
const functionResetCapable = 1 << 28;
/** 32 GT/s, 16 lanes, ASPM optionality; nothing here moves at any speed. */
const linkCapabilities = 0x0040_0105;
const linkActiveReporting = 1 << 20;
const linkSpeeds = 0x3e;
const linkSpeedAndWidth = 0x0105;
/** Relaxed ordering, no snoop, read requests of 512 bytes. */
const deviceControl = 0x2810;
const deviceControlWritable = 0x78ff;
const ariForwarding = 1 << 5;
const prefixes = (1 << 20) | (1 << 21);
const linkControlWritable = 0x00cb;
const linkControl2Writable = 0xffbf;
const rootControlWritable = 0x000f;

/**
 * Attention indicator, power indicator and controller, surprise removal, hot plug. No command completed: what is
 * written takes effect at once. Without an attention button nobody has to wait for one to be pressed twice: Linux waits 5 s.
 */
const slotCapabilities = (1 << 1) | (1 << 3) | (1 << 4) | (1 << 5) | (1 << 6) | (1 << 18);
const slotNumberShift = 19;
const indicatorsOff = 0x03c0;
const slotControlWritable = 0x17e8;

/** Adds the capability. */
export function addExpress(layout: ConfigLayout, options: ExpressOptions): number {
	const {type, functionReset = false, slot} = options;
	const hasSlot = slot !== undefined;
	const isDownstream = type === 'root' || type === 'downstream';
	const at = layout.capability(CapabilityId.EXPRESS, Express.length);
	layout.register(at + Express.CAPABILITIES, 2, {
		value: version | (PortType[type] << 4) | (hasSlot ? slotImplemented : 0),
	});
	layout.register(at + Express.DEVICE_CAPABILITIES, 4, {
		value: roleBasedErrors | (functionReset ? functionResetCapable : 0),
	});
	layout.register(at + Express.DEVICE_CONTROL, 2, {
		value: deviceControl,
		writable: deviceControlWritable | (functionReset ? DeviceControl.FUNCTION_RESET : 0),
	});
	layout.register(at + Express.LINK_CAPABILITIES, 4, {value: linkCapabilities | (hasSlot ? linkActiveReporting : 0)});
	layout.register(at + Express.LINK_CONTROL, 2, {writable: linkControlWritable});
	layout.register(at + Express.LINK_STATUS, 2, {value: linkSpeedAndWidth, live: isDownstream ? LinkStatus.ACTIVE : 0});
	if (hasSlot) addSlot(layout, at, slot);
	if (type === 'root') layout.register(at + Express.ROOT_CONTROL, 2, {writable: rootControlWritable});
	layout.register(at + Express.DEVICE_CAPABILITIES_2, 4, {
		value: (isDownstream ? ariForwarding : 0) | (options.prefixes === true ? prefixes : 0),
	});
	layout.register(at + Express.DEVICE_CONTROL_2, 2, {writable: isDownstream ? ariForwarding : 0});
	layout.register(at + Express.LINK_CAPABILITIES_2, 4, {value: linkSpeeds});
	layout.register(at + Express.LINK_CONTROL_2, 2, {value: linkSpeedAndWidth & 0xf, writable: linkControl2Writable});
	return at;
}

function addSlot(layout: ConfigLayout, at: number, {number, button}: NonNullable<ExpressOptions['slot']>): void {
	const [capability, enable, pressed] = button
		? [SlotCapability.ATTENTION_BUTTON, SlotControl.ATTENTION_ENABLE, SlotStatus.ATTENTION]
		: [0, 0, 0];
	layout.register(at + Express.SLOT_CAPABILITIES, 4, {
		value: (slotCapabilities | capability | (number << slotNumberShift)) >>> 0,
	});
	layout.register(at + Express.SLOT_CONTROL, 2, {value: indicatorsOff, writable: slotControlWritable | enable});
	layout.register(at + Express.SLOT_STATUS, 2, {
		clearable: SlotStatus.PRESENCE_CHANGED | SlotStatus.LINK_CHANGED | pressed,
		live: SlotStatus.PRESENT,
	});
}
