import type {DeviceFlags} from '#devices/device-type';
import {flaggedPlace} from '#devices/virtio/device';
import {invalidValue, optionError} from '#support/options';
import {virtioRngId, virtioRngKind} from './virtio-rng.ts';

const [flag, busFlag, portFlag] = ['virtio-rng', 'virtio-rng-bus', 'virtio-rng-pcie-port'];
const buses = ['auto', 'pci', 'mmio'];

/** The flags that OpenVMM has for entropy. */
export const virtioRngFlags: DeviceFlags = {
	rows: [
		{name: flag, help: "a virtio device that gives the guest entropy of the host's"},
		{
			name: busFlag,
			value: 'BUS',
			choices: buses,
			needs: flag,
			default: 'auto',
			help: 'where that device is: auto is PCI Express with --virtio-rng-pcie-port, and MMIO without; pci needs the port',
		},
		{
			name: portFlag,
			value: 'PORT',
			needs: flag,
			help: 'the PCI Express port that it sits in, whatever --virtio-rng-bus says',
		},
	],
	devices(given) {
		if (given(flag).length === 0) return [];
		const [bus = 'auto', port] = [given(busFlag).at(-1), given(portFlag).at(-1)];
		if (!buses.includes(bus)) throw invalidValue(`--${busFlag}`, bus, buses.join(', '));
		if (port !== undefined) return [{port}];
		if (bus === 'pci')
			throw optionError('CONFIG_REQUIRES', {option: `--${busFlag}`, first: bus, needed: `--${portFlag} PORT`});
		return [{kind: `${virtioRngKind}-mmio`, options: {...flaggedPlace(virtioRngId, 0)}}];
	},
};
