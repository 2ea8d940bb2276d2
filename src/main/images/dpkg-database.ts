import {bytesContent, type FileTree} from '#main/file-tree';
import type {UnpackedPackage} from './unpack.ts';

/**
 * Writes what dpkg knows of the packages (dpkg(1), "FILES"). One with a script that would have had to run counts as unpacked,
 * the others as installed: `dpkg --configure -a` in the guest runs the scripts, and `apt-get` there asks for that.
 */
export function writeDpkgDatabase(tree: FileTree, packages: readonly UnpackedPackage[]): void {
	const paragraphs: string[] = [];
	for (const {deb, name, paths} of packages) {
		const {control, controlFiles} = deb;
		const state = controlFiles.has('postinst') ? 'unpacked' : 'installed';
		paragraphs.push(
			`Package: ${name}\nStatus: install ok ${state}\n${statusFields(control.without('Package').text)}\n`,
		);
		const isShared = control.field('Multi-Arch') === 'same';
		const file = `var/lib/dpkg/info/${isShared ? `${name}:${control.field('Architecture')}` : name}`;
		tree.addFile(`${file}.list`, bytesContent(`${paths.join('\n')}\n`));
		for (const [part, bytes] of controlFiles)
			tree.addFile(`${file}.${part}`, bytesContent(bytes), /^(pre|post)(inst|rm)$/.test(part) ? 0o755 : 0o644);
	}
	tree.addFile('var/lib/dpkg/status', bytesContent(paragraphs.map((each) => `${each}\n`).join('')));
	tree.addFile('var/lib/dpkg/info/format', bytesContent('1\n'));
	for (const empty of ['available', 'diversions', 'statoverride'])
		tree.addFile(`var/lib/dpkg/${empty}`, bytesContent(''));
	for (const folder of ['updates', 'parts', 'triggers', 'alternatives']) tree.addDirectory(`var/lib/dpkg/${folder}`);
}

/** A paragraph has no empty lines. */
const statusFields = (text: string): string => text.replaceAll(/\n\s*\n/g, '\n').trim();
