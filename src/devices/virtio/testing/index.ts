export {
	type Buffer,
	ringEvent,
	ringIndirect,
	ringInOrder,
	ringPacked,
	ringReset,
	seeded,
	TestDriver,
} from './driver.ts';
export {EchoControl, echoModel} from './echo-device.ts';
export {PackedDriver} from './packed-driver.ts';
export {mmioRegisters, PciRegisters, type TransportName, VirtioMachine} from './virtio-machine.ts';
