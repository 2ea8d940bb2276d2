export {addBars, barOffset, checkBars, isWide} from './bars.ts';
export {addAcs, defaultAcs, possibleAcs} from './capabilities/acs.ts';
export {
	addExpress,
	DeviceControl,
	Express,
	type ExpressOptions,
	LinkStatus,
	PortType,
	SlotCapability,
	SlotControl,
	SlotStatus,
} from './capabilities/express.ts';
export {addMsi, Msi, MsiControl} from './capabilities/msi.ts';
export {addMsix, Msix, MsixControl, type MsixPlace} from './capabilities/msix.ts';
export {ConfigLayout, configBytes, firstExtended, keptBytes, type RegisterBits} from './config-layout.ts';
export {ConfigSpace} from './config-space.ts';
export {Bridge, BridgeControl, CapabilityId, Command, ExtendedId, Header, HeaderType, Status} from './registers.ts';
