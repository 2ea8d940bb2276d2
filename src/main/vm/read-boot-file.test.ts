import {mkdtempSync, rmSync, truncateSync, writeFileSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import test from 'ava';
import {readBootFile} from './read-boot-file.ts';

const folder = mkdtempSync(join(tmpdir(), 'openvmm-boot-file-'));
test.after.always(() => rmSync(folder, {recursive: true}));

test('a file that fits is read whole', async (t) => {
	const path = join(folder, 'small');
	writeFileSync(path, 'kernel');
	t.is(Buffer.from(await readBootFile(path, 6)).toString(), 'kernel');
});

test('a file larger than the memory is refused unread, whatever its size', async (t) => {
	const path = join(folder, 'large');
	writeFileSync(path, '');
	truncateSync(path, 3 * 2 ** 30);
	const error = await t.throwsAsync(readBootFile(path, 512 * 2 ** 20), {code: 'MEMORY_BELOW_BOOT_FILE'});
	t.regex(error.message, /large" has 3GB, and the machine has 512MB/);
});
