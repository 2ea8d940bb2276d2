import {ioPort} from '#devices/acpi';
import {integer, name, packageOf} from '#devices/acpi/aml';
import {deviceType} from '#devices/device-type';
import {concatBytes} from '#support/wire';
import {type AcpiPmConfig, acpiPm, acpiPmKind, powerButton} from './device.ts';
import {pmLayout} from './registers.ts';

/** SLP_TYP of the working state, which no guest writes. */
const s0SleepType = 0;

/** Each state is absolute and of two elements, the form in which simple guests search for power-off. */
const sleepState = (path: string, type: number) => name(path, packageOf(integer(type), integer(type)));

/**
 * The fixed hardware, at its ports. S4 is left out, as OpenVMM does without firmware: Linux then ends a hibernation by
 * powering off. The 32-bit fields repeat the 64-bit ones for guests that read only the first form of the FADT.
 */
const acpi = ({base, sciIrq}: AcpiPmConfig) => ({
	root: concatBytes(sleepState('\\_S0', s0SleepType), sleepState('\\_S5', pmLayout.sleepTypes.s5)),
	levelInterrupts: [sciIrq],
	fadt: {
		sciInt: sciIrq,
		pm1aEvtBlk: base + pmLayout.status,
		xPm1aEvtBlk: ioPort(base + pmLayout.status, pmLayout.eventLength, 'word'),
		pm1EvtLen: pmLayout.eventLength,
		pm1aCntBlk: base + pmLayout.control,
		xPm1aCntBlk: ioPort(base + pmLayout.control, pmLayout.controlLength, 'word'),
		pm1CntLen: pmLayout.controlLength,
		pmTmrBlk: base + pmLayout.timer,
		xPmTmrBlk: ioPort(base + pmLayout.timer, pmLayout.timerLength, 'dword'),
		pmTmrLen: pmLayout.timerLength,
		gpe0Blk: base + pmLayout.gpeStatus,
		xGpe0Blk: ioPort(base + pmLayout.gpeStatus, pmLayout.gpeLength, 'word'),
		gpe0BlkLen: pmLayout.gpeLength,
		flags: {slpButton: true, tmrValExt: true, resetRegSup: true, usePlatformClock: true},
		resetReg: ioPort(base + pmLayout.reset, 1, 'byte'),
		resetValue: pmLayout.resetValue,
	},
});

/** Power management as machines have it. */
export const acpiPmType = deviceType({
	...acpiPm,
	kind: acpiPmKind,
	summary: 'ACPI power management: power-off, reset, power button, timer, events',
	configure: () => ({base: pmLayout.base, sciIrq: pmLayout.sciIrq}),
	acpi,
	commands: [powerButton],
});
