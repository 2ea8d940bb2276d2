export {type BusSpace, busSpaces, type Claim, checkClaims, isBusSpace, portCount} from './claims.ts';
export {HypercallBus, type HypercallTarget} from './hypercall-bus.ts';
export {type BusTarget, buildPortTable, IoBus, type PortFallback} from './io-bus.ts';
export {MsrBus, type MsrFallback, type MsrTarget} from './msr-bus.ts';
export {RangeMap} from './range-map.ts';
export {type UnclaimedAccess, UnclaimedCounters, UnclaimedState} from './unclaimed.ts';
