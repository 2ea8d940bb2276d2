export {type SwitchSource, switchKind} from './switch-kind.ts';
