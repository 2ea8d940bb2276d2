/** Names this device in machine descriptions. */
export const pciConfigKind = 'pci-config';

/** The empty PCI bus has nothing to configure. */
export type PciConfigConfig = Readonly<Record<never, never>>;
