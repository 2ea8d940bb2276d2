import type {DeviceFlags} from '#devices/device-type';
import {flaggedPlace} from '#devices/virtio/device';
import {checkRange, parseKeyValues, parseNumber, parseSize} from '#support/options';
import {mostSeconds, mostTarget, virtioBalloonId, virtioBalloonKind} from './handle.ts';

const flag = 'virtio-balloon';
const option = `--${flag}`;

/** The flag for memory that a guest gives back; OpenVMM has none. */
export const virtioBalloonFlags: DeviceFlags = {
	rows: [
		{
			name: flag,
			value: 'BALLOON',
			help: 'a virtio balloon, by which the guest gives memory back: size=SIZE (what it is asked for at first, 0 for nothing yet), then pcie_port=PORT (without one it is on MMIO), stats=SECONDS (between looks at its statistics: 5, 0 for none), deflate_on_oom=off (it does not take memory back by itself), reporting=off (it does not report memory that it does not use), between commas',
		},
	],
	devices(given) {
		const text = given(flag).at(-1);
		if (text === undefined) return [];
		const values = parseKeyValues(text, option, {
			size: 'value',
			pcie_port: 'value',
			stats: 'value',
			deflate_on_oom: 'flag',
			reporting: 'flag',
		});
		const target = parseSize(values.value('size') ?? '0', `${option} size`);
		const problem = checkRange(target, `${option} size`, 0, mostTarget);
		if (problem) throw problem;
		const options = {
			target,
			statistics: parseNumber(values.value('stats') ?? '5', `${option} stats`, 0, mostSeconds),
			deflateOnOom: values.flag('deflate_on_oom') ?? true,
			reporting: values.flag('reporting') ?? true,
		};
		const port = values.value('pcie_port');
		if (port !== undefined) return [{port, options}];
		return [{kind: `${virtioBalloonKind}-mmio`, options: {...options, ...flaggedPlace(virtioBalloonId, 0)}}];
	},
};
