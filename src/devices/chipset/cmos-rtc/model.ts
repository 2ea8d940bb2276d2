import type {DeviceModel} from '#devices/device';
import {cmosRtcFront} from './front.ts';
import {type CmosRtcConfig, cmosRtcKind} from './handle.ts';
import {type CmosRtcFields, CmosRtcState} from './state.ts';

/** Address and data port (IBM PC/AT Technical Reference). */
const base = 0x70;

/** Time of day and CMOS RAM. Its interrupt (IRQ 8) is not wired: guests poll, or use the flags of register C. */
export const cmosRtc: DeviceModel<CmosRtcConfig, CmosRtcFields> = {
	kind: cmosRtcKind,
	state: CmosRtcState,
	regions: () => [{space: 'pio', name: 'io', base, length: 2}],
	front: cmosRtcFront,
};
