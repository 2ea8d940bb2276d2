import {readFileSync} from 'node:fs';
import {join} from 'node:path';
import {DebFile} from '#main/debian';
import {gather} from '#main/tar';
import type {MadeMember} from '#main/tar/testing';

const packages = join(process.cwd(), '.packages');

/** Debian's static busybox, from the package that the tests' guests have it of. */
async function busybox(): Promise<Uint8Array> {
	const {busybox: paths} = JSON.parse(readFileSync(join(packages, 'packages.json'), 'utf8')) as {busybox: string[]};
	const deb = await DebFile.open('busybox-static', readFileSync(join(packages, paths[0] as string)));
	for await (const {path, content} of deb.members()) if (/\/bin\/busybox$/.test(path)) return await gather(content);
	throw new Error('busybox-static has no busybox');
}

const applets = [
	'sh',
	'id',
	'cat',
	'echo',
	'pwd',
	'ls',
	'touch',
	'test',
	'httpd',
	'sync',
	'sleep',
	'stty',
	'grep',
	'kill',
];

/** The least system for images of containers: what a shell needs, and users. */
export const busyboxSystem = async (): Promise<MadeMember[]> => [
	{path: 'bin/busybox', data: await busybox(), mode: 0o755},
	...applets.map((name) => ({path: `bin/${name}`, type: '1', target: 'bin/busybox'})),
	{path: 'etc/passwd', data: 'root:x:0:0::/:/bin/sh\napp:x:1000:1000::/app:/bin/sh\n'},
	{path: 'etc/group', data: 'root:x:0:\napp:x:1000:\n'},
];
