import {acpiPm} from '#devices/chipset/acpi-pm';
import {debugExit} from '#devices/chipset/debug-exit';
import {serial16550} from '#devices/chipset/serial-16550';
import type {AnyDeviceModel} from '#devices/device';

/** Every kind of device this program knows. */
export const deviceModels: readonly AnyDeviceModel[] = [serial16550, acpiPm, debugExit];

const byKind: ReadonlyMap<string, AnyDeviceModel> = new Map(deviceModels.map((model) => [model.kind, model]));

/** The model of a kind, or undefined when there is none. */
export function findDeviceModel(kind: string): AnyDeviceModel | undefined {
	return byKind.get(kind);
}
