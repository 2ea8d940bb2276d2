import {bits, flag, type InputFields, reserved, u8, u16, u32, u64, wire} from '#support/wire';

/** Generic address structure. */
const genericAddress = wire('generic address', {
	space: u8.at(0),
	bitWidth: u8.at(1),
	bitOffset: u8.at(2),
	accessSize: u8.at(3),
	address: u64.at(4),
}).sized(12, 'ACPI 6.5, table 5.1');
const systemIo = 1;
const accessSizes = {byte: 1, word: 2, dword: 3} as const;

/** The generic address of `length` ports that are accessed by parts of a size. */
export const ioPort = (address: number, length: number, access: keyof typeof accessSizes) =>
	({space: systemIo, bitWidth: 8 * length, accessSize: accessSizes[access], address}) as const;

/** Fixed feature flags (ACPI 6.5, table 5.10). */
const features = bits(u32, {
	wbinvd: flag(0),
	procC1: flag(2),
	/** There is no sleep button in the fixed hardware. Without its like for the power button (bit 4) there is that one. */
	slpButton: flag(5),
	rtcS4: flag(7),
	/** The timer counts 32 bits. */
	tmrValExt: flag(8),
	resetRegSup: flag(10),
	usePlatformClock: flag(15),
});

/** IA-PC boot architecture flags (ACPI 6.5, table 5.11). */
const bootArch = bits(u16, {legacyDevices: flag(0), i8042: flag(1), vgaNotPresent: flag(2)});

/** FADT, revision 6. */
export const fadt = wire('FADT', {
	/** Every table's, which is not of the FADT alone. */
	header: reserved(36).at(0),
	firmwareCtrl: u32.at(36),
	dsdt: u32.at(40),
	reserved1: reserved(1).at(44),
	preferredPmProfile: u8.at(45),
	sciInt: u16.at(46),
	smiCmd: u32.at(48),
	acpiEnable: u8.at(52),
	acpiDisable: u8.at(53),
	s4BiosReq: u8.at(54),
	pstateCnt: u8.at(55),
	pm1aEvtBlk: u32.at(56),
	pm1bEvtBlk: u32.at(60),
	pm1aCntBlk: u32.at(64),
	pm1bCntBlk: u32.at(68),
	pm2CntBlk: u32.at(72),
	pmTmrBlk: u32.at(76),
	gpe0Blk: u32.at(80),
	gpe1Blk: u32.at(84),
	pm1EvtLen: u8.at(88),
	pm1CntLen: u8.at(89),
	pm2CntLen: u8.at(90),
	pmTmrLen: u8.at(91),
	gpe0BlkLen: u8.at(92),
	gpe1BlkLen: u8.at(93),
	gpe1Base: u8.at(94),
	cstCnt: u8.at(95),
	pLvl2Lat: u16.at(96),
	pLvl3Lat: u16.at(98),
	flushSize: u16.at(100),
	flushStride: u16.at(102),
	dutyOffset: u8.at(104),
	dutyWidth: u8.at(105),
	dayAlrm: u8.at(106),
	monAlrm: u8.at(107),
	century: u8.at(108),
	iaPcBootArch: bootArch.at(109),
	reserved2: reserved(1).at(111),
	flags: features.at(112),
	resetReg: genericAddress.at(116),
	resetValue: u8.at(128),
	armBootArch: u16.at(129),
	minorVersion: u8.at(131),
	xFirmwareCtrl: u64.at(132),
	xDsdt: u64.at(140),
	xPm1aEvtBlk: genericAddress.at(148),
	xPm1bEvtBlk: genericAddress.at(160),
	xPm1aCntBlk: genericAddress.at(172),
	xPm1bCntBlk: genericAddress.at(184),
	xPm2CntBlk: genericAddress.at(196),
	xPmTmrBlk: genericAddress.at(208),
	xGpe0Blk: genericAddress.at(220),
	xGpe1Blk: genericAddress.at(232),
	sleepControlReg: genericAddress.at(244),
	sleepStatusReg: genericAddress.at(256),
	hypervisorVendor: u64.at(268),
}).sized(276, 'ACPI 6.5, table 5.9');

/** Fields of the FADT, by which a device or the machine is told of. */
export type FadtFields = InputFields<typeof fadt.fields>;
