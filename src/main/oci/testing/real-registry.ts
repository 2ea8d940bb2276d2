import {spawn} from 'node:child_process';
import {once} from 'node:events';
import {existsSync} from 'node:fs';
import {readFile, writeFile} from 'node:fs/promises';
import {join} from 'node:path';
import type {ExecutionContext} from 'ava';

/** Path of a program that the tests' pipeline has fetched. */
export const ociProgram = (name: string): string => join(process.cwd(), '.packages/oci', name);

/** False where they were not fetched. */
export const hasOciPrograms = (): boolean => ['docker-registry', 'umoci'].every((name) => existsSync(ociProgram(name)));

/** Debian's registry on this host. @returns its host and port */
export async function realRegistry(t: ExecutionContext, folder: string, settingsMore = ''): Promise<string> {
	const settings = join(folder, 'registry.yml');
	const storage = `storage:\n  filesystem:\n    rootdirectory: ${folder}/store\n`;
	await writeFile(settings, `version: 0.1\nlog:\n  level: info\n${storage}http:\n  addr: 127.0.0.1:0\n${settingsMore}`);
	const child = spawn(ociProgram('docker-registry'), ['serve', settings], {stdio: ['ignore', 'ignore', 'pipe']});
	const ended = once(child, 'close');
	t.teardown(async () => {
		child.kill();
		await ended;
	});
	let said = '';
	for await (const piece of child.stderr.setEncoding('utf8').iterator({destroyOnReturn: false})) {
		said += piece;
		const [, host] = /listening on (127\.0\.0\.1:\d+)/.exec(said) ?? [];
		if (host === undefined) continue;
		child.stderr.resume();
		return host;
	}
	throw new Error(`the registry has ended: ${said}`);
}

/** Pushes an image of a layout (distribution specification 1.1, "Pushing blobs", "Pushing Manifests"). */
export async function pushImage(
	layout: string,
	name: string,
	to: string,
	headers: Readonly<Record<string, string>> = {},
): Promise<void> {
	const read = (digest: string) => readFile(join(layout, 'blobs', digest.replace(':', '/')));
	const {manifests} = JSON.parse(await readFile(join(layout, 'index.json'), 'utf8')) as {
		manifests: {digest: string; mediaType: string; annotations: Record<string, string>}[];
	};
	const top = manifests.find(({annotations}) => annotations['org.opencontainers.image.ref.name'] === name);
	const bytes = await read(top?.digest ?? '');
	const {config, layers} = JSON.parse(bytes.toString()) as {config: {digest: string}; layers: {digest: string}[]};
	for (const {digest} of [config, ...layers]) {
		const begun = await fetch(`${to}/blobs/uploads/`, {method: 'POST', headers});
		const place = new URL(begun.headers.get('location') ?? '', to);
		place.searchParams.set('digest', digest);
		const put = await fetch(place, {
			method: 'PUT',
			body: await read(digest),
			headers: {...headers, 'content-type': 'application/octet-stream'},
		});
		if (!put.ok) throw new Error(`${put.status} ${await put.text()}`);
	}
	const put = await fetch(`${to}/manifests/${name}`, {
		method: 'PUT',
		body: bytes,
		headers: {...headers, 'content-type': top?.mediaType ?? ''},
	});
	if (!put.ok) throw new Error(`${put.status} ${await put.text()}`);
}
