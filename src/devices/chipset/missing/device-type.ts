import {deviceType} from '#devices/device-type';
import {type MissingPorts, missing, missingKind} from './device.ts';

/** {@link MissingPorts} with the reason why a guest comes by. */
export interface KnownPorts extends MissingPorts {
	readonly why: string;
}

/** Ports that guests touch on every PC. Claimed so that the count of unclaimed accesses stays worth reading. */
export const missingPorts: readonly KnownPorts[] = [
	{name: 'post-code', base: 0x80, length: 1, why: 'firmware progress codes; Linux writes it as a delay'},
	{name: 'dma-page', base: 0x87, length: 1, why: 'Linux reads it to find out whether there is an ISA DMA controller'},
	{name: 'system-control-a', base: 0x92, length: 1, why: 'the fast A20 gate; address line 20 is always on'},
	{name: 'io-delay', base: 0xed, length: 1, why: 'some Linux versions write it as a delay'},
	{name: 'math-coprocessor', base: 0xf0, length: 2, why: 'Linux clears a coprocessor error of the 80387 there'},
	{name: 'gameport', base: 0x201, length: 1, why: 'DOS programs poll it'},
	{name: 'vmware-backdoor', base: 0x5658, length: 2, why: 'Windows and Linux look for VMware there'},
	{name: 'com1', base: 0x3f8, length: 8, why: 'a serial port that the machine lacks: Linux probes all four'},
	{name: 'com2', base: 0x2f8, length: 8, why: 'a serial port that the machine lacks: Linux probes all four'},
	{name: 'com3', base: 0x3e8, length: 8, why: 'a serial port that the machine lacks: Linux probes all four'},
	{name: 'com4', base: 0x2e8, length: 8, why: 'a serial port that the machine lacks: Linux probes all four'},
];

/** The missing hardware as machines have it. */
export const missingType = deviceType({
	...missing,
	kind: missingKind,
	summary: 'Ports of hardware that is not there, which guests are known to look for',
	configure: () => ({ports: missingPorts.map(({name, base, length}) => ({name, base, length}))}),
});
