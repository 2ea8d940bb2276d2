export {type NoneSource, noneKind} from './none-kind.ts';
