import {mkdtempSync, rmSync, writeFileSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {fileURLToPath} from 'node:url';
import test from 'ava';
import {hasTerminals, showsOnTerminal} from './testing/new-terminal.ts';

const fixture = fileURLToPath(new URL('./testing/detached.ts', import.meta.url));

(hasTerminals ? test : test.skip)('who waits for a machine in the background sees how far it is', async (t) => {
	const folder = mkdtempSync(join(tmpdir(), 'openvmm-detach-'));
	t.teardown(() => rmSync(folder, {recursive: true, force: true}));
	const go = join(folder, 'go');
	const shown = await showsOnTerminal(`${process.execPath} ${fixture} ${go}; echo status $?`, [
		['openvmm: boot…', () => writeFileSync(go, '')],
	]);
	// The line is taken away before anything else is said.
	t.regex(shown, /openvmm: boot….*\r +\r(?:a warning\r\n)?web\r\nstatus 0\r\n$/s);
});
