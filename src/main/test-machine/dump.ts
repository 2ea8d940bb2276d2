import {mkdir, mkdtemp, writeFile} from 'node:fs/promises';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import type {VM} from '#main/api';
import {toText} from '#support/inspect';

/** What is written of a machine whose test has failed. */
export interface DumpChoices {
	/** Folder in which each failure gets one of its own; that of `OPENVMM_TEST_DUMPS`, or else the system's for temporary files, if not given. */
	readonly dumps?: string | undefined;
	/** Writes all of the guest's memory and its processors too, as a core file for gdb and crash. */
	readonly core?: boolean | undefined;
}

/** A part of the tree that does not answer keeps the rest no longer. */
const treeMs = 5000;
/** Levels of the tree. */
const wholeTree = 16;

/**
 * Writes what a machine has said, where it is, and what went wrong, into a new folder: `console.txt`, `inspect.txt`, `error.txt`, and `core`.
 * Whatever cannot be had is told of in its file: it never rejects for that.
 * @returns the folder
 */
export async function writeDump(vm: VM, error: unknown, {dumps, core = false}: DumpChoices = {}): Promise<string> {
	const place = dumps ?? process.env['OPENVMM_TEST_DUMPS'] ?? tmpdir();
	await mkdir(place, {recursive: true});
	const folder = await mkdtemp(join(place, `openvmm-${vm.name}-`));
	const put = async (name: string, content: () => string | Promise<string>) =>
		writeFile(join(folder, name), await Promise.resolve().then(content).catch(String));
	await put('error.txt', () => `${textOf(error)}\nThe machine: ${vm.machine.state}\n`);
	await put('console.txt', () => vm.console.text);
	await put('inspect.txt', async () => toText(await vm.machine.inspect('', {depth: wholeTree, timeoutMs: treeMs})));
	if (core && vm.machine.state !== 'stopped')
		await vm.machine.dumpCore(join(folder, 'core')).catch((cause) => put('core.txt', () => String(cause)));
	return folder;
}

const textOf = (error: unknown): string =>
	error instanceof Error ? (error.stack ?? error.message) : error === undefined ? 'A test has failed' : String(error);
