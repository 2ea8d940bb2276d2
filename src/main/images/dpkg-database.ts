import {createHash} from 'node:crypto';
import type {DebFile} from '#main/debian';
import {bytesContent, type FileTree} from '#main/file-tree';
import type {UnpackedPackage} from './unpack.ts';

/**
 * Writes what dpkg knows of the packages (dpkg(1), "FILES"). One with a script that would have had to run counts as unpacked,
 * the others as installed: `dpkg --configure -a` in the guest runs the scripts, and `apt-get` there asks for that.
 */
export async function writeDpkgDatabase(tree: FileTree, packages: readonly UnpackedPackage[]): Promise<void> {
	const paragraphs: string[] = [];
	for (const {deb, name, paths} of packages) {
		const {control, controlFiles} = deb;
		const state = needsConfiguration(deb) ? 'unpacked' : 'installed';
		const kept = await configurationFiles(tree, controlFiles.get('conffiles'));
		const fields = statusFields(control.without('Package', 'Conffiles').text);
		paragraphs.push(`Package: ${name}\nStatus: install ok ${state}\n${fields}\n${kept}`);
		const isShared = control.field('Multi-Arch') === 'same';
		const file = `var/lib/dpkg/info/${isShared ? `${name}:${control.field('Architecture')}` : name}`;
		tree.addFile(`${file}.list`, bytesContent(`${paths.join('\n')}\n`));
		for (const [part, bytes] of controlFiles)
			tree.addFile(`${file}.${part}`, bytesContent(bytes), /^((pre|post)(inst|rm)|config)$/.test(part) ? 0o755 : 0o644);
	}
	tree.addFile('var/lib/dpkg/status', bytesContent(paragraphs.map((each) => `${each}\n`).join('')));
	tree.addFile('var/lib/dpkg/info/format', bytesContent('1\n'));
	for (const empty of ['available', 'diversions', 'statoverride'])
		tree.addFile(`var/lib/dpkg/${empty}`, bytesContent(''));
	for (const folder of ['updates', 'parts', 'triggers', 'alternatives']) tree.addDirectory(`var/lib/dpkg/${folder}`);
}

/** True for a package with a script that runs when it is configured. */
export const needsConfiguration = ({controlFiles}: DebFile): boolean => controlFiles.has('postinst');

/** A paragraph has no empty lines. */
const statusFields = (text: string): string => text.replaceAll(/\n\s*\n/g, '\n').trim();

/** The field by which dpkg knows whether somebody has changed a configuration file since it was unpacked. */
async function configurationFiles(tree: FileTree, list: Uint8Array | undefined): Promise<string> {
	const lines: string[] = [];
	for (const path of Buffer.from(list ?? [])
		.toString('utf8')
		.split('\n')) {
		// What a package wants to be rid of has a word in front.
		if (!path.startsWith('/')) continue;
		const found = tree.find(path);
		if (found?.kind !== 'file') continue;
		const hash = createHash('md5');
		for await (const piece of found.content.pieces()) hash.update(piece);
		lines.push(` ${path} ${hash.digest('hex')}\n`);
	}
	return lines.length === 0 ? '' : `Conffiles:\n${lines.join('')}`;
}
