export {type PvpanicConfig, pvpanicKind} from './handle.ts';
export {pvpanic} from './model.ts';
