import type {
	AccessSize,
	BackParts,
	BackWork,
	DeviceBack,
	MachineServices,
	ModelParts,
	Owned,
	PciBar,
	PciDeviceServices,
	PciFront,
	Region,
	ServedOwned,
} from '#devices/device';
import type {GuestMemory} from '#devices/guest-memory';
import type {InterruptLine} from '#devices/interrupts';
import {checkBars, configBytes, Express, Header, HeaderType, type MsixPlace} from '#devices/pci/config-space';
import {unchecked} from '#support/trust';
import {bytes, type Fields, type FieldsView, type Wire, wire} from '#support/wire';
import {AttachedFunction, type FunctionRegisters, intxLine, type SlotServices} from './attached-function.ts';
import type {FunctionLayout} from './function-layout.ts';
import {isReset, powerOnState} from './function-reset.ts';
import {pendingBytes, tableBytes, tableHolds} from './msix-table.ts';
import type {CapabilityPlace} from './own-capabilities.ts';

/** A BAR and the region of the front that it leads to. */
export interface PlacedBar extends PciBar {
	readonly region: number;
}

/** Facts about a function that the bus needs. */
export interface FunctionDesign extends FunctionLayout {
	readonly bars: readonly PlacedBar[];
	/** The region that configuration space is. */
	readonly configRegion: number;
	readonly kind: 'endpoint' | 'port' | 'downstream-port';
	/** Devices may come and go behind it. */
	readonly hasSlot: boolean;
	/** See `PciFunction`. */
	readonly leavesZeros: boolean;
}

/** A device model that is a function on PCI Express. */
// biome-ignore lint/suspicious/noExplicitAny: its state is the device's own and the function's
export interface FunctionModel<C> extends ModelParts<C, any, MachineServices> {
	regions(config: C): readonly Region[];
	design(config: C): FunctionDesign;
	readonly owned?: ServedOwned;
}

/** True for models of functions. */
export function isFunctionModel(model: object): model is FunctionModel<unknown> {
	return 'design' in model;
}

/** True for a port that devices come to and go from. */
export function isSlot(model: object, config: unknown): boolean {
	if (!isFunctionModel(model)) return false;
	const {kind, hasSlot} = model.design(config);
	return kind === 'downstream-port' && hasSlot;
}

/** A front that wants to know when configuration space was written. */
export interface FunctionFront extends PciFront {
	configWritten?(): void;
	/** A bridge's: true when it passes anything on now. What is behind is reset when it no longer does. */
	leadsOn?(): boolean;
}

/** Parts that {@link functionModel} puts a function together from. */
export interface FunctionParts<C, T extends Fields> {
	readonly kind: FunctionDesign['kind'];
	/** The device but for what makes it a function. */
	readonly device: Omit<ModelParts<C, T, PciDeviceServices>, 'front' | 'state'> & {
		readonly state?: Wire<T>;
		regions?(config: C): readonly Region[];
		/** In the place of a back; it gets the services of one. */
		readonly owned?: Owned<C, PciDeviceServices & Pick<BackParts, 'reactor' | keyof BackWork>>;
	};
	readonly vectors: readonly string[];
	/** Bytes of configuration space that hold anything. */
	readonly keptBytes: number;
	readonly leavesZeros?: boolean;
	layout(config: C): FunctionLayout;
	/** The device's own BARs, in the order of the front's regions. */
	bars(config: C): readonly PciBar[];
	/** Place of MSI-X, and the BAR that it has for itself, if any. */
	readonly msix?: {readonly place: MsixPlace; readonly bar: PciBar | undefined};
	front(config: C, state: FieldsView<T>, services: SlotServices, attached: FunctionRegisters): FunctionFront;
}

/** Fields that every function has. Their names cannot be a device's. */
const functionFields = (kept: number, vectors: number, hasMsix: boolean) => ({
	'pci.config': bytes(kept),
	...(vectors > 0 && {'pci.levels': bytes(vectors)}),
	...(hasMsix && {'pci.table': bytes(tableBytes(vectors)), 'pci.pending': bytes(pendingBytes(vectors))}),
});

