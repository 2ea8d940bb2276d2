export {type I8042Config, i8042Kind} from './handle.ts';
export {i8042} from './model.ts';
