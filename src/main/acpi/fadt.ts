import {pmLayout} from '#devices/chipset/acpi-pm';
import {Cmos} from '#devices/chipset/cmos-rtc';
import {descriptionTable} from './description-table.ts';
import {packedRecord} from './packed-record/index.ts';

/** What the FADT tells about this machine. */
export interface FadtOptions {
	/** First port of the power-management device. */
	readonly pmBase: number;
	/** Input of the interrupt controller that the device raises. */
	readonly sciIrq: number;
	/** Address of the FACS, below 4 GiB. */
	readonly facs: number;
	/** Address of the DSDT, below 4 GiB. */
	readonly dsdt: number;
	/** There are ISA devices such as 16550 UARTs. */
	readonly hasLegacyDevices: boolean;
	/** There is a keyboard controller. */
	readonly hasI8042: boolean;
}

/** FADT without its header, revision 6 (ACPI 6.5, table 5.9); offsets count from the start of the table. */
const fadt = packedRecord(
	(
		[
			['firmwareCtrl', 36, 4],
			['dsdt', 40, 4],
			['reserved1', 44, 1],
			['preferredPmProfile', 45, 1],
			['sciInt', 46, 2],
			['smiCmd', 48, 4],
			['acpiEnable', 52, 1],
			['acpiDisable', 53, 1],
			['s4BiosReq', 54, 1],
			['pstateCnt', 55, 1],
			['pm1aEvtBlk', 56, 4],
			['pm1bEvtBlk', 60, 4],
			['pm1aCntBlk', 64, 4],
			['pm1bCntBlk', 68, 4],
			['pm2CntBlk', 72, 4],
			['pmTmrBlk', 76, 4],
			['gpe0Blk', 80, 4],
			['gpe1Blk', 84, 4],
			['pm1EvtLen', 88, 1],
			['pm1CntLen', 89, 1],
			['pm2CntLen', 90, 1],
			['pmTmrLen', 91, 1],
			['gpe0BlkLen', 92, 1],
			['gpe1BlkLen', 93, 1],
			['gpe1Base', 94, 1],
			['cstCnt', 95, 1],
			['pLvl2Lat', 96, 2],
			['pLvl3Lat', 98, 2],
			['flushSize', 100, 2],
			['flushStride', 102, 2],
			['dutyOffset', 104, 1],
			['dutyWidth', 105, 1],
			['dayAlrm', 106, 1],
			['monAlrm', 107, 1],
			['century', 108, 1],
			['iaPcBootArch', 109, 2],
			['reserved2', 111, 1],
			['flags', 112, 4],
			['resetReg', 116, 12],
			['resetValue', 128, 1],
			['armBootArch', 129, 2],
			['minorVersion', 131, 1],
			['xFirmwareCtrl', 132, 8],
			['xDsdt', 140, 8],
			['xPm1aEvtBlk', 148, 12],
			['xPm1bEvtBlk', 160, 12],
			['xPm1aCntBlk', 172, 12],
			['xPm1bCntBlk', 184, 12],
			['xPm2CntBlk', 196, 12],
			['xPmTmrBlk', 208, 12],
			['xGpe0Blk', 220, 12],
			['xGpe1Blk', 232, 12],
			['sleepControlReg', 244, 12],
			['sleepStatusReg', 256, 12],
			['hypervisorVendor', 268, 8],
		] as const
	).map(([name, offset, size]) => [name, offset - 36, size] as const),
);

/** Fixed feature flags (ACPI 6.5, table 5.10). */
const flags = {
	wbinvd: 1 << 0,
	procC1: 1 << 2,
	/** There is no sleep button in the fixed hardware. Without its like for the power button (bit 4) there is that one. */
	slpButton: 1 << 5,
	rtcS4: 1 << 7,
	/** The timer counts 32 bits. */
	tmrValExt: 1 << 8,
	resetRegSup: 1 << 10,
	usePlatformClock: 1 << 15,
} as const;

/** IA-PC boot architecture flags (ACPI 6.5, table 5.11). */
const bootArch = {legacyDevices: 1 << 0, i8042: 1 << 1, vgaNotPresent: 1 << 2} as const;

/** Generic address structure (ACPI 6.5, table 5.1). */
const genericAddress = packedRecord([
	['space', 0, 1],
	['bitWidth', 1, 1],
	['bitOffset', 2, 1],
	['accessSize', 3, 1],
	['address', 4, 8],
]);
const systemIo = 1;
const accessSize = {byte: 1, word: 2, dword: 3} as const;

/** FADT: where the power-management device is and what the machine's fixed hardware can do. */
export function buildFadt(options: FadtOptions): Uint8Array {
	const {pmBase, facs, dsdt} = options;
	const legacyDevices = options.hasLegacyDevices ? bootArch.legacyDevices : 0;
	const i8042 = options.hasI8042 ? bootArch.i8042 : 0;
	const body = fadt.encode({
		// Of the FACS's two fields the wide one is for addresses above 4 GiB and must else be zero.
		firmwareCtrl: facs,
		// The 32-bit fields repeat the 64-bit ones for guests that read only the first form of this table.
		dsdt,
		xDsdt: dsdt,
		sciInt: options.sciIrq,
		pm1aEvtBlk: pmBase + pmLayout.status,
		xPm1aEvtBlk: ioPort(pmBase + pmLayout.status, pmLayout.eventLength, accessSize.word),
		pm1EvtLen: pmLayout.eventLength,
		pm1aCntBlk: pmBase + pmLayout.control,
		xPm1aCntBlk: ioPort(pmBase + pmLayout.control, pmLayout.controlLength, accessSize.word),
		pm1CntLen: pmLayout.controlLength,
		pmTmrBlk: pmBase + pmLayout.timer,
		xPmTmrBlk: ioPort(pmBase + pmLayout.timer, pmLayout.timerLength, accessSize.dword),
		pmTmrLen: pmLayout.timerLength,
		gpe0Blk: pmBase + pmLayout.gpeStatus,
		xGpe0Blk: ioPort(pmBase + pmLayout.gpeStatus, pmLayout.gpeLength, accessSize.word),
		gpe0BlkLen: pmLayout.gpeLength,
		// Latencies past 100 and 1000 µs say that C2 and C3 do not exist.
		pLvl2Lat: 101,
		pLvl3Lat: 1001,
		century: Cmos.CENTURY,
		iaPcBootArch: bootArch.vgaNotPresent | legacyDevices | i8042,
		flags: Object.values(flags).reduce((all, flag) => all | flag, 0),
		resetReg: ioPort(pmBase + pmLayout.reset, 1, accessSize.byte),
		resetValue: pmLayout.resetValue,
	});
	return descriptionTable('FACP', 6, body);
}

function ioPort(address: number, length: number, access: number): Uint8Array {
	return genericAddress.encode({space: systemIo, bitWidth: 8 * length, accessSize: access, address});
}
