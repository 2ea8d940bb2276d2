export {
	type Serial16550Config,
	type SerialPortName,
	serial16550,
	serial16550Kind,
	standardSerialPorts,
} from './device.ts';
export {serial16550Type} from './device-type.ts';
export {type SerialPortHandle, serialPorts} from './serial-ports.ts';
