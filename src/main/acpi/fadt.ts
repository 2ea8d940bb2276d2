import {type FadtFields, fadt} from '#devices/acpi';
import {descriptionTable, tableHeader} from './description-table.ts';

/** FADT fields of every machine; its devices add theirs. */
const everywhere: FadtFields = {
	// Latencies past 100 and 1000 µs say that C2 and C3 do not exist.
	pLvl2Lat: 101,
	pLvl3Lat: 1001,
	iaPcBootArch: {vgaNotPresent: true},
	flags: {wbinvd: true, procC1: true},
};

/**
 * FADT: the fixed hardware, as the devices have it that are part of it. Of a field that several tell of, such as flags, all
 * bits are set.
 * @param facs - address of the FACS, below 4 GiB
 * @param dsdt - address of the DSDT, below 4 GiB
 */
export function buildFadt(devices: readonly FadtFields[], facs: number, dsdt: number): Uint8Array {
	const table = new Uint8Array(fadt.size);
	// Of the FACS's two fields the wide one is for addresses above 4 GiB and must else be zero. Those of the DSDT are both set, for
	// guests that read only the first form of this table.
	for (const fields of [everywhere, {firmwareCtrl: facs, dsdt, xDsdt: dsdt}, ...devices])
		fadt.encode(fields).forEach((byte, at) => {
			table[at] = (table[at] ?? 0) | byte;
		});
	return descriptionTable('FACP', 6, table.subarray(tableHeader.size));
}
