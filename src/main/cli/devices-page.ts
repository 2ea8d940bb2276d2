import type {AnyDeviceType} from '#devices/device-type';
import {isFunctionModel} from '#devices/pci/function';
import {deviceRegistry} from '#devices/registry';
import {explainOptions} from '#support/options';
import {markdownList} from './help.ts';

/** The guide's page on devices, in Markdown: what `openvmm help --devices` prints. */
export function devicesPage({types}: Pick<typeof deviceRegistry, 'types'> = deviceRegistry): string {
	const asked = types.filter(({machineOnly}) => machineOnly === undefined);
	const own = types.filter(({machineOnly}) => machineOnly !== undefined);
	return [
		'# Devices by kind',
		'',
		'<!-- Made by `npx openvmm help --devices > guide/reference/devices.md` from the device types in src/devices. -->',
		'',
		'A program asks for a device by its kind and options, in `devices` of its `VmConfig`; a flag asks for the same. What each part',
		'of a type is for: [Devices](../devices.md).',
		'',
		'| kind | | bus | flags | firmware tables |',
		'|---|---|---|---|---|',
		...asked.map(
			(type) =>
				`| \`${type.kind}\` | ${type.summary} | ${bus(type)} | ${(type.flags?.rows ?? []).map(({name}) => `\`--${name}\``).join(' ')} | ${tables(type)} |`,
		),
		'',
		'## Options',
		'',
		"An option that is the host's is not in a snapshot: it is given again when one is restored.",
		'',
		...asked.flatMap(({kind, options = {}}) => {
			const rows = explainOptions(options);
			return rows.length === 0 ? [] : [`### \`${kind}\``, '', ...markdownList(rows)];
		}),
		'## Parts that only the machine makes',
		'',
		...markdownList(own.map(({kind, summary}) => [kind, summary])),
	].join('\n');
}

const bus = (type: AnyDeviceType): string => (isFunctionModel(type) ? 'PCI Express' : '');

const tables = ({acpi, smbios}: AnyDeviceType): string =>
	[...(acpi ? ['ACPI'] : []), ...(smbios ? ['SMBIOS'] : [])].join(', ');
