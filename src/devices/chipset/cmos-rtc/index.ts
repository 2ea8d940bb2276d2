export {cmosRtcType} from './device-type.ts';
export {type CmosRtcConfig, cmosRtcKind} from './handle.ts';
export {cmosRtc} from './model.ts';
export {Cmos} from './registers.ts';
