export {type CmosRtcConfig, cmosRtc, cmosRtcKind} from './device.ts';
export {cmosRtcType} from './device-type.ts';
export {Cmos} from './registers.ts';
