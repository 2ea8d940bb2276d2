import type {LongOperation} from '#support/abort';
import type {Package, PackageList} from './package-list.ts';

/** A package and its file on the host. */
export interface DownloadedPackage {
	readonly package: Package;
	readonly path: string;
}

/** Packages that were chosen, by what they are for. */
export type ChosenPackages = Readonly<Record<string, readonly Package[]>>;

/** Files of packages that were chosen, by what they are for. */
export type DownloadedChoice<T extends ChosenPackages> = {[K in keyof T]: DownloadedPackage[]};

/** Where packages come from. */
export interface PackageSource {
	/**
	 * Chooses packages from its lists and downloads them. What it gives is what its lists tell, byte for byte.
	 * @param choose - gives packages by what they are for; it is asked again where the lists were too old
	 * @param operation - progress counts the bytes of packages
	 * @throws VmmError for what cannot be fetched or is not what the lists tell, and what `choose` throws
	 */
	fetch<T extends ChosenPackages>(
		architecture: string,
		choose: (list: PackageList) => T,
		operation?: LongOperation,
	): Promise<DownloadedChoice<T>>;
}

/** Downloads each of the chosen packages once. */
export async function downloadChosen<T extends ChosenPackages>(
	chosen: T,
	download: (packages: readonly Package[]) => Promise<readonly DownloadedPackage[]>,
): Promise<DownloadedChoice<T>> {
	const named = Object.entries(chosen);
	const files = await download([...new Set(named.flatMap(([, packages]) => packages))]);
	const fileOf = new Map(files.map((each) => [each.package, each]));
	const ofAll = (packages: readonly Package[]) => packages.flatMap((each) => fileOf.get(each) ?? []);
	return Object.fromEntries(named.map(([name, packages]) => [name, ofAll(packages)])) as DownloadedChoice<T>;
}
