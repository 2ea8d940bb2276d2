/** Reads what a kernel module says about itself: the `.modinfo` section of its ELF file (System V ABI, ELF-64 object files). */

import {imageError} from './errors.ts';

const ELF_MAGIC = 0x7f454c46;
const HEADER = {sectionTable: 0x28, sectionSize: 0x3a, sectionCount: 0x3c, namesIndex: 0x3e} as const;
const SECTION = {name: 0x00, offset: 0x18, size: 0x20, bytes: 0x40} as const;

/** Facts about a module that its loader needs. */
export interface ModuleInfo {
	/** Names of the modules whose symbols it uses. */
	readonly depends: readonly string[];
	/** Patterns of the devices it drives, for loading by hardware identity. */
	readonly aliases: readonly string[];
}

/** Parses the `.modinfo` of the little-endian ELF-64 module in `bytes`. @throws VmmError IMAGE_MODULE_DAMAGED */
export function readModuleInfo(module: string, bytes: Uint8Array): ModuleInfo {
	const strings = Buffer.from(modinfoSection(module, bytes)).toString('latin1').split('\0');
	const values = (key: string) =>
		strings.filter((text) => text.startsWith(`${key}=`)).map((text) => text.slice(key.length + 1));
	return {
		depends: values('depends').flatMap((list) => list.split(',').filter((name) => name !== '')),
		aliases: values('alias'),
	};
}

function modinfoSection(module: string, bytes: Uint8Array): Uint8Array {
	const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
	const damaged = (what: string) => imageError('IMAGE_MODULE_DAMAGED', {module, what});
	if (bytes.length < 64 || view.getUint32(0) !== ELF_MAGIC) throw damaged('it is no ELF file');
	const table = Number(view.getBigUint64(HEADER.sectionTable, true));
	const entrySize = view.getUint16(HEADER.sectionSize, true);
	const count = view.getUint16(HEADER.sectionCount, true);
	if (entrySize < SECTION.bytes || table + count * entrySize > bytes.length) throw damaged('its sections are cut off');
	const section = (index: number) => {
		if (index >= count) throw damaged(`it has no section ${index}`);
		const at = table + index * entrySize;
		const offset = Number(view.getBigUint64(at + SECTION.offset, true));
		return {
			name: view.getUint32(at + SECTION.name, true),
			content: bytes.subarray(offset, offset + Number(view.getBigUint64(at + SECTION.size, true))),
		};
	};
	const names = section(view.getUint16(HEADER.namesIndex, true)).content;
	const wanted = Buffer.from('.modinfo\0');
	for (let index = 0; index < count; index++) {
		const {name, content} = section(index);
		if (wanted.equals(names.subarray(name, name + wanted.length))) return content;
	}
	throw damaged('it has no section .modinfo');
}
