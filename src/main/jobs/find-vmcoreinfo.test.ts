import test from 'ava';
import {findVmcoreinfo, maxCandidates} from './find-vmcoreinfo.ts';
import {chunkBytes} from './save-memory.ts';

const vmcoreinfo = 'OSRELEASE=6.1.0\nPAGESIZE=4096\nSYMBOL(_stext)=ffffffff81000000\n';
const pageBytes = 4096;

/** Gives the note found in memory that holds these pages, from the beginning of the chunk of this number. */
function found(pages: readonly string[], {chunk = 0, populated = [true, true]} = {}): string | undefined {
	const length = 2 * chunkBytes;
	const buffer = new SharedArrayBuffer(length);
	for (const [index, page] of pages.entries()) {
		new Uint8Array(buffer).set(Buffer.from(page, 'latin1'), chunk * chunkBytes + index * pageBytes);
	}
	const {text} = findVmcoreinfo({buffer, offset: 0, length, populated, most: maxCandidates});
	return text && Buffer.from(text).toString('latin1');
}

test('VMCOREINFO is a page that begins as the kernel writes it', (t) => {
	t.is(found([vmcoreinfo]), vmcoreinfo);
	t.is(found(['', 'else', vmcoreinfo], {chunk: 1}), vmcoreinfo);
	for (const page of [
		` ${vmcoreinfo}`,
		'OSRELEASE=%s\n',
		'OSRELEASE='.repeat(409),
		'OSRELEASE=6\nPAGESIZE=\nSYMBOL(_stext)=1\n',
		'OSRELEASE=6\nSYMBOL(_stext)=1\nPAGESIZE=4096\n',
		'OSRELEASE=6\nPAGESIZE=4096\n SYMBOL(_stext)=1\n',
		'OSRELEASE=6\nPAGESIZE=4096\n\0SYMBOL(_stext)=1\n',
	])
		t.is(found([page]), undefined, page.slice(0, 60));
});

test('what nobody used is not looked at', (t) => {
	t.is(found([vmcoreinfo], {chunk: 1, populated: [true, false]}), undefined);
});

test('pages that only begin like it are looked into a few times, whatever they hold', (t) => {
	const hostile = `OSRELEASE=\n${'PAGESIZE=1\n'.repeat(371)}`;
	const after = (count: number) => found([...new Array<string>(count).fill(hostile), vmcoreinfo]);
	t.is(after(maxCandidates - 1), vmcoreinfo);
	t.is(after(maxCandidates), undefined);
	t.is(found(new Array<string>(chunkBytes / pageBytes).fill(hostile)), undefined);
});
