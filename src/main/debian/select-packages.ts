import {debianError} from './errors.ts';
import {type Package, type PackageList, priorities} from './package-list.ts';
import {type Relation, relationText} from './relations.ts';

/** Packages that come without being named: those that no Debian system is without, or also those of a priority and above. */
export type BaseSystem = 'none' | 'essential' | 'required' | 'important' | 'standard';

/** What to choose from a list. */
export interface PackageChoice {
	readonly base: BaseSystem;
	readonly names: readonly string[];
	/** Packages to take where one of several is needed and they are among these. */
	readonly prefer?: readonly string[];
}

/**
 * Chooses packages with all that they need, each once and after what it needs, where no circle is. Where one of several
 * packages will do, one that is there anyhow is taken, else the first in the words of who needs it.
 * @throws VmmError PACKAGE_UNKNOWN, PACKAGE_DEPENDENCY_UNMET, PACKAGES_CONFLICT, PACKAGE_LIST_DAMAGED
 */
export function selectPackages(list: PackageList, {base, names, prefer = []}: PackageChoice): Package[] {
	const selection = new Selection(list, new Set(prefer));
	for (const name of names) selection.add(list.get(name));
	for (const each of list) if (isOfBase(each, base)) selection.add(each);
	selection.complete();
	return selection.inOrder();
}

function isOfBase({isEssential, priority}: Package, base: BaseSystem): boolean {
	if (base === 'none') return false;
	return isEssential || priority <= priorities.indexOf(base);
}

/** What a package needs. */
interface Need {
	readonly by: Package;
	readonly alternatives: readonly Relation[];
}

class Selection {
	readonly #list: PackageList;
	readonly #prefer: ReadonlySet<string>;
	readonly #chosen = new Map<string, Package>();
	/** Needs that one package alone meets come first: what they bring may meet the others. */
	readonly #plain: Need[] = [];
	readonly #open: Need[] = [];
	/** Names of what is chosen, with those it provides. */
	readonly #byName = new Map<string, Package[]>();
	readonly #exclusions: {readonly by: Package; readonly relation: Relation}[] = [];

	constructor(list: PackageList, prefer: ReadonlySet<string>) {
		this.#list = list;
		this.#prefer = prefer;
	}

	/** @throws VmmError PACKAGES_CONFLICT */
	add(added: Package): void {
		if (this.#chosen.has(added.name)) return;
		const conflict = this.#conflict(added);
		if (conflict !== undefined) throw debianError('PACKAGES_CONFLICT', conflict);
		this.#chosen.set(added.name, added);
		for (const name of new Set([added.name, ...added.provides.map((each) => each.name)]))
			this.#byName.set(name, [...(this.#byName.get(name) ?? []), added]);
		this.#exclusions.push(...added.excludes.map((relation) => ({by: added, relation})));
		for (const alternatives of added.needs) {
			const needs = this.#candidates(alternatives).length === 1 ? this.#plain : this.#open;
			needs.push({by: added, alternatives});
		}
	}

	/** Chooses until nothing is needed any more. */
	complete(): void {
		for (let need = this.#next(); need !== undefined; need = this.#next()) {
			if (!need.alternatives.some((relation) => this.#isMet(relation))) this.add(this.#choose(need));
		}
	}

	/** The chosen packages, each after what it needs. */
	inOrder(): Package[] {
		const ordered = new Set<Package>();
		const seen = new Set<Package>();
		// A list may have chains longer than the stack: what is open lies in an array.
		const open = [...this.#chosen.values()].reverse();
		for (let last = open.at(-1); last !== undefined; last = open.at(-1)) {
			if (seen.has(last)) {
				ordered.add(last);
				open.pop();
				continue;
			}
			seen.add(last);
			const needed = last.needs.flatMap((alternatives) =>
				alternatives.flatMap(({name}) => this.#byName.get(name) ?? []),
			);
			open.push(...needed.filter((each) => !seen.has(each)).reverse());
		}
		return [...ordered];
	}

	#next(): Need | undefined {
		return this.#plain.shift() ?? this.#open.shift();
	}

	#isMet(relation: Relation): boolean {
		return this.#byName.get(relation.name)?.some((each) => each.meets(relation)) ?? false;
	}

	/** Packages of the list that meet any of the relations, in the order in which they are taken. */
	#candidates(alternatives: readonly Relation[]): Package[] {
		return alternatives.flatMap((relation) => {
			const named = this.#list.find(relation.name);
			const all = [...(named === undefined ? [] : [named]), ...this.#list.providers(relation.name)];
			return all.filter((each) => each.meets(relation));
		});
	}

	/** @throws VmmError PACKAGE_DEPENDENCY_UNMET */
	#choose({by, alternatives}: Need): Package {
		const all = this.#candidates(alternatives);
		const free = all.filter((each) => this.#conflict(each) === undefined);
		const found = free.find(({name}) => this.#prefer.has(name)) ?? free[0];
		if (found !== undefined) return found;
		const dependency = alternatives.map(relationText).join(' | ');
		const why =
			all.map((each) => this.#whyNot(each)).join(', ') || alternatives.map((each) => this.#missing(each)).join(', ');
		throw debianError('PACKAGE_DEPENDENCY_UNMET', {package: `${by.name} ${by.version}`, dependency, why});
	}

	#whyNot(candidate: Package): string {
		const {package: by, relation, other} = this.#conflict(candidate) ?? {};
		return `${by} conflicts with ${relation}, which is ${other}`;
	}

	#missing({name}: Relation): string {
		const known = this.#list.find(name);
		return known === undefined ? `there is no ${name}` : `${name} is ${known.version}`;
	}

	/** What keeps a package from being chosen: it excludes one that is, or the other way round. */
	#conflict(added: Package): {readonly package: string; readonly relation: string; readonly other: string} | undefined {
		const others = (name: string) => (this.#byName.get(name) ?? []).filter((each) => each !== added);
		for (const relation of added.excludes) {
			const other = others(relation.name).find((each) => each.meets(relation));
			if (other !== undefined) return {package: added.name, relation: relationText(relation), other: other.name};
		}
		const found = this.#exclusions.find(({by, relation}) => by !== added && added.meets(relation));
		return found && {package: found.by.name, relation: relationText(found.relation), other: added.name};
	}
}
