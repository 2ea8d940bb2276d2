/**
 * Finds circles of imports. Type imports count like others: what knows each other cannot be read, moved or tested alone.
 */

import {existsSync, globSync, readFileSync} from 'node:fs';
import {dirname, join} from 'node:path';
import {FloweyError, type FloweyNode} from '../core/index.ts';

/** One import of a working copy's file, both as paths from its root. */
export interface Import {
	readonly from: string;
	readonly to: string;
}

/** Fails when files or folders below a working copy's root import each other in a circle. */
export const checkImportCircles: FloweyNode<string, void> = {
	name: 'import circles',
	async run(_context, root) {
		const circles = importCircles(readImports(root));
		if (circles.length === 0) return;
		const list = circles.map((circle) => circle.map(({from, to}) => `  ${from} imports ${to}`).join('\n'));
		throw new FloweyError(
			`Files or folders import each other in a circle:\n${list.join('\n\n')}`,
			'Move what both sides need to a place that knows neither, or let the owner hand one to the other.',
		);
	},
};

/** Every import of a file in the sources, tests and tasks that leads to another of them. */
export function readImports(root: string): Import[] {
	const aliases = readAliases(root);
	return globSync('{src,test,flowey}/**/*.{ts,mjs}', {cwd: root})
		.sort()
		.flatMap((from) => {
			const text = readFileSync(join(root, from), 'utf8');
			const names = [...text.matchAll(/(?:\bfrom\s+|\bimport\s*\(\s*|^import\s+)'([^']+)'/gm)].map(
				([, name = '']) => name,
			);
			const targets = names.map((name) => (name.startsWith('.') ? join(dirname(from), name) : aliases(name)));
			return targets.flatMap((to) => (to !== undefined && existsSync(join(root, to)) ? [{from, to}] : []));
		});
}

/** Resolves the names of package.json's `imports`, each with one asterisk. */
function readAliases(root: string): (name: string) => string | undefined {
	const {imports} = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as {imports: Record<string, string>};
	const aliases = Object.entries(imports).map(([pattern, path]) => ({begin: pattern.replace('*', ''), path}));
	return (name) => {
		const alias = aliases.find(({begin}) => name.startsWith(begin));
		return alias && join(alias.path.replace('*', name.slice(alias.begin.length)));
	};
}

/**
 * The circles among imports, each as imports that follow one another: those of files, and where there is none, those of
 * folders. In every folder the files and subfolders directly in it are looked at then: an import from anywhere below one to
 * anywhere below another joins the two.
 */
export function importCircles(imports: readonly Import[]): Import[][] {
	const ofFiles = circlesIn(imports.map((why) => ({...why, why})));
	if (ofFiles.length > 0) return ofFiles;
	const byFolder = Map.groupBy(imports.flatMap(inFolder), ({folder}) => folder);
	return [...byFolder.values()].flatMap(circlesIn);
}

/** Two things that an import joins. */
interface Edge {
	readonly from: string;
	readonly to: string;
	readonly why: Import;
}

/** Tests reach where their subject must not. */
const isTest = (path: string) => /\.test\.ts$|\/(testing|fixtures)\//.test(path);

/** The import as one between two things in the folder that has both. Tests and tasks (`test`, `flowey`) use each other's folders. */
function inFolder(why: Import): (Edge & {readonly folder: string})[] {
	const [from, to] = [why.from.split('/'), why.to.split('/')];
	const depth = from.findIndex((part, index) => part !== to[index]);
	if (depth === 0 || isTest(why.from)) return [];
	return [{folder: from.slice(0, depth).join('/'), from: from[depth] ?? '', to: to[depth] ?? '', why}];
}

/** One circle for each import that closes one. */
function circlesIn(edges: readonly Edge[]): Import[][] {
	const leaving = Map.groupBy(edges, ({from}) => from);
	const done = new Set<string>();
	const found: Import[][] = [];
	const visit = (node: string, way: readonly Edge[]) => {
		const begin = way.findIndex(({from}) => from === node);
		if (begin >= 0) return void found.push(way.slice(begin).map(({why}) => why));
		if (done.has(node)) return;
		for (const edge of leaving.get(node) ?? []) visit(edge.to, [...way, edge]);
		done.add(node);
	};
	for (const node of leaving.keys()) visit(node, []);
	return found;
}
