import type {DeviceFlags} from '#devices/device-type';
import {serialBinding} from '#devices/serial-backends';
import {flaggedPlace} from '#devices/virtio/device';
import {invalidValue} from '#support/options';
import {mostPorts, virtioConsoleId, virtioConsoleKind} from './handle.ts';
import {parsePort} from './port-list.ts';

const [flag, channelFlag, portFlag] = ['virtio-console', 'virtio-console-channel', 'virtio-console-pcie-port'];

/** The flags that OpenVMM has for a virtio console, and one for further ports of it. */
export const virtioConsoleFlags: DeviceFlags = {
	rows: [
		{
			name: flag,
			value: 'SERIAL',
			help: 'a virtio console (/dev/hvc0 in Linux), whose other end is as for --com1',
		},
		{
			name: channelFlag,
			value: 'CHANNEL',
			repeat: true,
			help: `a further port of that device, or of one without a console: [console:][off:][name=NAME:]SERIAL, a channel for programs (/dev/vport0p1, and its name in /sys/class/virtio-ports) or another console; off: it is not plugged in; up to ${mostPorts} in all; may be repeated`,
		},
		{
			name: portFlag,
			value: 'PORT',
			needs: [flag, channelFlag],
			help: 'the PCI Express port that the device sits in; without it, it is on MMIO',
		},
	],
	devices(given) {
		const own = given(flag)
			.slice(-1)
			.map((text) => ({console: true, backend: serialBinding.parse(text, `--${flag}`)}));
		const channels = given(channelFlag).map((text) => parsePort(text, `--${channelFlag}`));
		const ports = [...own, ...channels];
		if (ports.length === 0) return [];
		if (ports.length > mostPorts)
			throw invalidValue(`--${channelFlag}`, `${ports.length} ports`, `${mostPorts} at most`);
		const port = given(portFlag).at(-1);
		if (port !== undefined) return [{port, options: {ports}}];
		return [{kind: `${virtioConsoleKind}-mmio`, options: {ports, ...flaggedPlace(virtioConsoleId, 0)}}];
	},
};
