import type {DeviceModel} from '#devices/device';
import {cmosRtcBack} from './back.ts';
import {cmosRtcFront} from './front.ts';
import {type CmosRtcConfig, cmosRtcIrq, cmosRtcKind} from './handle.ts';
import {ports} from './registers.ts';
import {type CmosRtcFields, CmosRtcState} from './state.ts';

/** Time of day with its periodic, alarm and update-ended interrupts, and CMOS RAM. */
export const cmosRtc: DeviceModel<CmosRtcConfig, CmosRtcFields> = {
	kind: cmosRtcKind,
	state: CmosRtcState,
	attach: {regions: () => [{space: 'pio', name: 'io', ...ports}]},
	lines: ({irq}) => ({interrupt: irq ?? cmosRtcIrq}),
	front: cmosRtcFront,
	back: cmosRtcBack,
};
