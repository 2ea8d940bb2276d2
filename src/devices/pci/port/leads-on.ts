import {Bridge, BridgeControl, type ConfigSpace, Express, LinkStatus} from '#devices/pci/config-space';
import type {FunctionDesign} from '#devices/pci/function';

/** True when the link of a downstream port is up. */
export function isLinkUp(space: ConfigSpace, express: number): boolean {
	return (space.read(express + Express.LINK_STATUS, 2) & LinkStatus.ACTIVE) !== 0;
}

/** True while the guest holds what is behind a bridge in reset. */
export function isBusReset(space: ConfigSpace): boolean {
	return (space.read(Bridge.CONTROL, 2) & BridgeControl.SECONDARY_RESET) !== 0;
}

/** True when a bridge passes anything on to what is behind it. */
export function leadsOn(kind: FunctionDesign['kind'], space: ConfigSpace, express: number): boolean {
	return !isBusReset(space) && (kind !== 'downstream-port' || isLinkUp(space, express));
}
