export {HostAddresses, isLoopback, Reach, type Resolve} from './addresses.ts';
export type {DownloadFaults} from './faults.ts';
export {ask, type HttpAnswer} from './http.ts';
export {type Patience, retried, type Span, usualPatience} from './patience.ts';
export {StallWatch, watched} from './stall-watch.ts';
