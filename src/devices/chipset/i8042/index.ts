export {type I8042Config, i8042Kind} from './handle.ts';
export {I8042Input} from './input.ts';
export {i8042} from './model.ts';
export type {MouseMove} from './mouse.ts';
export type {I8042Fields} from './state.ts';
