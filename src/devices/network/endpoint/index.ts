export {allOffloads, type Endpoint, type EndpointReport, type Nic, noOffloads, type Offloads} from './endpoint.ts';
export type {EndpointHost, EndpointKind, EndpointSource} from './endpoint-kind.ts';
export {endpointOver} from './endpoint-over.ts';
export {Frame, leastFrameBytes, mostFrameBytes, Segmentation} from './frame.ts';
export {FrameDescriptor} from './frame-descriptor.ts';
