import type {ConfigLayout} from '../config-layout.ts';
import {ExtendedId} from '../registers.ts';

/** Access control services (PCI Express Base 6.0, 7.7.11): offsets of capabilities and control. */
const Acs = {CAPABILITIES: 4, CONTROL: 6, length: 12} as const;

/** The services a port can be said to have: all but P2P egress control, which would need a vector. */
export const possibleAcs = 0xdf;
/** Source validation, translation blocking, P2P request and completion redirect, upstream forwarding, direct translated. */
export const defaultAcs = 0x5f;

/** Adds the capability; each service can be turned on. Nothing here passes from port to port anyway. */
export function addAcs(layout: ConfigLayout, services: number): void {
	const at = layout.extendedCapability(ExtendedId.ACS, 1, Acs.length);
	layout.register(at + Acs.CAPABILITIES, 2, {value: services});
	layout.register(at + Acs.CONTROL, 2, {writable: services});
}
