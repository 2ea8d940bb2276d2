export {type TapSource, tapKind} from './tap-kind.ts';
