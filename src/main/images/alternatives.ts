/** Names that several packages could have: `update-alternatives(1)` makes links of them, by what maintainers' scripts tell it. */

import type {FileTree} from '#main/file-tree';
import type {UnpackedPackage} from './unpack.ts';

/** A name, where it is, and what stands for it. */
interface Alternative {
	readonly link: string;
	readonly name: string;
	readonly path: string;
	readonly priority: number;
}

/**
 * Makes the links that the scripts of packages ask for. The scripts are read and not run: what they make up as they go is left
 * out. Of what is offered for a name, that of the highest priority is taken, and of the same one the first.
 */
export function linkAlternatives(tree: FileTree, packages: readonly UnpackedPackage[]): void {
	const best = new Map<string, Alternative[]>();
	for (const {deb} of packages) {
		const script = Buffer.from(deb.controlFiles.get('postinst') ?? []).toString();
		for (const offered of readAlternatives(script)) {
			const [first] = offered;
			const known = best.get(first?.name ?? '')?.[0];
			if (first !== undefined && (known === undefined || known.priority < first.priority))
				best.set(first.name, offered);
		}
	}
	for (const offered of best.values()) {
		const [first] = offered;
		if (first === undefined || tree.find(first.path) === undefined) continue;
		for (const {link, name, path} of offered) {
			// A manual that was left out has no link; a link that a package brings stays as it is.
			if (tree.find(path) === undefined || tree.find(link) !== undefined) continue;
			tree.addLink(`etc/alternatives/${name}`, path);
			tree.addLink(link, `/etc/alternatives/${name}`);
		}
	}
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
