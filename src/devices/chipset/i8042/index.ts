export {type I8042Config, i8042, i8042Kind, type MoveMouse, type PressKey} from './device.ts';
export {i8042Type} from './device-type.ts';
export {I8042Input} from './input.ts';
export type {MouseMove} from './mouse.ts';
export {commandPort, dataPort} from './registers.ts';
export type {I8042Fields} from './state.ts';
