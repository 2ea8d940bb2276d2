export {type Claim, checkClaims, portCount} from './claims.ts';
export {type BusTarget, buildPortTable, IoBus} from './io-bus.ts';
export {type UnclaimedAccess, UnclaimedCounters, UnclaimedState} from './unclaimed.ts';
