/** Names that the machine gives itself. Strings are printable ASCII; an empty one is left out. */
export interface SmbiosIdentity {
	readonly bios: {
		readonly vendor: string;
		readonly version: string;
		/** As `mm/dd/yyyy`. */
		readonly releaseDate: string;
	};
	readonly system: {
		readonly manufacturer: string;
		readonly productName: string;
		readonly version: string;
		readonly serialNumber: string;
		readonly skuNumber: string;
		readonly family: string;
		/** 16 bytes; all zero for none. */
		readonly uuid: Uint8Array;
	};
}

/** The identity of every machine that boots without firmware, as OpenVMM gives it. */
export const openvmmIdentity: SmbiosIdentity = {
	bios: {vendor: 'OpenVMM', version: 'OpenVMM Direct', releaseDate: '06/19/2026'},
	system: {
		manufacturer: 'OpenVMM',
		productName: 'OpenVMM Virtual Machine',
		version: '',
		serialNumber: '',
		skuNumber: '',
		family: '',
		uuid: new Uint8Array(16),
	},
};
