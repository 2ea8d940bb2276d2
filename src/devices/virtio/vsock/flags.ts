import type {DeviceFlags} from '#devices/device-type';
import {flaggedPlace} from '#devices/virtio/device';
import {invalidValue, optionError, parseNumber} from '#support/options';
import {leastCid, mostCid, virtioVsockId, virtioVsockKind} from './handle.ts';

const [flag, cidFlag, busFlag, portFlag] = [
	'virtio-vsock-path',
	'virtio-vsock-cid',
	'virtio-vsock-bus',
	'virtio-vsock-pcie-port',
];
const buses = ['auto', 'pci', 'mmio'];

/** The flags that OpenVMM has for sockets, and one for the guest's address. */
export const virtioVsockFlags: DeviceFlags = {
	rows: [
		{
			name: flag,
			value: 'PATH',
			help: "sockets between guest and host: who connects to the Unix socket PATH and writes CONNECT PORT reaches the guest's port, and what the guest connects to on the host is the Unix socket PATH_PORT",
		},
		{
			name: cidFlag,
			value: 'CID',
			needs: flag,
			default: `${leastCid}`,
			help: "the guest's address, of each guest another one for whoever tells them apart by it",
		},
		{
			name: busFlag,
			value: 'BUS',
			choices: buses,
			needs: flag,
			default: 'auto',
			help: 'where that device is: auto is PCI Express with --virtio-vsock-pcie-port, and MMIO without; pci needs the port',
		},
		{
			name: portFlag,
			value: 'PORT',
			needs: flag,
			help: 'the PCI Express port that it sits in, whatever --virtio-vsock-bus says',
		},
	],
	devices(given) {
		const [path, cid = `${leastCid}`, bus = 'auto', port] = [flag, cidFlag, busFlag, portFlag].map((each) =>
			given(each).at(-1),
		);
		if (path === undefined) return [];
		if (!buses.includes(bus)) throw invalidValue(`--${busFlag}`, bus, buses.join(', '));
		const options = {path, cid: parseNumber(cid, `--${cidFlag}`, leastCid, mostCid)};
		if (port !== undefined) return [{port, options}];
		if (bus === 'pci')
			throw optionError('CONFIG_REQUIRES', {option: `--${busFlag}`, first: bus, needed: `--${portFlag} PORT`});
		return [{kind: `${virtioVsockKind}-mmio`, options: {...options, ...flaggedPlace(virtioVsockId, 0)}}];
	},
};
