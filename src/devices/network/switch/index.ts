export {SwitchCounters, SwitchEndpoint, type SwitchPlace} from './switch-endpoint.ts';
export {isSwitchName, type SwitchSource, switchCommon, switchKind} from './switch-kind.ts';
