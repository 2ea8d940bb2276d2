import {spawn} from 'node:child_process';
import {mkdtempSync, rmSync, writeFileSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {text} from 'node:stream/consumers';
import test, {type ExecutionContext} from 'ava';
import {formatNames, openDisk} from '#devices/storage/image-formats';
import {isVmmError} from '#support/errors';
import {ownCommands} from './commands.ts';
import {runDiskCommand} from './disk-commands.ts';
import {statusOfError} from './exit-status.ts';
import {parseCommandLine} from './parse.ts';
import {errorLine} from './report.ts';

function folderOf(t: ExecutionContext): string {
	const folder = mkdtempSync(join(tmpdir(), 'openvmm-disk-'));
	t.teardown(() => rmSync(folder, {recursive: true, force: true}));
	return folder;
}

/** The words of a command line, with `%` in them for a folder. */
const wordsOf = (line: string, folder: string) => ['disk', ...line.split(' ').map((word) => word.replace('%', folder))];

/** Does what a line asks for, in this process. @returns the status, and what is said of an error */
async function obey(line: string, folder: string): Promise<readonly [status: number, said: string]> {
	try {
		const parsed = parseCommandLine(wordsOf(line, folder));
		if (parsed.command === 'boot' || parsed.command === 'ask') throw new TypeError(parsed.command);
		if (!parsed.command.startsWith('disk ')) throw new TypeError(parsed.command);
		const command = parsed.command as Parameters<typeof runDiskCommand>[0];
		return [await runDiskCommand(command, parsed.words, parsed.flags), ''];
	} catch (error) {
		if (!isVmmError(error)) throw error;
		return [statusOfError(error.code), errorLine(error.toData())];
	}
}

/** Runs the command. */
async function run(line: string, folder: string) {
	const child = spawn(process.execPath, ['src/main/cli/main.ts', ...wordsOf(line, folder)], {
		stdio: ['ignore', 'pipe', 'pipe'],
	});
	const ended = new Promise((resolve) => child.once('close', resolve));
	const [stdout, stderr] = await Promise.all([text(child.stdout), text(child.stderr), ended]);
	return {status: child.exitCode, stdout, stderr};
}

test('openvmm disk makes, shows, checks, converts, resizes and commits', async (t) => {
	t.timeout(900_000);
	const folder = folderOf(t);
	const done = [0, ''];
	t.deepEqual(await obey('create %/base.qcow2 64M --block-size 4K', folder), done);
	t.deepEqual(await obey('create %/it.img -f qcow2 -b base.qcow2', folder), done);
	t.deepEqual(await obey('resize %/it.img +64M -f qcow2', folder), done);
	const {stdout: info} = await run('info %/it.img -f qcow2 --json', folder);
	t.like(JSON.parse(info), {format: 'qcow2', sizeBytes: 2 ** 27, backing: {name: 'base.qcow2', format: 'qcow2'}});
	const committed = `base.qcow2 has all of it now; ${folder}/it.img may be removed\n`;
	t.deepEqual(await run('commit %/it.img -f qcow2 --progress', folder), {
		status: 0,
		stdout: committed,
		stderr: '100 %\n',
	});
	t.deepEqual(await obey('convert %/base.qcow2 %/new.raw', folder), done);
	t.deepEqual(await obey('convert -c zstd %/base.qcow2 %/small.qcow2', folder), done);
	const {stdout: small} = await run('info %/small.qcow2', folder);
	t.regex(small, /compression +zstd\n/);
	const {stdout} = await run('info %/base.qcow2', folder);
	t.regex(stdout, /format +qcow2\n +disk +128MB\n +takes .*\n +blocks +4KB\n/);
});

test('the help names all formats', (t) => {
	// It does not load them: start-up time is a feature.
	const format = ownCommands['disk info'].flags.find(({name}) => name === 'format');
	t.regex(format?.help ?? '', new RegExp(`: ${formatNames.join(', ')};`));
});

test('what openvmm disk cannot do is a line and a status', async (t) => {
	const folder = folderOf(t);
	writeFileSync(join(folder, 'none.qcow2'), 'no image');
	await obey('create %/it.qcow2 1M', folder);
	const held = await openDisk(join(folder, 'it.qcow2'), {writable: true});
	const wrong: readonly (readonly [string, number, RegExp])[] = [
		['creat %/x.qcow2 1M', 2, /Did you mean create\?.*CLI_ARGUMENT_UNEXPECTED/],
		['create', 2, /FILE is missing.*CLI_ARGUMENT_MISSING/],
		['create %/x.qcow2', 12, /DISK_SIZE_MISSING/],
		['create %/x.qcow2 many', 2, /CONFIG_VALUE_INVALID/],
		['create %/x.qcow2 1M 2M', 2, /CLI_ARGUMENT_TOO_MANY/],
		['create %/x.vmdk 1M', 12, /DISK_FORMAT_UNKNOWN/],
		['create %/x 1M -f vmdk', 12, /DISK_FORMAT_INVALID/],
		['create %/x.qcow2 1000', 12, /DISK_IMAGE_SIZE_INVALID/],
		['info %/missing.qcow2', 12, /ENOENT.*DISK_IMAGE_FILE_FAILED/],
		['check %/none.qcow2', 12, /does not begin as one.*DISK_IMAGE_DAMAGED/],
		['check %/it.qcow2 --repair everything', 2, /--repair.*CONFIG_VALUE_INVALID/],
		['convert -c lzma %/it.qcow2 %/x.qcow2', 2, /zlib or zstd.*CONFIG_VALUE_INVALID/],
		['info %/it.qcow2', 12, /another process.*DISK_IMAGE_IN_USE/],
		['resize %/it.qcow2', 2, /SIZE is missing/],
	];
	for (const [words, status, message] of wrong) {
		const [found, said] = await obey(words, folder);
		t.is(found, status, words);
		t.regex(said, message);
		t.is(said.trimEnd().split('\n').length, 1);
	}
	await held.close();
});
