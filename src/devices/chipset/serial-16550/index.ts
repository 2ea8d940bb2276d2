export {type Serial16550Config, serial16550Kind, standardSerialPorts} from './handle.ts';
export {serial16550} from './model.ts';
