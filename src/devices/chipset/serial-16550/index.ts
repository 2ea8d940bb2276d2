export {serial16550Type} from './device-type.ts';
export {type Serial16550Config, type SerialPortName, serial16550Kind, standardSerialPorts} from './handle.ts';
export {serial16550} from './model.ts';
export {type SerialPortHandle, serialPorts} from './serial-ports.ts';
