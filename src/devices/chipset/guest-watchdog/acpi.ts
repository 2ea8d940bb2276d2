import type {AcpiDescription} from '#devices/acpi';
import {concatBytes, reserved, u8, u16, u32, u64, wire} from '#support/wire';
import type {GuestWatchdogConfig} from './device.ts';
import {Config, Port, Register, running} from './registers.ts';

/** The table's body, as Linux's `acpi_table_wdat` has it too. */
const header = wire('WDAT header', {
	headerLength: u32.at(0),
	pciSegment: u16.at(4),
	pciBus: u8.at(6),
	pciDevice: u8.at(7),
	pciFunction: u8.at(8),
	reserved1: reserved(3).at(9),
	timerPeriod: u32.at(12),
	maximumCount: u32.at(16),
	minimumCount: u32.at(20),
	flags: u8.at(24),
	reserved2: reserved(3).at(25),
	entryCount: u32.at(28),
}).sized(32, 'Microsoft, Hardware Watchdog Timers Design Specification');

/** A watchdog instruction entry, with its generic address. */
const entry = wire('WDAT entry', {
	action: u8.at(0),
	instruction: u8.at(1),
	reserved: reserved(2).at(2),
	addressSpace: u8.at(4),
	bitWidth: u8.at(5),
	bitOffset: u8.at(6),
	accessSize: u8.at(7),
	address: u64.at(8),
	value: u32.at(16),
	mask: u32.at(20),
}).sized(24, 'ACPI 6.5, table 5.1');

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

const {CONFIG, COUNT} = Register;
const {READ_VALUE, READ_COUNTDOWN, WRITE_VALUE, WRITE_COUNTDOWN, PRESERVE} = Instruction;
const steps: readonly Step[] = [
	{action: Action.RESET, register: CONFIG, instruction: WRITE_VALUE, value: running},
	{action: Action.QUERY_COUNTDOWN, register: COUNT, instruction: READ_COUNTDOWN},
	{action: Action.SET_COUNTDOWN, register: COUNT, instruction: WRITE_COUNTDOWN},
	{
		action: Action.QUERY_RUNNING,
		register: CONFIG,
		instruction: READ_VALUE,
		value: running,
		mask: running,
	},
	{action: Action.SET_RUNNING, register: CONFIG, instruction: WRITE_VALUE, value: running},
	{action: Action.QUERY_STOPPED, register: CONFIG, instruction: READ_VALUE, value: 0, mask: Config.ENABLED},
	{action: Action.SET_STOPPED, register: CONFIG, instruction: WRITE_VALUE, value: Config.CONFIGURED},
	{
		action: Action.QUERY_BOOT_STATUS,
		register: CONFIG,
		instruction: READ_VALUE,
		value: Config.BOOT_STATUS,
		mask: Config.BOOT_STATUS,
	},
	{
		action: Action.SET_BOOT_STATUS,
		register: CONFIG,
		instruction: WRITE_VALUE | PRESERVE,
		value: Config.BOOT_STATUS,
		mask: Config.BOOT_STATUS,
	},
];

/** The watchdog action table, by which Linux (wdat_wdt) and Windows drive the watchdog. */
export function watchdogAcpi({port}: GuestWatchdogConfig): AcpiDescription {
	const at = (offset: number) => ({addressSpace: systemIo, ...dword, address: port + offset});
	const entries = steps.flatMap(({action, register, instruction, value = 0, mask = allBits}) => [
		entry.encode({action, instruction: WRITE_VALUE, ...at(Port.ADDRESS), value: register, mask: allBits}),
		entry.encode({action, instruction, ...at(Port.DATA), value, mask}),
	]);
	const lead = header.encode({
		headerLength: header.size,
		...notOnPci,
		timerPeriod: periodMs,
		maximumCount,
		minimumCount: 1,
		flags: enabled,
		entryCount: entries.length,
	});
	return {table: {signature: 'WDAT', revision: 1, body: concatBytes(lead, ...entries)}};
}
