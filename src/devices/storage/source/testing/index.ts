export {diskStack, type Stack} from './disk-stack.ts';
export {type RandomLoad, randomLoad} from './random-load.ts';
