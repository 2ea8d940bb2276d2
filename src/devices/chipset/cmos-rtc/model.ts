import type {DeviceModel} from '#devices/device';
import {cmosRtcBack} from './back.ts';
import {cmosRtcFront} from './front.ts';
import {type CmosRtcConfig, cmosRtcIrq, cmosRtcKind} from './handle.ts';
import {type CmosRtcFields, CmosRtcState} from './state.ts';

/** Address and data port (IBM PC/AT Technical Reference). */
const base = 0x70;

/** Time of day with its periodic, alarm and update-ended interrupts, and CMOS RAM. */
export const cmosRtc: DeviceModel<CmosRtcConfig, CmosRtcFields> = {
	kind: cmosRtcKind,
	state: CmosRtcState,
	regions: () => [{space: 'pio', name: 'io', base, length: 2}],
	lines: ({irq}) => ({interrupt: irq ?? cmosRtcIrq}),
	front: cmosRtcFront,
	back: cmosRtcBack,
};
