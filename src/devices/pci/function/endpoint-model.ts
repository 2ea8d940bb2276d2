import type {
	AnyDeviceModel,
	AttachmentByBus,
	DeclaredModel,
	DeclaredOwnedModel,
	DeviceBack,
	DeviceModel,
	DoorbellDeclaration,
	MachineServices,
	ModelParts,
	PciBar,
	PciFunction,
} from '#devices/device';
import {configBytes, keptBytes, Msi, Msix} from '#devices/pci/config-space';
import {errorTable} from '#support/errors';
import {type Fields, reserved, wire} from '#support/wire';
import {endpointLayout} from './function-layout.ts';
import {type FunctionModel, type FunctionParts, functionModel} from './function-model.ts';
import {pendingBytes, tableBytes, tableHolds} from './msix-table.ts';

const functionError = errorTable({
	PCI_VECTORS_IMPOSSIBLE: (c: {device: string; vectors: number; most: number; what: string}) => ({
		message: `${c.device} declares ${c.vectors} interrupt vectors; ${c.what} has 1 to ${c.most}`,
	}),
	PCI_TABLE_OUTSIDE_BAR: (c: {device: string; bar: number; cause: string}) => ({
		message: `The MSI-X table of ${c.device} does not lie in its BAR ${c.bar}: ${c.cause}`,
		remedy: 'Give offsets in the BAR that are multiples of 8, with 16 bytes a vector, or an index without a BAR',
	}),
	PCI_DOORBELL_IN_TABLE: (c: {device: string; bar: number; queue: number}) => ({
		message: `${c.device} has the doorbell of its queue ${c.queue} in its BAR ${c.bar}, where MSI-X is`,
		remedy:
			'Put doorbells into a BAR of "bars"; if the table is to share it, "msix" says at which "table" and "pending"',
	}),
});

const pageBytes = 4096;
/** Power of two, at least a page: what else is in a page with the table would be the table's to serve. */
const ownBarBytes = (bytes: number) => Math.max(pageBytes, 2 ** Math.ceil(Math.log2(bytes)));

/**
 * The model that serves a device: its regions, those of a PCI Express function included, and a front and a back that get of the
 * machine's services what the attachment is for. The rest of what is given stays.
 * @throws VmmError PCI_VECTORS_IMPOSSIBLE, PCI_TABLE_OUTSIDE_BAR for declarations that no hardware can have
 */
export function completeModel(model: DeclaredModel | AnyDeviceModel): AnyDeviceModel {
	if (!('attach' in model)) return model;
	if ('owned' in model) return ownedModel(model);
	const {attach, ...device} = model;
	if ('pci' in attach) return endpoint(device as Endpoint, attach);
	if ('pciHost' in attach) return served(device, attach.pciHost, ({slot, ...offered}) => offered);
	return served(device, attach.regions, ({slot, configSpace, ...offered}) => offered);
}

/** All accesses to it go to the device worker, so that there is nothing in shared memory, and nothing that a front could serve. */
function ownedModel(model: DeclaredOwnedModel): AnyDeviceModel {
	const {attach, owned, ...device} = model;
	const front = () => ({read: () => 0, write() {}});
	if ('pci' in attach) return endpoint({...device, owned, front} as Endpoint, attach);
	return {
		...device,
		state: wire(device.kind, {nothing: reserved(4)}),
		regions: attach.regions,
		front,
		owned: {
			version: owned.version,
			mostBytes: owned.mostBytes,
			answers: () => () => true,
			make: (config, _state, {slot, configSpace, locked, ...offered}) => owned.make(config, offered as never),
		},
	};
}

type Endpoint = FunctionParts<unknown, Fields>['device'] & Pick<DeviceModel<unknown, Fields, 'pci'>, 'front'>;

/** A device that answers at regions of its own. @param offer - takes away what its attachment is not for; a back's own stays */
function served(
	device: ModelParts<unknown, Fields, never>,
	regions: AnyDeviceModel['regions'],
	offer: (services: MachineServices) => object,
): AnyDeviceModel {
	return {
		...device,
		regions,
		front: (config, state, services) => device.front(config, state, offer(services) as never),
		...(device.back && {
			back: (config, state, services) => device.back?.(config, state, offer(services) as never) as DeviceBack,
		}),
	};
}

