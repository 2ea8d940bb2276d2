/** Names that several packages could have: `update-alternatives(1)` makes links of them, by what maintainers' scripts tell it. */

import {bytesContent, type FileTree} from '#main/file-tree';
import type {UnpackedPackage} from './unpack.ts';

/** A name, where it is, and what stands for it. */
interface Alternative {
	readonly link: string;
	readonly name: string;
	readonly path: string;
	readonly priority: number;
}

/**
 * Makes the links that the scripts of packages ask for, and notes what was offered as update-alternatives(1) does, which takes a link
 * that it does not know for the user's own. The scripts are read and not run: what they make up as they go is left out. Of what is
 * offered for a name, that of the highest priority is taken, and of the same one the first.
 */
export function linkAlternatives(tree: FileTree, packages: readonly UnpackedPackage[]): void {
	const scripts = packages.map(({deb}) => Buffer.from(deb.controlFiles.get('postinst') ?? []).toString());
	const isThere = ([first]: readonly Alternative[]) => tree.find(first?.path ?? '') !== undefined;
	const byName = Map.groupBy(scripts.flatMap(readAlternatives).filter(isThere), ([first]) => first?.name ?? '');
	for (const [name, offers] of byName) {
		const best = offers.reduce((most, each) => (priorityOf(each) > priorityOf(most) ? each : most));
		const link = best[0]?.link ?? '';
		// A link that a package brings stays as it is.
		if (tree.find(link) !== undefined) continue;
		for (const each of best) {
			// A manual may have been left out.
			if (tree.find(each.path) === undefined || tree.find(each.link) !== undefined) continue;
			tree.addLink(`etc/alternatives/${each.name}`, each.path);
			tree.addLink(each.link, `/etc/alternatives/${each.name}`);
		}
		tree.addFile(`var/lib/dpkg/alternatives/${name}`, bytesContent(alternativesNote(link, offers)));
	}
}

const priorityOf = ([first]: readonly Alternative[]): number => first?.priority ?? 0;

/** The file in which update-alternatives keeps a name: what goes with it, and then each offer with what it has of that. */
function alternativesNote(link: string, offers: readonly (readonly Alternative[])[]): string {
	const slaves = new Map(offers.flatMap((each) => each.slice(1)).map((each) => [each.name, each.link]));
	const names = [...slaves.keys()].sort();
	const choices = offers.flatMap(([first, ...others]) => [
		first?.path,
		first?.priority,
		...names.map((name) => others.find((each) => each.name === name)?.path ?? ''),
	]);
	return ['auto', link, ...names.flatMap((name) => [name, slaves.get(name)]), '', ...choices, '', ''].join('\n');
}

/** Reads what a script offers: each a name, and those that go with it. */
export function readAlternatives(script: string): Alternative[][] {
	const lines = script.replaceAll(/\\\n/g, ' ').split('\n');
	const commands = lines.flatMap((line) => /(?:^|\s)update-alternatives\s(.*)/.exec(line)?.[1] ?? []);
	return commands.flatMap((command) => {
		const words = command
			.split(/[;&|<>]/)[0]
			?.trim()
			.split(/\s+/)
			.map((word) => word.replaceAll(/^(["'])(.*)\1$/g, '$2'));
		const start = words?.indexOf('--install') ?? -1;
		if (words === undefined || start < 0) return [];
		const [link = '', name = '', path = '', priority = ''] = words.slice(start + 1);
		const offered = [{link, name, path, priority: Number(priority)}];
		for (let at = words.indexOf('--slave'); at >= 0; at = words.indexOf('--slave', at + 1)) {
			const [slaveLink = '', slaveName = '', slavePath = ''] = words.slice(at + 1);
			offered.push({link: slaveLink, name: slaveName, path: slavePath, priority: Number(priority)});
		}
		const isPlain = Number.isFinite(Number(priority)) && priority !== '' && offered.every(isLiteral);
		return isPlain ? [offered] : [];
	});
}

/** True without variables, patterns and the like. */
const isLiteral = ({link, name, path}: Alternative): boolean =>
	[link, path].every((each) => /^\/[\w./+@:-]+$/.test(each) && !each.split('/').includes('..')) &&
	/^[\w.+@-]+$/.test(name);
