import test from 'ava';
import type {DeviceInstance} from '#devices/device';
import {findDeviceModel} from '#devices/registry';
import {describeSparePorts} from './index.ts';

const latchAt = (port: number): DeviceInstance => ({name: 'mine', kind: 'latch', config: {port}, route: 'shared'});
const dma: DeviceInstance = {name: 'dma', kind: 'dma-8237', config: {}, route: 'shared'};

/** Names of the ports that are left, by device. */
const left = (...devices: DeviceInstance[]) =>
	Object.fromEntries(
		describeSparePorts(devices, findDeviceModel).map(({name, config}) => [
			name,
			(config as {ports: {name: string}[]}).ports.map((port) => port.name),
		]),
	);

test('ports that a device takes are no longer claimed as missing', (t) => {
	t.true(left()['missing']?.includes('dma-page'));
	t.false(left(dma)['missing']?.includes('dma-page'));
	t.true(left(dma)['missing']?.includes('post-code'));
	t.false(left(latchAt(0x80))['missing']?.includes('post-code'), "also by a device of the user's own");
});

test('the power-off ports are there unless something else is', (t) => {
	t.deepEqual(left()['power-off-ports'], ['qemu', 'bochs', 'virtualbox']);
	t.deepEqual(left(latchAt(0x600))['power-off-ports'], ['qemu', 'bochs', 'virtualbox'], 'which ends before 0x604');
	t.deepEqual(left(latchAt(0x605))['power-off-ports'], ['bochs', 'virtualbox']);
	t.deepEqual(left(latchAt(0xb003))['power-off-ports'], ['qemu', 'virtualbox']);
});
