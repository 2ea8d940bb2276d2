/**
 * Addresses for a guest that is booted without firmware: OpenVMM's direct-boot layout (vm/loader, linux.rs).
 * PVH and multiboot guests get theirs at the same places: start info and multiboot info where the zero page would be.
 */
export const bootLayout = {
	/** Interrupt vectors of real mode. */
	interruptVectors: 0,
	/** BIOS data area, 256 bytes. */
	biosData: 0x400,
	/** First address after what a BIOS keeps in low memory. */
	biosDataEnd: 0x500,
	gdt: 0x1000,
	/** The zero page (Linux), the start info (PVH) or the multiboot info; one page. */
	bootInfo: 0x2000,
	bootInfoSize: 0x1000,
	commandLine: 0x3000,
	/** With the closing zero byte. */
	commandLineSize: 0x1000,
	/** Command lines of the modules of PVH and multiboot kernels, which have no page tables yet. */
	moduleCommandLines: 0x4000,
	/** CR3: an identity map of the low 4 GiB. */
	pageTables: 0x4000,
	/** First address after the boot data: OpenVMM sets 20 pages aside for page tables. */
	bootDataEnd: 0x18000,
	/** ACPI tables, then the SMBIOS table from the next page on. */
	acpiTables: 0x19000,
	/** Extended BIOS data area: the top KiB of conventional memory. */
	ebda: 0x9fc00,
	/** Video memory and option ROMs, then the BIOS area: never offered as RAM. */
	legacyArea: 0xa0000,
	/** BIOS area; the RSDP lies at its start, where guests search for it. */
	rsdp: 0xe0000,
	/** The structure that ACPI shares with the guest (FACS), behind the RSDP. */
	facs: 0xe0040,
	/** The machine's generation id, on a page of its own. */
	generationId: 0xe1000,
	/** The SMBIOS entry point. */
	smbiosEntry: 0xf0000,
	/** The interrupt vectors point to it. */
	biosCode: 0xf0100,
	/** The rest of the BIOS area is empty. */
	biosTablesEnd: 0xf1000,
	/** Kernels load here and above. */
	kernel: 0x100000,
	/** The initrd starts on a multiple of this. */
	initrdAlignment: 0x200000,
	/** The page tables map memory up to here, and 32-bit boot protocols reach no further. */
	mappedEnd: 0x1_0000_0000,
} as const;
