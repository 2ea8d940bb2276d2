import {createHash} from 'node:crypto';
import {createServer} from 'node:http';
import type {AddressInfo} from 'node:net';
import test from 'ava';
import {randomFrom} from '#main/loader/testing';
import {isVmmError} from '#support/errors';
import {RegistryClient} from './registry-client.ts';

const rounds = 400;
const types = ['application/vnd.oci.image.manifest.v1+json'];
const body = Buffer.from('{"schemaVersion":2}');
const digest = `sha256:${createHash('sha256').update(body).digest('hex')}`;
const other = `sha256:${'a'.repeat(64)}`;

for (const seed of [1, 2, 3])
	test(`a registry that answers anything gives what its name says, or an error of its own (seed ${seed})`, async (t) => {
		t.timeout(240_000);
		const random = randomFrom(seed);
		const any = <T>(...of: readonly [T, ...T[]]): T => random.pick(of);
		const chance = (percent: number) => random.below(100) < percent;
		let asked = 0;
		const server = createServer((request, response) => {
			asked++;
			response.on('error', () => {});
			const own = `http://${request.headers.host}`;
			if (chance(3)) {
				request.socket.destroy();
				return;
			}
			if (chance(3)) {
				const wrong = any('HTTP/1.1 999', 'HTTP/1.1 200 OK\r\nContent-Length: -1', '\0\0\0', 'x'.repeat(100_000));
				request.socket.end(`${wrong}\r\n\r\n`);
				return;
			}
			// Two of three answers are right but for little, so that what is behind the first checks is reached.
			const isGood = chance(66);
			const headers: Record<string, string> = isGood ? {'content-type': types[0] as string} : {};
			if (!isGood && chance(80))
				headers['content-type'] = any(
					types[0] as string,
					types[0] as string,
					'text/html',
					'application/vnd.x',
					';',
					'',
				);
			if (chance(30)) headers['docker-content-digest'] = any(digest, other, 'sha256:', 'sha512:00', '\u00e9');
			if (chance(20))
				headers['content-range'] = any(
					'bytes 4-18/19',
					'bytes 0-18/19',
					'bytes 99999999999999999999-/1',
					'bytes -',
					'x',
				);
			if (chance(30))
				headers['location'] = any(
					`${own}/v2/a`,
					'/b',
					'',
					'file:///etc/passwd',
					'http://[',
					'ftp://a',
					`${own}/${'x'.repeat(5000)}`,
					'http://a:b@127.0.0.1/',
				);
			if (chance(30))
				headers['www-authenticate'] = any(
					`Bearer realm="${own}/token"`,
					'Bearer realm="',
					'Bearer',
					'Basic',
					`Bearer realm="${own}/token",scope="${'x'.repeat(5000)}"`,
					'Bearer realm="file:///a"',
				);
			if (chance(10)) headers['retry-after'] = any('0', '-1', '1e9', 'x');
			if (chance(10)) headers['content-encoding'] = any('gzip', 'br', 'x');
			const status = isGood
				? any(200, 200, 206)
				: any(200, 200, 200, 206, 301, 307, 401, 403, 404, 416, 429, 500, 204, 304);
			const sent = any(
				body,
				body,
				body,
				Buffer.alloc(0),
				Buffer.alloc(70_000, '{'),
				Buffer.from('{"token":"abc"}'),
				Buffer.from('{"errors":[{"code":{}}]}'),
				Buffer.from('[[[['),
				body.subarray(4),
			);
			try {
				response.writeHead(status, headers);
				if (chance(8)) response.write(sent, () => response.destroy());
				else response.end(sent);
			} catch {
				// Node.js sends no such header.
				response.destroy();
			}
		});
		await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
		t.teardown(() => server.closeAllConnections());
		t.teardown(() => server.close());
		const registry = `127.0.0.1:${(server.address() as AddressInfo).port}`;
		const patience = {spans: [], waitsMs: [], wholeMs: 600_000};
		const found = {given: 0, part: 0, refused: 0};
		const codes = new Set<string>();
		for (let round = 0; round < rounds; round++) {
			const credentials = any(undefined, {user: 'me', password: 'x'}, {identityToken: 'abc'});
			const client = new RegistryClient({registry, repository: 'a', patience, credentials});
			try {
				if (chance(60)) {
					const reference = any('latest', digest, other);
					const manifest = await client.manifest(reference, types);
					t.is(manifest.digest, `sha256:${createHash('sha256').update(manifest.bytes).digest('hex')}`);
					if (reference.startsWith('sha256:')) t.is(manifest.digest, reference);
					t.is(manifest.mediaType, types[0] as string);
					found.given++;
				} else {
					const from = any(0, 4);
					const {start, pieces} = await client.blob(digest, from);
					for await (const _ of pieces);
					t.true(start === 0 || start === from);
					found.part++;
				}
			} catch (error) {
				if (!isVmmError(error)) throw error;
				t.regex(error.code, /^REGISTRY_/);
				codes.add(error.code);
				found.refused++;
			}
		}
		t.true(
			asked >= rounds && found.given > 5 && found.part > 5 && codes.size > 6,
			JSON.stringify([asked, found, [...codes]]),
		);
	});
