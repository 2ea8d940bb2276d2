import type {DeviceCommand} from '#devices/device';
import {balloonTarget, mostTarget} from '#devices/virtio/balloon';
import {mostPorts, plugPort, resizePort, unplugPort} from '#devices/virtio/console';
import {bytes, integer, word} from './kinds.ts';
import {operation} from './operation.ts';

const device = {kind: word, placeholder: 'DEVICE', help: "the device's name, such as virtio-console"} as const;
const port = {
	kind: integer(0, mostPorts - 1),
	placeholder: 'PORT',
	help: 'its number; one that the device has not changes nothing',
} as const;
const characters = (placeholder: string) =>
	({kind: integer(0, 0xffff), placeholder, help: 'as many characters'}) as const;

export const setBalloon = operation({
	name: 'set-balloon',
	help: 'ask the guest to give so much of its memory back, in all',
	params: {device, size: {kind: bytes(mostTarget), placeholder: 'SIZE', help: 'such as 256M; 0 for nothing'}},
	result: 'nothing; the guest follows as fast as it likes',
	async run(vm, {device: name, size}) {
		await vm.control(name, balloonTarget(size));
		return {};
	},
});

/** An operation on one port of a virtio console device. */
const onPort = (name: string, help: string, command: (port: number) => DeviceCommand) =>
	operation({
		name,
		help,
		params: {device, port},
		result: 'nothing',
		async run(vm, {device: of, port: number}) {
			await vm.control(of, command(number));
			return {};
		},
	});

export const plug = onPort('plug-port', 'give the guest a port of a virtio console device', plugPort);
export const unplug = onPort('unplug-port', 'take a port of a virtio console device from the guest', unplugPort);

export const resizeConsolePort = operation({
	name: 'resize-port',
	help: 'tell the guest how large the terminal at a virtio console is',
	params: {device, port, columns: characters('COLUMNS'), rows: characters('ROWS')},
	result: 'nothing',
	async run(vm, {device: of, port: number, columns, rows}) {
		await vm.control(of, resizePort(number, columns, rows));
		return {};
	},
});
