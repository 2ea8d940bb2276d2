import type {AccessSize, DeviceFront, DeviceModel, PciHostDeviceServices} from '#devices/device';
import {type FieldsView, u8, u32, wire} from '#support/wire';

/** Names this device in machine descriptions. */
export const pciConfigKind = 'pci-config';

/** The empty PCI bus has nothing to configure. */
export type PciConfigConfig = Readonly<Record<never, never>>;

/** PCI configuration mechanism #1 (PCI Local Bus Specification 3.0, 3.2.2.3.2). */
const addressPort = 0xcf8;
const dataPort = 0xcfc;
const portCount = 4;

/** CONFIG_ADDRESS bits that exist: enable, bus, device, function, register. The rest reads zero. */
const addressMask = 0x80fffffc;

/** Parts of CONFIG_ADDRESS. */
const ConfigAddress = {ENABLE: 1 << 31, busShift: 16, devfnShift: 8, REGISTER: 0xfc} as const;

/** Reset control register (Intel 82371AB PIIX4 data sheet, RC): a byte inside the address port's range. */
const ResetControl = {
	/** Offset from {@link addressPort}. */
	OFFSET: 1,
	/** Resets the whole machine rather than the processors. */
	SYS_RST: 1 << 1,
	/** Going from 0 to 1 resets. */
	RST_CPU: 1 << 2,
	/** Bits that hold what was written: the two, and the full-reset bit of later chipsets. */
	WRITABLE: 0x0e,
} as const;

const PciConfigState = wire('pci-config', {
	/** CONFIG_ADDRESS. */
	address: u32,
	resetControl: u8,
});

type PciConfigFields = (typeof PciConfigState)['fields'];

const addressRegion = 0;
/** These ports reach the first segment only. */
const segment = 0;
const isLatch = (offset: number, size: AccessSize) => offset === 0 && size === 4;
const isResetControl = (offset: number, size: AccessSize) => offset === ResetControl.OFFSET && size === 1;

/** The configuration ports: a latch for the address, and the data there. Without PCI every device reads as absent. */
function pciConfigFront(
	_config: PciConfigConfig,
	state: FieldsView<PciConfigFields>,
	{request, configSpace}: PciHostDeviceServices,
): DeviceFront {
	const isEnabled = () => (state.address & ConfigAddress.ENABLE) !== 0;
	const bus = () => (state.address >>> ConfigAddress.busShift) & 0xff;
	const devfn = () => (state.address >>> ConfigAddress.devfnShift) & 0xff;
	const register = (offset: number) => (state.address & ConfigAddress.REGISTER) + offset;
	return {
		read(region, offset, size) {
			if (region === addressRegion && isLatch(offset, size)) return state.address;
			if (region === addressRegion && isResetControl(offset, size)) return state.resetControl;
			if (region === addressRegion || !isEnabled()) return 2 ** (8 * size) - 1;
			return configSpace.read(segment, bus(), devfn(), register(offset), size);
		},
		write(region, offset, size, value) {
			if (region !== addressRegion) {
				if (isEnabled()) configSpace.write(segment, bus(), devfn(), register(offset), size, value);
				return;
			}
			// Only a 32-bit access reaches CONFIG_ADDRESS; others are ordinary ports (3.2.2.3.2).
			if (isLatch(offset, size)) state.address = (value & addressMask) >>> 0;
			if (!isResetControl(offset, size)) return;
			const rises = (value & ~state.resetControl & ResetControl.RST_CPU) !== 0;
			state.resetControl = value & ResetControl.WRITABLE;
			if (rises) request({kind: 'reset'});
		},
	};
}

/** PCI configuration ports and the reset control register at 0xCF9. */
export const pciConfig: DeviceModel<PciConfigConfig, PciConfigFields, 'pciHost'> = {
	kind: pciConfigKind,
	state: PciConfigState,
	attach: {
		pciHost: () => [
			{space: 'pio', name: 'address', base: addressPort, length: portCount},
			{space: 'pio', name: 'data', base: dataPort, length: portCount},
		],
	},
	front: pciConfigFront,
};
