export {downstreamPortType, rootPortType, upstreamPortType} from './device-types.ts';
export {
	attentionPressed,
	downstreamPortKind,
	occupancyChanged,
	type PciePortConfig,
	rootPortKind,
	upstreamPortKind,
} from './handle.ts';
export {leadsOn} from './leads-on.ts';
export {downstreamPort, rootPort, upstreamPort} from './port-models.ts';
export {SlotPower} from './slot-power.ts';
