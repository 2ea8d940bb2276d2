import test from 'ava';
import {parseImageName} from './image-name.ts';
import {parseReference, referenceText} from './reference.ts';

const digest = `sha256:${'a1'.repeat(32)}`;

const references: readonly (readonly [name: string, whole: string])[] = [
	['debian', 'docker.io/library/debian:latest'],
	[`debian@sha512:${'a'.repeat(128)}`, `docker.io/library/debian@sha512:${'a'.repeat(128)}`],
	['debian:12', 'docker.io/library/debian:12'],
	['docker.io/debian', 'docker.io/library/debian:latest'],
	['team/app', 'docker.io/team/app:latest'],
	['localhost/app', 'localhost/app:latest'],
	['localhost:5000/app:v1', 'localhost:5000/app:v1'],
	['[::1]:5000/app', '[::1]:5000/app:latest'],
	['registry.example/a/b/c__d-e.f', 'registry.example/a/b/c__d-e.f:latest'],
	[`debian@${digest}`, `docker.io/library/debian@${digest}`],
	[`host:1/app:v1@${digest}`, `host:1/app:v1@${digest}`],
	['registry:2', 'docker.io/library/registry:2'],
];
for (const [name, whole] of references)
	test(`${name} is ${whole}`, (t) => {
		t.is(referenceText(parseReference(name)), whole);
		t.is(referenceText(parseReference(whole)), whole);
	});

for (const name of [
	'',
	'Debian',
	'debian:',
	'debian:-x',
	`debian:${'x'.repeat(129)}`,
	'a//b',
	'a/../b',
	'a..b/c',
	'-host/a',
	'ho_st.x/a',
	'host:port/a',
	'host:123456/a',
	'debian@sha256:12',
	`debian@sha512:${'a'.repeat(64)}`,
	`debian@sha256:${'a'.repeat(128)}`,
	`debian@sha384:${'a'.repeat(96)}`,
	`debian@${digest}@${digest}`,
	'a\nb',
	'a b',
	'user:password@host/app',
	`${'a'.repeat(256)}`,
	'http://host/a',
	'[::1/a',
	'[::::]/a',
	'999.1.1.1/a',
	'host:99999/a',
])
	test(`${JSON.stringify(name.slice(0, 40))} is no reference`, (t) => {
		t.throws(() => parseReference(name), {code: 'OCI_NAME_INVALID'});
	});

const names: readonly (readonly [name: string, kind: string, path?: string])[] = [
	['debian', 'reference'],
	['docker://tar:1', 'reference'],
	['disk.img', 'disk'],
	['a/b.qcow2', 'disk'],
	['qcow2:x.bin', 'disk', 'x.bin'],
	['root.tar', 'tar-or-archive'],
	['root.tar.gz', 'tar-or-archive'],
	['root.tar.zst#v1', 'tar-or-archive', 'root.tar.zst'],
	['tar:anything', 'tar', 'anything'],
	['archive:a#b', 'archive', 'a'],
	['oci:dir#v1', 'layout', 'dir'],
	['./folder', 'path'],
	['/folder', 'path'],
	['..', 'path'],
	['folder:x', 'folder', 'x'],
];
for (const [name, kind, path] of names)
	test(`${name} names a ${kind}`, (t) => {
		const found = parseImageName(name);
		t.is(found.kind, kind as typeof found.kind);
		if (path !== undefined) t.is('path' in found && found.path, path);
	});

for (const name of ['', 'a\0b', 'tar:', 'oci:', 'docker://'])
	test(`${JSON.stringify(name)} names nothing`, (t) => {
		t.throws(() => parseImageName(name), {code: 'OCI_NAME_INVALID'});
	});
