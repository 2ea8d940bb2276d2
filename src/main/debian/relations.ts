/** Relations between packages: the fields Depends, Conflicts, Provides and their like (Debian Policy 7.1, deb-control(5)). */

import {compareVersions} from './versions.ts';

/** How a version compares with the one that a relation names. */
const operators: Readonly<Record<string, (order: number) => boolean>> = {
	'<<': (order) => order < 0,
	'<=': (order) => order <= 0,
	'=': (order) => order === 0,
	'>=': (order) => order >= 0,
	'>>': (order) => order > 0,
};

/** A package by its name, and which of its versions. */
export interface Relation {
	readonly name: string;
	/** Of another architecture than the one at hand, which is never there; `any` and `native` are those at hand. */
	readonly architecture?: string;
	readonly version?: {readonly operator: string; readonly text: string};
}

const form =
	/^(?<name>[a-z0-9][a-z0-9+.-]*)(?::(?<architecture>[a-z0-9-]+))?(?:\s*\(\s*(?<operator><<|<=|=|>=|>>)\s*(?<version>[^\s()]+)\s*\))?$/;

/**
 * Reads a field: every item of the list has to hold, by any of its alternatives.
 * @param field - undefined is no relation
 * @param fault - makes what is thrown for a relation of another form
 */
export function parseRelations(field: string | undefined, fault: (what: string) => Error): Relation[][] {
	const items = (field ?? '').split(',').map((item) => item.trim());
	return items.filter((item) => item !== '').map((item) => item.split('|').map((text) => parse(text.trim(), fault)));
}

function parse(text: string, fault: (what: string) => Error): Relation {
	const {name, architecture, operator, version} = form.exec(text)?.groups ?? {};
	if (name === undefined) throw fault(`'${text}' names no package`);
	return {
		name,
		...(architecture !== undefined && !['any', 'native'].includes(architecture) && {architecture}),
		...(operator !== undefined && version !== undefined && {version: {operator, text: version}}),
	};
}

/** True when a package of the version is one that the relation names. A package that is only provided may have none. */
export function isMet({version: wanted}: Relation, version: string | undefined): boolean {
	if (wanted === undefined) return true;
	return version !== undefined && (operators[wanted.operator]?.(compareVersions(version, wanted.text)) ?? false);
}

/** The relation in the words of its field. */
export const relationText = ({name, architecture, version}: Relation): string =>
	name +
	(architecture === undefined ? '' : `:${architecture}`) +
	(version === undefined ? '' : ` (${version.operator} ${version.text})`);
