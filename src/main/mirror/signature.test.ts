import {existsSync, readdirSync, readFileSync} from 'node:fs';
import {mkdtemp, rm, writeFile} from 'node:fs/promises';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import test from 'ava';
import {readKey} from 'openpgp';
import {findKeyring, verifiedText} from './signature.ts';
import {makeSigner} from './testing/index.ts';

const now = () => Math.floor(Date.now() / 1000);
const release = 'Suite: made\nDate: today\n\n- a line that begins with a dash\n';

for (const type of ['rsa', 'ecc', 'curve25519'] as const) {
	test(`a key of the kind ${type} signs in a release and beside it, and is armored or not`, async (t) => {
		const signer = await makeSigner(type);
		const binary = Buffer.from((await readKey({armoredKey: signer.keyring.toString()})).write());
		const text = Buffer.from(release);
		for (const bytes of [signer.keyring, binary, Buffer.concat([binary, binary])]) {
			const keyring = {path: 'made', bytes};
			t.is(await verifiedText({url: 'u', inline: await signer.inline(release)}, keyring, now()), release);
			const signature = await signer.detached(release);
			t.is(await verifiedText({url: 'u', text, signature}, keyring, now()), release);
			const changed = Buffer.from(release.replace('today', 'never'));
			await t.throwsAsync(verifiedText({url: 'u', text: changed, signature}, keyring, now()), {
				code: 'MIRROR_SIGNATURE_WRONG',
			});
		}
	});
}

test('a release that comes before its signature was made, and one without any, are refused', async (t) => {
	const signer = await makeSigner();
	const keyring = {path: 'made', bytes: signer.keyring};
	const early = verifiedText({url: 'u', inline: await signer.inline(release)}, keyring, now() - 3600);
	await t.throwsAsync(early, {code: 'MIRROR_SIGNATURE_WRONG'});
	for (const bytes of [Buffer.alloc(0), Buffer.alloc(1000, 0xff), Buffer.from(release)]) {
		const code = 'MIRROR_SIGNATURE_MISSING';
		await t.throwsAsync(verifiedText({url: 'u', inline: bytes}, keyring, now()), {code});
		const beside = verifiedText({url: 'u', text: Buffer.from(release), signature: bytes}, keyring, now());
		await t.throwsAsync(beside, {code});
	}
});

test('a keyring that is not there says where it was looked for, and what to do', async (t) => {
	const error = await t.throwsAsync(findKeyring('/gone'), {code: 'MIRROR_KEYRING_MISSING', message: /\/gone/});
	t.regex((error as unknown as {remedy: string}).remedy, /--keyring FILE.*debian-archive-keyring/);
	const folder = await mkdtemp(join(tmpdir(), 'keyring-'));
	t.teardown(() => rm(folder, {recursive: true}));
	const path = join(folder, 'keyring');
	for (const bytes of ['', 'no key', '-----BEGIN PGP PUBLIC KEY BLOCK-----\n\nnone', Buffer.alloc(500, 0x99)]) {
		await writeFile(path, bytes);
		const keyring = await findKeyring(path);
		await t.throwsAsync(verifiedText({url: 'u', inline: Buffer.alloc(0)}, keyring, now()), {
			code: 'MIRROR_KEYRING_INVALID',
		});
	}
	await writeFile(path, Buffer.alloc(2 ** 24 + 1));
	await t.throwsAsync(findKeyring(path), {code: 'MIRROR_KEYRING_INVALID'});
});

const lists = '/var/lib/apt/lists';
const debian = existsSync(lists) ? readdirSync(lists).filter((name) => /_debian_dists_.*_InRelease$/.test(name)) : [];
const hostTest = debian.length > 0 && existsSync('/usr/share/keyrings/debian-archive-keyring.gpg') ? test : test.skip;

hostTest('Debian’s own releases hold by the keyring of this host', async (t) => {
	const keyring = await findKeyring();
	for (const name of debian) {
		const inline = readFileSync(join(lists, name));
		const text = await verifiedText({url: name, inline}, keyring, now());
		t.regex(text, /^Origin: Debian/);
		inline[inline.indexOf('Date: ') + 8] = 0x40;
		await t.throwsAsync(verifiedText({url: name, inline}, keyring, now()), {code: 'MIRROR_SIGNATURE_WRONG'});
	}
});
