import {gzipSync} from 'node:zlib';
import {type MadeMember, makeTar} from '#main/tar/testing';

/** Makes an archive of ar from members by their names. */
export function makeAr(members: Readonly<Record<string, Uint8Array>>): Buffer {
	const parts = Object.entries(members).flatMap(([name, bytes]) => {
		const fields = [name.padEnd(16), '0'.padEnd(12), '0'.padEnd(6), '0'.padEnd(6), '100644'.padEnd(8)];
		const header = Buffer.from(`${fields.join('')}${String(bytes.length).padEnd(10)}\`\n`);
		return [header, bytes, Buffer.alloc(bytes.length % 2, '\n')];
	});
	return Buffer.concat([Buffer.from('!<arch>\n'), ...parts]);
}

/** A package for tests. */
export interface MadeDeb {
	readonly name: string;
	readonly files?: readonly MadeMember[];
	/** Lines of its control file beside name, version and architecture. */
	readonly fields?: readonly string[];
	readonly controlFiles?: Readonly<Record<string, string>>;
}

/** Lines of a package's control file, and of its paragraph in a list. */
export const makeParagraph = ({name, fields = []}: MadeDeb): string =>
	[`Package: ${name}`, 'Version: 1.0-1', 'Architecture: amd64', ...fields, ''].join('\n');

/** Makes a package. */
export function makeDeb(deb: MadeDeb): Buffer {
	const controlFiles = Object.entries({control: makeParagraph(deb), ...deb.controlFiles});
	return makeAr({
		'debian-binary': Buffer.from('2.0\n'),
		'control.tar.gz': gzipSync(makeTar(controlFiles.map(([path, data]) => ({path: `./${path}`, data})))),
		'data.tar.gz': gzipSync(makeTar(deb.files ?? [])),
	});
}
