import {readdirSync, readFileSync} from 'node:fs';
import {join} from 'node:path';
import {DebFile} from '#main/debian';

const archives = join(process.cwd(), '.packages/apt/archives');

/** Debian's own packages of the kernel and of busybox, where the tests' pipeline has put them. */
export async function stockPackages() {
	const names = readdirSync(archives).filter((name) => /^(linux-image-|busybox-static_).*\.deb$/.test(name));
	return Promise.all(
		names.map(async (name) => {
			const bytes = readFileSync(join(archives, name));
			return {name, bytes, paragraph: (await DebFile.open(name, bytes)).control.text};
		}),
	);
}
