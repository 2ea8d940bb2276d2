import {invalidValue} from '#support/options';
import {type DiskKind, parseWords} from './disk-kind.ts';
import type {BlobSource} from './disk-source.ts';

const prefix = 'blob';
const formats: readonly unknown[] = ['flat', 'vhd1'];
const protocols = ['http:', 'https:'];

/** `blob:flat:URL`, `blob:vhd1:URL`, `blob;cache=FOLDER:flat:URL`, `blob;cache=off:flat:URL`. */
export const blobKind: DiskKind<BlobSource> = {
	prefix,
	form: 'blob:flat:URL or blob:vhd1:URL (what a server gives by HTTP, raw or as a fixed VHD, only read; blob;cache=FOLDER:flat:URL says where parts of it are kept, blob;cache=off:flat:URL that they are not)',
	parse({option, words, rest}) {
		const named = `${option} ${prefix}`;
		const cache = parseWords(words, named, ['cache']).get('cache');
		const [, format, url = ''] = /^([^:]*):(.*)$/s.exec(rest) ?? [];
		if (!formats.includes(format)) throw invalidValue(named, rest, 'flat:URL or vhd1:URL');
		if (cache === '') throw invalidValue(`${named} cache`, cache, 'a folder, or off');
		if (!isAddress(url)) {
			const told = url.replace(/\/\/[^/]*@/, '//…@');
			throw invalidValue(`${named} URL`, told, 'an address by http or https, without a user in it');
		}
		const kept = cache === 'off' ? false : cache;
		const source = {kind: 'blob', format: format as BlobSource['format'], url} as const;
		return kept === undefined ? source : {...source, cache: kept};
	},
	isRight: ({format, url, cache}) =>
		formats.includes(format) &&
		typeof url === 'string' &&
		isAddress(url) &&
		(cache === undefined || cache === false || (typeof cache === 'string' && cache !== '')),
	// What the first worker's server said.
	sharedBytes: () => 8,
	async open({url, format, cache}, {isReadOnly, reactor, memory, offset}) {
		const {BlobDisk, blobError, toldUrl, usualCacheFolder} = await import('#devices/storage/blob');
		if (!isReadOnly) throw blobError('DISK_BLOB_WRITTEN', {url: toldUrl(url)});
		const disk = await BlobDisk.open(
			{url, format},
			{reactor, cache: cache === false ? undefined : (cache ?? usualCacheFolder())},
		);
		const {markNumber} = disk;
		const told = Atomics.compareExchange(new Int32Array(memory, offset, 1), 0, 0, markNumber);
		if (told === 0 || told === markNumber) return disk;
		await disk.close();
		throw blobError('DISK_BLOB_CHANGED', {url: toldUrl(url), what: 'another worker of the disk has found another one'});
	},
};

function isAddress(text: string): boolean {
	const url = URL.parse(text);
	return url !== null && protocols.includes(url.protocol) && url.username === '' && url.password === '';
}
