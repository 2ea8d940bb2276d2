import {execFileSync, spawnSync} from 'node:child_process';
import {mkdtempSync, readFileSync, rmSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import test from 'ava';
import {busErrorHandler, busErrorHandlerListing, busErrorTableOffset} from './bus-error-handler.ts';

const canAssemble = ['as', 'objcopy'].every((tool) => spawnSync(tool, ['--version']).status === 0);

(canAssemble ? test : test.skip)('the bytes are what the listing says beside them', (t) => {
	const folder = mkdtempSync(join(tmpdir(), 'openvmm-handler-'));
	t.teardown(() => rmSync(folder, {recursive: true}));
	const [object, binary] = [join(folder, 'handler.o'), join(folder, 'handler.bin')];
	const text = busErrorHandlerListing.replaceAll(/^\t(?:[0-9a-f]{2} )+/gm, '');
	const source = `.intel_syntax noprefix\n.set table, start + ${busErrorTableOffset}\n${text}`;
	execFileSync('as', ['--64', '-o', object, '-'], {input: source});
	execFileSync('objcopy', ['-O', 'binary', '--only-section=.text', object, binary]);
	t.deepEqual(Buffer.from(busErrorHandler()), readFileSync(binary));
});
