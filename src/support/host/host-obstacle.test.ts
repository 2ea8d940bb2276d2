import {mkdtempSync, rmSync, writeFileSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import test from 'ava';
import {hostFacts, hostObstacle, loaderOf} from './index.ts';

const glibc = {architecture: 'x64', version: 'v24.21.0', loader: '/lib64/ld-linux-x86-64.so.2'};

test('x86-64 with glibc is fine, and so is a Node.js of which nothing is known', (t) => {
	t.is(hostObstacle(glibc), undefined);
	t.is(hostObstacle({...glibc, loader: undefined}), undefined);
	t.is(hostObstacle(hostFacts()), undefined);
	t.regex(hostFacts().loader ?? '', /ld-linux/);
});

test('another architecture is named, whatever its C library', (t) => {
	for (const loader of ['/lib/ld-linux-aarch64.so.1', '/lib/ld-musl-aarch64.so.1']) {
		const obstacle = hostObstacle({...glibc, architecture: 'arm64', loader});
		t.is(obstacle?.code, 'HOST_ARCHITECTURE');
		t.regex(obstacle?.message ?? '', /^This host is arm64, and guests are x86-64/);
	}
});

test('musl is named, with its loader', (t) => {
	const obstacle = hostObstacle({...glibc, loader: '/lib/ld-musl-x86_64.so.1'});
	t.is(obstacle?.code, 'HOST_LIBC');
	t.regex(obstacle?.message ?? '', /^This Node\.js v24\.21\.0 is made for the C library musl \(\/lib\/ld-musl-x86_64/);
});

test("a program's loader is read from its first page; what is no program has none", (t) => {
	const folder = mkdtempSync(join(tmpdir(), 'openvmm-loader-'));
	t.teardown(() => rmSync(folder, {recursive: true}));
	const path = join(folder, 'program');
	writeFileSync(path, '\x7fELF\x02\x01\0\0\0/lib/ld-musl-x86_64.so.1\0\0\0');
	t.is(loaderOf(path), '/lib/ld-musl-x86_64.so.1');
	writeFileSync(path, '#!/bin/sh\n');
	t.is(loaderOf(path), undefined);
	t.is(loaderOf(join(folder, 'none')), undefined);
});