function endpoint(device: Endpoint, {pci, regions}: AttachmentByBus<unknown>['pci']): FunctionModel<unknown> {
	const {bars = [], interrupts, leavesZeros = false} = pci;
	const {vectors = [], msi = false} = interrupts ?? {};
	const check = (most: number, what: string) => {
		if (vectors.length >= 1 && vectors.length <= most) return;
		throw functionError('PCI_VECTORS_IMPOSSIBLE', {device: device.kind, vectors: vectors.length, most, what});
	};
	if (interrupts !== undefined) check(Msix.mostVectors, 'a function with interrupts');
	if (msi) check(Msi.mostVectors, 'MSI');
	const barsOf = (config: unknown) => [...bars, ...(pci.moreBars?.(config) ?? [])];
	const msix = interrupts?.msix && placeTable(device.kind, vectors.length, interrupts.msix, bars);
	const allBars = (config: unknown) => [...barsOf(config), ...(msix?.bar === undefined ? [] : [msix.bar])];
	const parts: FunctionParts<unknown, Fields> = {
		kind: 'endpoint',
		device: {
			...device,
			...(regions && {regions}),
			...(device.doorbells && {doorbells: (config: unknown) => besideTable(parts, config, device.doorbells?.(config))}),
		},
		vectors,
		leavesZeros,
		bars: barsOf,
		keptBytes: keptBytesOf(pci),
		...(msix && {msix}),
		layout: (config) =>
			endpointLayout({
				...pci,
				owner: device.kind,
				capabilities: pci.capabilities?.(config) ?? [],
				length: keptBytesOf(pci),
				express: {type: 'endpoint', functionReset: true},
				bars: allBars(config),
				vectors: vectors.length,
				msi,
				...(msix && {msix: msix.place}),
			}),
		// Only a port has to know of its slot.
		front: (config, state, {slot, ...offered}) => device.front(config, state as never, offered),
	};
	return functionModel(parts);
}

/** What the guest writes to the table is the table's, and a BAR that MSI-X has for itself is nobody else's. */
function besideTable(
	{device: {kind, regions}, vectors, bars, msix}: FunctionParts<unknown, Fields>,
	config: unknown,
	doorbells: readonly DoorbellDeclaration[] = [],
): readonly DoorbellDeclaration[] {
	if (msix === undefined) return doorbells;
	const own = bars(config);
	const {place, bar} = msix;
	const region =
		bar === undefined ? own.findIndex(({index}) => index === place.bar) : own.length + (regions?.(config).length ?? 0);
	const inTable = doorbells.find(
		(bell) => bell.region === region && (bar !== undefined || tableHolds(place, vectors.length, bell.offset)),
	);
	if (inTable === undefined) return doorbells;
	throw functionError('PCI_DOORBELL_IN_TABLE', {device: kind, bar: place.bar, queue: inTable.queue});
}

/** The state of a function has one size, whatever its configuration. */
const keptBytesOf = ({capabilities}: PciFunction<unknown>) => (capabilities === undefined ? keptBytes : configBytes);

type Declared = NonNullable<NonNullable<PciFunction<unknown>['interrupts']>['msix']>;

/** Puts table and pending bits where the declaration says, or into a BAR of their own. */
function placeTable(
	device: string,
	vectors: number,
	{bar, table = 0, pending}: Declared,
	bars: readonly PciBar[],
): NonNullable<FunctionParts<unknown, Fields>['msix']> {
	const place = {bar, table, pending: pending ?? table + tableBytes(vectors)};
	const outside = (cause: string) => functionError('PCI_TABLE_OUTSIDE_BAR', {device, bar, cause});
	if ([place.table, place.pending].some((offset) => !(offset >= 0) || offset % 8 !== 0)) throw outside('odd offsets');
	const ranges = [
		[place.table, place.table + tableBytes(vectors)],
		[place.pending, place.pending + pendingBytes(vectors)],
	] as const;
	const [[tableStart, tableEnd], [pendingStart, pendingEnd]] = ranges;
	if (tableStart < pendingEnd && pendingStart < tableEnd) throw outside('the pending bits lie in the table');
	const end = Math.max(tableEnd, pendingEnd);
	const own = bars.find(({index}) => index === bar);
	if (own === undefined) return {place, bar: {index: bar, size: ownBarBytes(end)}};
	if (own.kind === 'io') throw outside('it is of ports');
	if (own.pages !== undefined) throw outside('it is memory');
	if (end > own.size) throw outside(`they end at ${end}, the BAR at ${own.size}`);
	return {place, bar: undefined};
}
