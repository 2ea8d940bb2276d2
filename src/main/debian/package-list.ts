import {debianError} from './errors.ts';
import type {FileFacts} from './file-facts.ts';
import {Paragraph} from './paragraph.ts';
import {isMet, parseRelations, type Relation} from './relations.ts';
import {compareVersions} from './versions.ts';

/** Priorities, the most necessary first (Debian Policy 2.5). */
export const priorities: readonly string[] = ['required', 'important', 'standard', 'optional', 'extra'];

/** A package as its list tells, which is not there yet. Relations are read when they are asked for: few are. */
export class Package {
	readonly name: string;
	readonly version: string;
	/** Of the mirror whose list it is in; empty where the list does not say. */
	readonly mirror: string;
	readonly #paragraph: Paragraph;

	/** @throws VmmError PACKAGE_LIST_DAMAGED */
	constructor(paragraph: Paragraph, mirror = '') {
		this.#paragraph = paragraph;
		this.mirror = mirror;
		const [name, version] = [paragraph.field('Package'), paragraph.field('Version')];
		if (name === undefined || version === undefined)
			throw damaged(`'${paragraph.text.slice(0, 40)}' has no name or no version`);
		this.name = name;
		this.version = version;
	}

	get architecture(): string {
		return this.#paragraph.field('Architecture') ?? 'all';
	}

	/** Index among {@link priorities}. */
	get priority(): number {
		const found = priorities.indexOf(this.#paragraph.field('Priority') ?? '');
		return found < 0 ? priorities.length : found;
	}

	get isEssential(): boolean {
		return this.#paragraph.field('Essential') === 'yes';
	}

	/** Size of the package in bytes, and the checksum of its bytes, where the list tells them. */
	get archive(): FileFacts | undefined {
		const [bytes, checksum] = [this.#paragraph.field('Size'), this.#paragraph.field('SHA256')];
		return bytes === undefined || checksum === undefined ? undefined : {bytes: Number(bytes), checksum};
	}

	/** Where it is below the mirror, where the list tells. */
	get file(): string | undefined {
		return this.#paragraph.field('Filename');
	}

	/** About what its files take, in bytes. */
	get installedBytes(): number {
		return Number(this.#paragraph.field('Installed-Size') ?? 0) * 1024;
	}

	/** What must be there when it is used. Recommended packages are not. */
	get needs(): Relation[][] {
		return [...this.#relations('Pre-Depends'), ...this.#relations('Depends')];
	}

	/** What cannot be there beside it. */
	get excludes(): Relation[] {
		return [...this.#relations('Conflicts'), ...this.#relations('Breaks')].flat();
	}

	/** Names that it stands for, each with a version or with none. */
	get provides(): Relation[] {
		return this.#relations('Provides').flat();
	}

	/** True when it is what the relation names, by its own name or by one that it provides. */
	meets(relation: Relation): boolean {
		if (relation.architecture !== undefined && relation.architecture !== this.architecture) return false;
		if (relation.name === this.name) return isMet(relation, this.version);
		return this.provides.some(({name, version}) => name === relation.name && isMet(relation, version?.text));
	}

	#relations(field: string): Relation[][] {
		return parseRelations(this.#paragraph.field(field), (what) => damaged(`in ${field} of ${this.name}, ${what}`));
	}
}

const damaged = (what: string): Error => debianError('PACKAGE_LIST_DAMAGED', {what});

/** Paragraphs of packages, as in a `Packages` file, and the address of the mirror that they are below. */
export interface PackageText {
	readonly text: string;
	readonly mirror?: string;
}

/** The packages of one architecture, each in its newest version. */
export class PackageList {
	readonly architecture: string;
	readonly #packages = new Map<string, Package>();
	readonly #providers = new Map<string, Package[]>();

	/** @throws VmmError PACKAGE_LIST_DAMAGED */
	constructor(texts: readonly PackageText[], architecture: string) {
		this.architecture = architecture;
		for (const {text, mirror} of texts) {
			// A list has 60,000 paragraphs, of which none is looked at twice here.
			for (const each of text.split('\n\n')) {
				if (each.trim() !== '') this.#add(new Package(new Paragraph(each), mirror));
			}
		}
		for (const each of this.#packages.values()) {
			for (const {name} of each.provides) this.#providers.set(name, [...(this.#providers.get(name) ?? []), each]);
		}
	}

	/** @throws VmmError PACKAGE_UNKNOWN */
	get(name: string): Package {
		const found = this.#packages.get(name);
		if (found === undefined) throw debianError('PACKAGE_UNKNOWN', {name, architecture: this.architecture});
		return found;
	}

	find(name: string): Package | undefined {
		return this.#packages.get(name);
	}

	/** Packages that provide the name, the most necessary first. */
	providers(name: string): Package[] {
		const found = this.#providers.get(name) ?? [];
		return found.toSorted((a, b) => a.priority - b.priority || (a.name < b.name ? -1 : 1));
	}

	[Symbol.iterator](): Iterator<Package> {
		return this.#packages.values();
	}

	#add(added: Package): void {
		if (![this.architecture, 'all'].includes(added.architecture)) return;
		const known = this.#packages.get(added.name);
		if (known === undefined || compareVersions(known.version, added.version) < 0) this.#packages.set(added.name, added);
	}
}
