export {type Buffer, ringEvent, ringIndirect, TestDriver} from './driver.ts';
export {EchoControl, echoModel} from './echo-device.ts';
export {mmioRegisters, PciRegisters, type TransportName, VirtioMachine} from './virtio-machine.ts';
