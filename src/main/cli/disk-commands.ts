import {formatBytes} from '#main/config';
import {
	checkDisk,
	commitDisk,
	convertDisk,
	createDisk,
	diskInfo,
	type ImageInfo,
	type ImagePath,
	resizeDisk,
	type WantedImage,
} from '#main/disk-images';
import type {LongOperation} from '#support/abort';
import {invalidValue, parseNumber, parseSize} from '#support/options';
import {cliError} from './errors.ts';
import {exitStatuses} from './exit-status.ts';
import {withProgress} from './given-up.ts';
import type {FlagValues} from './parse.ts';
import {print, printable} from './print.ts';
import {tenths} from './tenths.ts';

type Flags = FlagValues<string>;

const compressions = ['zlib', 'zstd'] as const;

/** What each command does with its words. @returns the status to end with */
const diskCommands = {
	async 'disk create'([path = '', size], flags) {
		const backing = flags.last('backing');
		const below = backing === undefined ? undefined : {...image(backing, flags), format: flags.last('backing-format')};
		const wanted = {...wantedImage(path, flags, flags.last('format')), backing: below};
		await createDisk(wanted, size === undefined ? undefined : parseSize(size, 'SIZE'));
		return exitStatuses.ok.status;
	},
	async 'disk info'([path = ''], flags) {
		const info = await diskInfo(image(path, flags));
		print(1, flags.has('json') ? `${JSON.stringify(info, undefined, 2)}\n` : infoText(info));
		return exitStatuses.ok.status;
	},
	async 'disk check'([path = ''], flags) {
		const repair = flags.last('repair');
		if (repair !== undefined && repair !== 'leaks' && repair !== 'all')
			throw invalidValue('--repair', repair, 'leaks or all');
		const result = await shown(flags, (asked) => checkDisk(image(path, flags), repair, asked));
		const {leaks, faultCount, faults, repaired} = result;
		if (flags.has('json')) print(1, `${JSON.stringify(result, undefined, 2)}\n`);
		else {
			const more = faultCount - faults.length;
			const lines = [
				...faults.map((fault) => `fault: ${fault}`),
				...(more > 0 ? [`${more} more faults`] : []),
				...(repaired > 0 ? [`repaired: ${repaired}`] : []),
				...(leaks > 0 ? [`leaks: ${leaks} blocks that nothing uses (--repair leaks gives them back)`] : []),
			];
			print(1, `${(lines.length === 0 ? ['nothing is wrong'] : lines).map(printable).join('\n')}\n`);
		}
		return (faultCount === 0 ? exitStatuses.ok : exitStatuses.disk).status;
	},
	async 'disk convert'([path = '', to], flags) {
		if (to === undefined) throw missing('NEW', 'disk convert');
		const how = flags.last('compress');
		const compression = compressions.find((each) => each === how);
		if (how !== compression) throw invalidValue('--compress', how, compressions.join(' or '));
		const wanted = {...wantedImage(to, flags, flags.last('output-format')), compression};
		await shown(flags, (asked) => convertDisk(image(path, flags), wanted, asked));
		return exitStatuses.ok.status;
	},
	async 'disk resize'([path = '', size], flags) {
		if (size === undefined) throw missing('SIZE', 'disk resize');
		const at = image(path, flags);
		const added = size.startsWith('+') ? parseSize(size.slice(1), 'SIZE') : undefined;
		const wanted = added === undefined ? parseSize(size, 'SIZE') : (await diskInfo(at)).sizeBytes + added;
		const shrinks = flags.has('shrink');
		await shown(flags, (asked) => resizeDisk(at, wanted, {shrinks, ...asked}));
		return exitStatuses.ok.status;
	},
	async 'disk commit'([path = ''], flags) {
		const below = await shown(flags, (asked) => commitDisk(image(path, flags), asked));
		print(1, `${printable(below)} has all of it now; ${printable(path)} may be removed\n`);
		return exitStatuses.ok.status;
	},
} as const satisfies Record<string, (words: readonly string[], flags: Flags) => Promise<number>>;

/** Does what a command on disk images asks for. @throws VmmError CLI_*, CONFIG_*, DISK_*, OPERATION_ABORTED */
export async function runDiskCommand(
	command: keyof typeof diskCommands,
	words: readonly string[],
	flags: Flags,
): Promise<number> {
	if (words[0] === undefined) throw missing('FILE', command);
	return diskCommands[command](words, flags);
}

const missing = (argument: string, command: string) =>
	cliError('CLI_ARGUMENT_MISSING', {argument, help: `openvmm ${command} --help`});

function image(path: string, flags: Flags): ImagePath {
	const folders = flags.all('backing-folder');
	return {path, format: flags.last('format'), folders: folders.length === 0 ? undefined : folders};
}

function wantedImage(path: string, flags: Flags, format: string | undefined): WantedImage {
	const [block, version] = [flags.last('block-size'), flags.last('qcow2-version')];
	return {
		path,
		format,
		blockBytes: block === undefined ? undefined : parseSize(block, '--block-size'),
		version: version === undefined ? undefined : (parseNumber(version, '--qcow2-version', 2, 3) as 2 | 3),
		lazyRefcounts: flags.has('lazy-refcounts'),
		fixed: flags.has('fixed'),
	};
}

/** Work that says how far it is, and that signals give up. */
const shown = <T>(flags: Flags, work: (asked: LongOperation) => Promise<T>): Promise<T> =>
	withProgress('disk', work, flags.has('progress') ? tenths((text) => print(2, `${text}\n`)) : undefined);

function infoText({path, format, sizeBytes, allocatedBytes, blockBytes, backing, facts}: ImageInfo): string {
	const rows: readonly (readonly [string, string | number | boolean])[] = [
		['format', format],
		['disk', formatBytes(sizeBytes)],
		['takes', formatBytes(allocatedBytes)],
		['blocks', formatBytes(blockBytes)],
		...(backing === undefined
			? []
			: [['lies over', `${backing.name} (${backing.format ?? 'format not stated'})`] as const]),
		...Object.entries(facts),
	];
	return [path, ...rows.map(([name, value]) => `  ${name.padEnd(16)}${value}`), ''].map(printable).join('\n');
}