/**
 * Makes a device a PCI Express function: configuration space, interrupts and BARs are part of its state and its regions, so
 * that they are served, saved, reset, inspected and tested like those of any device.
 */
export function functionModel<C, T extends Fields>(parts: FunctionParts<C, T>): FunctionModel<C> {
	const {device, vectors, msix, leavesZeros = false} = parts;
	const {back, owned, ...rest} = device;
	const state = wire(device.kind, {
		...device.state?.fields,
		...functionFields(parts.keptBytes, vectors.length, msix !== undefined),
	});
	const shape = (config: C) => regionsOf(parts, config);
	return {
		...rest,
		state,
		regions: (config) => shape(config).regions,
		lines: (config) => ({...device.lines?.(config), ...(vectors.length > 0 && {[intxLine]: 0})}),
		design: (config) => {
			const {bars, configRegion} = shape(config);
			const design = parts.layout(config);
			return {...design, bars, configRegion, kind: parts.kind, hasSlot: hasSlot(design), leavesZeros};
		},
		front: (config, view, services) => {
			const attached = new AttachedFunction(parts, config, view, services);
			const {slot} = attached.services;
			const front = parts.front(config, view as never, attached.services, attached);
			const {configRegion, bars} = shape(config);
			const msixRegion = bars.find(({index}) => index === msix?.place.bar)?.region ?? -1;
			const reset = () => {
				attached.reset();
				front.reset?.();
				attached.settle();
				slot.decodeChanged();
			};
			/** A back has to be asked first, which takes longer than an access may. */
			const toPowerOnState = () => {
				if (slot.resetWithBack()) {
					attached.silence();
					slot.decodeChanged();
					return;
				}
				attached.change(() => state.reset(view as never));
				for (const name of Object.keys(device.lines?.(config) ?? {})) services.line(name).setLevel(false);
				reset();
			};
			const writeConfig = (offset: number, size: AccessSize, value: number) => {
				const ledOn = front.leadsOn?.() ?? false;
				const changed = attached.change(() => attached.space.write(offset, size, value));
				if (isReset(attached)) return toPowerOnState();
				const own = attached.ownCapability(offset);
				if (own >= 0) {
					front.capabilityWritten?.(own, offset - (attached.places.own[own] as CapabilityPlace).offset, size);
					return;
				}
				front.configWritten?.();
				attached.settle();
				if (ledOn && front.leadsOn?.() === false) slot.resetBehind();
				// Beside its header, a bridge decodes by its link: Express registers.
				if (changed && (offset < Header.END || front.leadsOn !== undefined)) slot.decodeChanged();
			};
			const readConfig = (offset: number, size: AccessSize) => {
				const held = attached.space.read(offset, size);
				const at = Header.TYPE - offset;
				const hasType = at >= 0 && at < size && slot.isShared === true;
				const value = hasType ? (held | (HeaderType.MULTI_FUNCTION << (8 * at))) >>> 0 : held;
				const own = front.capabilityRead === undefined ? -1 : attached.ownCapability(offset);
				if (own < 0) return value;
				return (
					front.capabilityRead?.(own, offset - (attached.places.own[own] as CapabilityPlace).offset, size) ?? value
				);
			};
			return {
				...(front.inputChanged && {inputChanged: (name: string, rose: boolean) => front.inputChanged?.(name, rose)}),
				control: (command) => (command.kind === powerOnState.kind ? toPowerOnState() : front.control?.(command)),
				read(region, offset, size) {
					if (region === configRegion) return readConfig(offset, size);
					if (region === msixRegion && attached.table?.holds(offset)) return attached.table.read(offset, size);
					const memory = attached.pages.get(region);
					if (memory !== undefined) return readPages(memory, offset, size);
					return region === msixRegion && msix?.bar !== undefined ? 0 : front.read(region, offset, size);
				},
				write(region, offset, size, value) {
					if (region === configRegion) writeConfig(offset, size, value);
					else if (region === msixRegion && attached.table?.holds(offset)) {
						const {table} = attached;
						attached.change(() => table.write(offset, size, value));
						attached.settle();
					} else {
						const memory = attached.pages.get(region);
						if (memory !== undefined) writePages(memory, offset, size, value);
						else if (region !== msixRegion || msix?.bar === undefined) front.write(region, offset, size, value);
					}
				},
				reset,
				...(front.rested && {rested: () => front.rested?.()}),
				restored() {
					front.restored?.();
					attached.settle();
					slot.decodeChanged();
				},
			};
		},
		...(owned && {owned: servedOwned(parts, owned)}),
		...(back && {
			back: (config, view, services) => {
				const attached = new AttachedFunction(parts, config, view, services);
				const {slot, ...offered} = attached.services;
				const {reactor, worker, hostMemory, commonMemory, locked, track, drained, serve, noticed, program, together} =
					services;
				return device.back?.(config, view as never, {
					...offered,
					reactor,
					worker,
					hostMemory,
					commonMemory,
					locked,
					track,
					drained,
					program,
					together,
					serve,
					noticed,
				}) as DeviceBack;
			},
		}),
	};
}

