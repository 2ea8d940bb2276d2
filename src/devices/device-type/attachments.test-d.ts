/** Declarations of attachments that authors of devices can and cannot write; `tsc -b` looks at them, and nothing runs them. */

import type {
	BackServices,
	DeviceModel,
	DeviceServices,
	OwnedModel,
	PciDeviceServices,
	PciHostDeviceServices,
} from '#devices/device';
import {type Fields, u8, wire} from '#support/wire';
import {deviceType} from './index.ts';

declare const everybody: DeviceServices;
declare const pci: PciDeviceServices;
declare const pciHost: PciHostDeviceServices;
declare const back: BackServices;
declare const pciBack: BackServices<'pci'>;

const parts = {
	kind: 'attached',
	summary: 'Attached',
	options: {port: {type: 'number', min: 0, max: 9, help: 'where'}},
	state: wire('attached', {status: u8}),
} as const;
const region = {space: 'pio', name: 'port', length: 1} as const;
const still = {write() {}, reset() {}, save: () => new Uint8Array(), restore() {}};
const owned = {version: 1, mostBytes: 1} as const;
const unshared = {kind: 'owned', summary: 'Owned', options: parts.options} as const;
const idle = {stop: async () => {}, notified() {}, dispose() {}};

export function compiles(): void {
	pci.pci.signal(0);
	pciBack.locked(() => pciBack.pci.enabled);
	pciHost.configSpace.read(0, 0, 0, 0, 4);
	deviceType({
		...parts,
		attach: {pci: {vendor: 1, device: 2, class: 3}, regions: ({port}) => [{...region, base: port}]},
		front: ({port}, state, services) => ({
			read: () => port + state.status,
			write: () => void services.pci.signal(0),
			capabilityRead: () => undefined,
		}),
		back: (_config, _state, services) => ({...idle, start: () => services.locked(() => services.pci.signal(0))}),
	});
	deviceType({
		...parts,
		attach: {pciHost: ({port}) => [{...region, base: port}]},
		front: (_config, _state, {configSpace}) => ({read: () => configSpace.read(0, 0, 0, 0, 4), write() {}}),
	});
	deviceType({
		...unshared,
		attach: {regions: ({port}) => [{...region, base: port}]},
		owned: {
			...owned,
			make: ({port}, {reactor, line}) => ({
				...still,
				read: () => port,
				start: () => reactor.defer(() => line('it').setLevel(true)),
			}),
		},
	});
	deviceType({
		...unshared,
		attach: {pci: {vendor: 1, device: 2, class: 3}},
		owned: {...owned, make: (_config, {pci: messages}) => ({...still, read: () => Number(messages.enabled)})},
	});
}

export function mustNotCompile(): void {
	// @ts-expect-error no messages for a device with regions
	void everybody.pci;
	// @ts-expect-error nor for its back
	void back.pci;
	// @ts-expect-error where a function sits is a port's business
	void pci.slot;
	// @ts-expect-error configuration space is for a way to it
	void pci.configSpace;
	deviceType({
		...parts,
		attach: {regions: () => []},
		front: (_config, _state, services) => ({
			// @ts-expect-error nor for a type's front
			read: () => Number(services.pci.enabled),
			write() {},
		}),
	});
	deviceType({
		...unshared,
		attach: {regions: () => []},
		// @ts-expect-error an owned device answers reads
		owned: {...owned, make: () => still},
	});
	deviceType({
		...unshared,
		attach: {regions: () => []},
		// @ts-expect-error there are no messages without a function
		owned: {...owned, make: (_config, {pci: messages}) => ({...still, read: () => Number(messages.enabled)})},
	});
	// @ts-expect-error configuration space is for every thread to answer
	void (undefined as unknown as OwnedModel<object, 'pciHost'>);
	// @ts-expect-error a function says what it is
	void ({regions: () => []} satisfies DeviceModel<object, Fields, 'pci'>['attach']);
	// @ts-expect-error a device with regions is no function
	void ({pci: {vendor: 1, device: 2, class: 3}} satisfies DeviceModel<object, Fields>['attach']);
}
