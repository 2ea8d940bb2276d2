export {Part, type Split, Splits, type Splitter} from './splits.ts';
