export {downstreamPortKind, occupancyChanged, type PciePortConfig, rootPortKind, upstreamPortKind} from './handle.ts';
export {isLinkUp} from './hot-plug.ts';
export {downstreamPort, rootPort, upstreamPort} from './port-models.ts';
