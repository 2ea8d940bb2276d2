export {type Claim, checkClaims, portCount} from './claims.ts';
export {type BusTarget, buildPortTable, IoBus, type PortFallback} from './io-bus.ts';
export {RangeMap} from './range-map.ts';
export {type UnclaimedAccess, UnclaimedCounters, UnclaimedState} from './unclaimed.ts';
