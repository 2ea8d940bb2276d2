export {type DatagramSource, datagramKind, type StreamSource, streamKind} from './kinds.ts';
