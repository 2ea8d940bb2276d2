export {Capture, CaptureCounters} from './capture.ts';
