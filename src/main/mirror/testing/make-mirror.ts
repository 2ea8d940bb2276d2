import {createHash} from 'node:crypto';
import {createServer, type IncomingMessage, type ServerResponse} from 'node:http';
import type {AddressInfo} from 'node:net';
import {gzipSync} from 'node:zlib';
import type {ExecutionContext} from 'ava';
import {createCleartextMessage, createMessage, generateKey, readPrivateKey, sign} from 'openpgp';
import {type MadeDeb, makeDeb, makeParagraph} from '#main/debian/testing';

/** A key of a distribution's own. */
export interface Signer {
	/** Public, armored. */
	readonly keyring: Buffer;
	/** A text with its signature in it, of this time. */
	inline(text: string, date?: Date): Promise<Buffer>;
	/** A signature beside a text. */
	detached(text: string): Promise<Buffer>;
}

/** Makes a key. */
export async function makeSigner(
	type: 'ecc' | 'rsa' | 'curve25519' = 'curve25519',
	options: {readonly date?: Date; readonly keyExpirationTime?: number} = {},
): Promise<Signer> {
	const userIDs = [{name: 'Made', email: 'made@example.org'}];
	const shape = type === 'rsa' ? {rsaBits: 2048} : type === 'ecc' ? {curve: 'ed25519Legacy' as const} : {};
	const {privateKey, publicKey} = await generateKey({type, userIDs, ...shape, ...options, format: 'armored'});
	const signingKeys = await readPrivateKey({armoredKey: privateKey});
	return {
		keyring: Buffer.from(publicKey),
		async inline(text, date = new Date()) {
			const message = await createCleartextMessage({text});
			return Buffer.from(await sign({message, signingKeys, date}));
		},
		async detached(text) {
			const message = await createMessage({binary: Buffer.from(text)});
			const signed = await sign({message, signingKeys, detached: true, format: 'binary'});
			return Buffer.from(signed as Uint8Array);
		},
	};
}

/** What a mirror has. */
export interface MadeSuite {
	readonly debs: readonly MadeDeb[];
	readonly signer: Signer;
	readonly suite?: string;
	/** Files of packages that are there already, by their names, with the paragraphs of their lists. */
	readonly packages?: readonly {readonly paragraph: string; readonly bytes: Buffer; readonly name: string}[];
	/** Lines of the release in place of others, by their names; empty ones are left out. */
	readonly fields?: Readonly<Record<string, string>>;
	/** Changes the paragraph of a package in the list. */
	readonly listed?: (paragraph: string) => string;
}

/** Files by their paths below the mirror. */
export type MadeMirror = Map<string, Buffer>;

const sha256 = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest('hex');

/** Makes the files of a mirror. */
export async function makeMirror(made: MadeSuite): Promise<MadeMirror> {
	const {debs, signer, suite = 'made', packages = [], fields = {}, listed = (text) => text} = made;
	const files: MadeMirror = new Map();
	const own = debs.map((deb) => ({paragraph: makeParagraph(deb), bytes: makeDeb(deb), name: `${deb.name}.deb`}));
	const paragraphs = [...own, ...packages].map(({paragraph, bytes, name}) => {
		const file = `pool/${name}`;
		files.set(file, bytes);
		return listed(`${paragraph.trimEnd()}\nFilename: ${file}\nSize: ${bytes.length}\nSHA256: ${sha256(bytes)}\n`);
	});
	const plain = Buffer.from(paragraphs.join('\n'));
	const lists = {'main/binary-amd64/Packages': plain, 'main/binary-amd64/Packages.gz': gzipSync(plain)};
	const lines = Object.entries(lists).map(([path, bytes]) => ` ${sha256(bytes)} ${bytes.length} ${path}`);
	for (const [path, bytes] of Object.entries(lists)) {
		files.set(`dists/${suite}/${path}`, bytes);
		files.set(`dists/${suite}/main/binary-amd64/by-hash/SHA256/${sha256(bytes)}`, bytes);
	}
	const all = {
		Origin: 'Made',
		Suite: suite,
		Date: new Date(Date.now() - 3600_000).toUTCString(),
		'Acquire-By-Hash': 'yes',
		Architectures: 'all amd64',
		Components: 'main contrib',
		'No-Support-for-Architecture-all': 'Packages',
		SHA256: `\n${lines.join('\n')}`,
		...fields,
	};
	const release = Object.entries(all).flatMap(([name, value]) => (value === '' ? [] : [`${name}: ${value}`]));
	const text = `${release.join('\n')}\n`;
	files.set(`dists/${suite}/InRelease`, await signer.inline(text));
	files.set(`dists/${suite}/Release`, Buffer.from(text));
	files.set(`dists/${suite}/Release.gpg`, await signer.detached(text));
	return files;
}

/** Answers in place of the mirror. Returns false for what it leaves to it. */
export type Answer = (request: IncomingMessage, response: ServerResponse) => boolean;

/** Serves a mirror on loopback. Returns its address, and what was asked for. */
export async function serveMirror(
	t: ExecutionContext,
	files: MadeMirror,
	answer: Answer = () => false,
): Promise<{readonly address: string; readonly asked: string[]}> {
	const asked: string[] = [];
	const server = createServer((request, response) => {
		const path = decodeURIComponent(request.url ?? '').slice(1);
		asked.push(path);
		if (answer(request, response)) return;
		const found = files.get(path);
		const from = Number(/^bytes=(\d+)-$/.exec(request.headers.range ?? '')?.[1] ?? 0);
		if (found === undefined) response.writeHead(404).end('there is none');
		else if (from > 0) {
			const range = `bytes ${from}-${found.length - 1}/${found.length}`;
			response.writeHead(206, {'content-range': range}).end(found.subarray(from));
		} else response.end(found);
	});
	await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
	t.teardown(async () => {
		server.closeAllConnections();
		await new Promise((resolve) => server.close(resolve));
	});
	return {address: `http://127.0.0.1:${(server.address() as AddressInfo).port}/`, asked};
}
