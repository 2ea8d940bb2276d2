import {readFileSync} from 'node:fs';
import {join} from 'node:path';
import {FloweyError, type FloweyNode} from '../core/index.ts';
import {readImports} from './import-circles.ts';

/** A file with fewer lines is read sooner in its only importer than beside it. */
const fewLines = 25;

/**
 * Fails when a file of few lines has a single importer, which could have it inside. An index neither counts as an importer that
 * could, nor as such a file: it lists the names of its folder.
 */
export const checkSmallFiles: FloweyNode<string, void> = {
	name: 'small files',
	async run(_context, root) {
		const importers = Map.groupBy(readImports(root), ({to}) => to);
		const found = [...importers].flatMap(([path, imports]) => {
			const [importer, another] = new Set(imports.map(({from}) => from));
			const isPart = another === undefined && importer !== undefined && !importer.endsWith('/index.ts');
			if (!isPart || path.endsWith('/index.ts')) return [];
			const lines = readFileSync(join(root, path), 'utf8').trimEnd().split('\n').length;
			return lines < fewLines ? [`  ${path} (${lines} lines) is imported by ${importer} alone`] : [];
		});
		if (found.length === 0) return;
		throw new FloweyError(
			`Files of less than ${fewLines} lines have one importer:\n${found.join('\n')}`,
			'Move what is in each to its importer, or to a file about the same.',
		);
	},
};
