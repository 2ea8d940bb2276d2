import type {DeviceFlags} from '#devices/device-type';
import {mostTimeout} from '#devices/storage/backend';
import {optionError, parseNumber} from '#support/options';
import {pmemOption} from './pmem-source.ts';

const flag = 'virtio-pmem';
const option = `--${flag}`;

/** The flag that OpenVMM has for persistent memory. It is memory of a BAR, so that it sits in a port. */
export const virtioPmemFlags: DeviceFlags = {
	rows: [
		{
			name: flag,
			value: 'MEMORY',
			repeat: true,
			help: 'persistent memory, which Linux has as /dev/pmem0 and maps without a copy (mount -o dax): pcie_port=PORT:PATH, a file or a block device whose length is a multiple of 2M, up to 4G (then ;private: it is only read, and what the guest writes is lost with the machine; or ;timeout=S: seconds after which a flush that the host does not answer has failed), or pcie_port=PORT:mem:LEN (RAM of the host); may be repeated',
		},
	],
	devices: (given) =>
		given(flag).map((text) => {
			const [, port, memory = '', timeout] = /^pcie_port=([^:]+):(.*?)(?:;timeout=([^;]*))?$/s.exec(text) ?? [];
			if (port === undefined)
				throw optionError('CONFIG_REQUIRES', {option, first: text, needed: 'pcie_port=PORT: before it'});
			const options = {
				memory: pmemOption.parse(memory, option),
				...(timeout !== undefined && {timeout: parseNumber(timeout, `${option} timeout`, 1, mostTimeout)}),
			};
			return {port, options};
		}),
};
