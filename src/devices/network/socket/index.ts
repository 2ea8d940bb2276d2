export {socketError} from './errors.ts';
export {FrameStream} from './frame-stream.ts';
export {type DatagramSource, datagramKind, isSocketPath, type StreamSource, streamKind} from './kinds.ts';
