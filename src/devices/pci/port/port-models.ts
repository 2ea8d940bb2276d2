import {addAcs, type ExpressOptions, keptBytes} from '#devices/pci/config-space';
import {bridgeLayout, type FunctionModel, functionModel} from '#devices/pci/function';
import {type SavedFields, stateError} from '#support/saved-state';
import {
	attentionPressed,
	downstreamPortKind,
	type OccupancyChanged,
	occupancyKind,
	type PciePortConfig,
	rootPortKind,
	upstreamPortKind,
} from './handle.ts';
import {HotPlug, PortState} from './hot-plug.ts';
import {leadsOn} from './leads-on.ts';

/** Ids under Microsoft's vendor id that OpenVMM's ports have. */
const ids = {vendor: 0x1414, root: 0xc030, upstream: 0xc031, downstream: 0xc032} as const;
/** PCI-to-PCI bridge. */
const bridgeClass = 0x06_0400;
/** Since version 2 a port may have a device to tell the guest of, since 3 one that has left zeros. */
const versions = {
	version: 3,
	upgrade: (fields: SavedFields, from: number): SavedFields => {
		for (const [field, since] of Object.entries({comes: 2, zeros: 3}))
			if (from < since && field in fields) throw stateError('STATE_FIELD_UNKNOWN', {struct: PortState.name, field});
		return {comes: 0, zeros: 0, ...fields};
	},
};
/** The one interrupt of a port. */
const event = 'event';

function portModel(kind: string, type: Exclude<ExpressOptions['type'], 'endpoint'>): FunctionModel<PciePortConfig> {
	const isDownstream = type !== 'upstream';
	const functionKind = isDownstream ? 'downstream-port' : 'port';
	return functionModel({
		kind: functionKind,
		device: {kind, state: PortState, versions},
		vectors: [event],
		bars: () => [],
		keptBytes,
		layout: ({slot, button = false, acs, prefixes}) => {
			const design = bridgeLayout({
				owner: kind,
				vendor: ids.vendor,
				device: ids[type],
				class: bridgeClass,
				express: {type, prefixes, ...(isDownstream && slot !== undefined && {slot: {number: slot, button}})},
				bars: [],
				vectors: 1,
				msi: true,
			});
			if (acs !== 0 && isDownstream) addAcs(design.layout, acs);
			return design;
		},
		front: (_config, state, services, {space, places}) => {
			const leadsBehind = () => leadsOn(functionKind, space, places.express);
			if (!isDownstream) return {read: () => 0, write() {}, leadsOn: leadsBehind};
			const hotPlug = new HotPlug(space, places.express, services.line(event), state);
			const occupied = () => services.slot.occupied;
			return {
				read: () => 0,
				write() {},
				leadsOn: leadsBehind,
				reset: () => hotPlug.reset(occupied()),
				configWritten: () => hotPlug.configWritten(occupied()),
				control(command) {
					if (command.kind === occupancyKind) {
						hotPlug.occupancyChanged(occupied(), (command as OccupancyChanged).leavesZeros);
						services.slot.decodeChanged();
					}
					if (command.kind === attentionPressed.kind) hotPlug.attentionPressed(occupied());
				},
			};
		},
	});
}

/** A port of a root complex. */
export const rootPort = portModel(rootPortKind, 'root');
/** The port of a switch towards the root complex. */
export const upstreamPort = portModel(upstreamPortKind, 'upstream');
/** A port of a switch away from it. */
export const downstreamPort = portModel(downstreamPortKind, 'downstream');