/** An access to memory that is not mapped at this moment, as while it moves. */
function readPages(memory: GuestMemory, offset: number, size: AccessSize): number {
	const read = size === 4 ? memory.readU32(offset) : size === 2 ? memory.readU16(offset) : memory.readU8(offset);
	return unchecked(read) ?? 0;
}

function writePages(memory: GuestMemory, offset: number, size: AccessSize, value: number): void {
	if (size === 4) memory.writeU32(offset, value);
	else if (size === 2) memory.writeU16(offset, value);
	else memory.writeU8(offset, value);
}

/** A function whose BARs the device worker answers, while any thread answers for its configuration space and vectors. */
function servedOwned<C, T extends Fields>(
	parts: FunctionParts<C, T>,
	{version, mostBytes, make}: NonNullable<FunctionParts<C, T>['device']['owned']>,
): ServedOwned {
	const {msix, vectors} = parts;
	return {
		version,
		mostBytes,
		answers(config) {
			const {bars, regions} = regionsOf(parts, config as C);
			const own = regions.filter(({space}) => space !== 'config').length - (msix?.bar === undefined ? 0 : 1);
			const table = bars.find(({index}) => index === msix?.place.bar)?.region;
			const memory = bars.filter(({pages}) => pages !== undefined).map(({region}) => region);
			return (region, offset) =>
				region < own &&
				!memory.includes(region) &&
				!(region === table && msix !== undefined && tableHolds(msix.place, vectors.length, offset));
		},
		make(config, view, services) {
			const {slot, line, ...offered} = new AttachedFunction(parts, config, view as never, services).services;
			const {reactor, locked, track, drained, serve, program, together} = services;
			/** Other threads are at the function's interrupts too. */
			const lockedLine = (name: string): InterruptLine => {
				const own = line(name);
				return {
					setLevel: (asserted) => locked(() => own.setLevel(asserted)),
					rise: () => locked(() => own.rise()),
				};
			};
			return make(config as C, {...offered, reactor, track, drained, serve, program, together, line: lockedLine});
		},
	};
}

const hotPlugCapable = 1 << 6;

function hasSlot({layout, places}: FunctionLayout): boolean {
	return ((layout.initial[places.express + Express.SLOT_CAPABILITIES] as number) & hotPlugCapable) !== 0;
}

/** Numbers the regions: the device's BARs, its fixed ones, the BAR of MSI-X, configuration space. */
function regionsOf<C, T extends Fields>(parts: FunctionParts<C, T>, config: C) {
	const {device, msix} = parts;
	const own = parts.bars(config);
	const fixed = device.regions?.(config) ?? [];
	const bars: PlacedBar[] = own.map((bar, region) => ({...bar, region}));
	if (msix?.bar !== undefined) bars.push({...msix.bar, region: own.length + fixed.length});
	checkBars(device.kind, bars);
	const asRegion = ({index, size, pages}: PciBar): Region => {
		return {space: pages === undefined ? 'bar' : 'pages', name: `bar${index}`, base: 0, length: size};
	};
	const regions: Region[] = [...own.map(asRegion), ...fixed, ...bars.slice(own.length).map(asRegion)];
	const configRegion = regions.length;
	regions.push({space: 'config', name: 'config', base: 0, length: configBytes});
	return {regions, bars, configRegion};
}
