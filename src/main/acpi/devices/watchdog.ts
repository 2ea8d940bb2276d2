import {
	type GuestWatchdogConfig,
	WatchdogConfig,
	WatchdogPort,
	WatchdogRegister,
	watchdogRunning,
} from '#devices/chipset/guest-watchdog';
import {concatBytes, packedRecord} from '#main/acpi/packed-record';
import {descriptionTable} from '../description-table.ts';
import type {AcpiDevice} from './acpi-device.ts';

/** The table's body (Microsoft, Hardware Watchdog Timers Design Specification, which Linux's `acpi_table_wdat` follows). */
const header = packedRecord([
	['headerLength', 0, 4],
	['pciSegment', 4, 2],
	['pciBus', 6, 1],
	['pciDevice', 7, 1],
	['pciFunction', 8, 1],
	['reserved1', 9, 3],
	['timerPeriod', 12, 4],
	['maximumCount', 16, 4],
	['minimumCount', 20, 4],
	['flags', 24, 1],
	['reserved2', 25, 3],
	['entryCount', 28, 4],
]);

/** A watchdog instruction entry, with its generic address (ACPI 6.5, table 5.1). */
const entry = packedRecord([
	['action', 0, 1],
	['instruction', 1, 1],
	['reserved', 2, 2],
	['addressSpace', 4, 1],
	['bitWidth', 5, 1],
	['bitOffset', 6, 1],
	['accessSize', 7, 1],
	['address', 8, 8],
	['value', 16, 4],
	['mask', 20, 4],
]);

/** Watchdog actions. */
const Action = {
	RESET: 0x01,
	QUERY_COUNTDOWN: 0x05,
	SET_COUNTDOWN: 0x06,
	QUERY_RUNNING: 0x08,
	SET_RUNNING: 0x09,
	QUERY_STOPPED: 0x0a,
	SET_STOPPED: 0x0b,
	QUERY_BOOT_STATUS: 0x20,
	SET_BOOT_STATUS: 0x21,
} as const;

/** Watchdog instructions; the last is a flag. */
const Instruction = {READ_VALUE: 0, READ_COUNTDOWN: 1, WRITE_VALUE: 2, WRITE_COUNTDOWN: 3, PRESERVE: 0x80} as const;

const notOnPci = {pciSegment: 0xff, pciBus: 0xff, pciDevice: 0xff, pciFunction: 0xff};
const enabled = 1;
const periodMs = 1000;
const maximumCount = 0xffff;
const allBits = 0xffff_ffff;
const systemIo = 1;
const dword = {bitWidth: 32, accessSize: 3};

/** One action: selects a register, and then does something with it. */
interface Step {
	readonly action: number;
	readonly register: number;
	readonly instruction: number;
	readonly value?: number;
	readonly mask?: number;
}

const {CONFIG, COUNT} = WatchdogRegister;
const {READ_VALUE, READ_COUNTDOWN, WRITE_VALUE, WRITE_COUNTDOWN, PRESERVE} = Instruction;
const steps: readonly Step[] = [
	{action: Action.RESET, register: CONFIG, instruction: WRITE_VALUE, value: watchdogRunning},
	{action: Action.QUERY_COUNTDOWN, register: COUNT, instruction: READ_COUNTDOWN},
	{action: Action.SET_COUNTDOWN, register: COUNT, instruction: WRITE_COUNTDOWN},
	{
		action: Action.QUERY_RUNNING,
		register: CONFIG,
		instruction: READ_VALUE,
		value: watchdogRunning,
		mask: watchdogRunning,
	},
	{action: Action.SET_RUNNING, register: CONFIG, instruction: WRITE_VALUE, value: watchdogRunning},
	{action: Action.QUERY_STOPPED, register: CONFIG, instruction: READ_VALUE, value: 0, mask: WatchdogConfig.ENABLED},
	{action: Action.SET_STOPPED, register: CONFIG, instruction: WRITE_VALUE, value: WatchdogConfig.CONFIGURED},
	{
		action: Action.QUERY_BOOT_STATUS,
		register: CONFIG,
		instruction: READ_VALUE,
		value: WatchdogConfig.BOOT_STATUS,
		mask: WatchdogConfig.BOOT_STATUS,
	},
	{
		action: Action.SET_BOOT_STATUS,
		register: CONFIG,
		instruction: WRITE_VALUE | PRESERVE,
		value: WatchdogConfig.BOOT_STATUS,
		mask: WatchdogConfig.BOOT_STATUS,
	},
];

/** The watchdog action table, by which Linux (wdat_wdt) and Windows drive the watchdog. */
export function watchdogTable({port}: GuestWatchdogConfig): AcpiDevice {
	const at = (offset: number) => ({addressSpace: systemIo, ...dword, address: port + offset});
	const entries = steps.flatMap(({action, register, instruction, value = 0, mask = allBits}) => [
		entry.encode({action, instruction: WRITE_VALUE, ...at(WatchdogPort.ADDRESS), value: register, mask: allBits}),
		entry.encode({action, instruction, ...at(WatchdogPort.DATA), value, mask}),
	]);
	const lead = header.encode({
		headerLength: header.length,
		...notOnPci,
		timerPeriod: periodMs,
		maximumCount,
		minimumCount: 1,
		flags: enabled,
		entryCount: entries.length,
	});
	return {table: {name: 'WDAT', data: descriptionTable('WDAT', 1, concatBytes(lead, ...entries))}};
}
