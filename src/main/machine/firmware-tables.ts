import {type AcpiDescription, AcpiNames} from '#devices/acpi';
import type {DeviceInstance} from '#devices/device';
import type {AnyDeviceType, SmbiosStructure} from '#devices/device-type';
import {lineInputs} from '#devices/machine';
import {errorTable, VmmError} from '#support/errors';

const tableError = errorTable({
	DEVICE_TABLES_WRONG: (c: {device: string; cause: string}) => ({
		message: `The firmware tables cannot tell of the device ${c.device}: ${c.cause}`,
		remedy: 'Change its options, or "acpi" and "smbios" of its type',
	}),
});

/** Firmware-table entries of a machine's devices. */
export interface DeviceTables {
	readonly acpi: readonly AcpiDescription[];
	readonly smbios: readonly SmbiosStructure[];
}

/**
 * Asks the types of a machine's devices.
 * @param devices - all of the machine, since where lines lead follows from all
 * @param types - theirs, and maybe more, in the order in which the tables have devices
 * @throws VmmError DEVICE_TABLES_WRONG
 */
export function deviceTables(devices: readonly DeviceInstance[], types: readonly AnyDeviceType[]): DeviceTables {
	const names = new AcpiNames();
	const described = devices.flatMap((instance) => {
		const model = types.find(({kind}) => kind === instance.kind);
		return model === undefined ? [] : [{instance, model}];
	});
	const inputs = lineInputs(described);
	const told = types.flatMap((type) =>
		devices
			.filter(({kind}) => kind === type.kind)
			.map(({name, config}) => {
				try {
					return {acpi: type.acpi?.(config, names, inputs.get(name) ?? {}) ?? [], smbios: type.smbios?.(config) ?? []};
				} catch (error) {
					if (error instanceof VmmError) throw error;
					throw tableError('DEVICE_TABLES_WRONG', {device: name, cause: String(error)});
				}
			}),
	);
	return {acpi: told.flatMap(({acpi}) => acpi), smbios: told.flatMap(({smbios}) => smbios)};
}
