import {existsSync, mkdirSync, mkdtempSync} from 'node:fs';
import {rm, writeFile} from 'node:fs/promises';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {allRead, type VM} from '#main/api';
import {toText} from '#support/inspect';

/** What is written of a machine whose test has failed. */
export interface DumpChoices {
	/** Folder in which each failure gets one of its own; that of `OPENVMM_TEST_DUMPS`, or else the system's for temporary files, if not given. */
	readonly dumps?: string | undefined;
	/** Writes all of the guest's memory and its processors too, as a core file for gdb and crash: of a guest that has crashed, as it was then. */
	readonly core?: boolean | undefined;
}

/** A machine, as far as it is written about. */
export type DumpedMachine = Pick<VM, 'name' | 'machine' | 'console'>;

/** A part of the tree that does not answer keeps the rest no longer. */
const treeMs = 5000;
/** Levels of the tree. */
const wholeTree = 16;

/** The folder for what is kept of a machine if its test fails. It is there before the machine, whose guest may crash at any time. */
export class DumpFolder implements AsyncDisposable {
	readonly path: string;
	readonly #isWithCore: boolean;
	#isFilled = false;

	/** @param name - of the machine @throws NodeJS.ErrnoException */
	constructor(name: string, {dumps, core = false}: DumpChoices = {}) {
		const place = dumps ?? process.env['OPENVMM_TEST_DUMPS'] ?? tmpdir();
		mkdirSync(place, {recursive: true});
		this.path = mkdtempSync(join(place, `openvmm-${name}-`));
		this.#isWithCore = core;
	}

	/** Where the machine itself writes a core when its guest crashes. */
	get crashDump(): {readonly crashDumpPath?: string} {
		return this.#isWithCore ? {crashDumpPath: this.#core} : {};
	}

	get isFilled(): boolean {
		return this.#isFilled;
	}

	get #core(): string {
		return join(this.path, 'core');
	}

	/** Writes what a machine has said, where it is, and what went wrong. Whatever cannot be had is told of in its file: it never rejects for that. */
	async fill({machine, console}: DumpedMachine, error: unknown): Promise<void> {
		this.#isFilled = true;
		if (machine.state === 'stopped') await allRead(console);
		await this.#put('error.txt', () => `${textOf(error)}\nThe machine: ${machine.state}\n`);
		await this.#put('console.txt', () => console.text);
		await this.#put('inspect.txt', async () =>
			toText(await machine.inspect('', {depth: wholeTree, timeoutMs: treeMs})),
		);
		if (!this.#isWithCore || existsSync(this.#core)) return;
		await machine.dumpCore(this.#core).catch((cause) => this.#put('core.txt', () => String(cause)));
	}

	async #put(name: string, content: () => string | Promise<string>): Promise<void> {
		await writeFile(join(this.path, name), await Promise.resolve().then(content).catch(String));
	}

	/** Removes it, unless it has been filled. */
	async [Symbol.asyncDispose](): Promise<void> {
		if (!this.#isFilled) await rm(this.path, {recursive: true, force: true});
	}
}

/**
 * Writes what a machine has said, where it is, and what went wrong, into a new folder: `console.txt`, `inspect.txt`, `error.txt`, and `core`.
 * Whatever cannot be had is told of in its file: it never rejects for that.
 * @returns the folder
 */
export async function writeDump(vm: VM, error: unknown, choices: DumpChoices = {}): Promise<string> {
	const folder = new DumpFolder(vm.name, choices);
	await folder.fill(vm, error);
	return folder.path;
}

const textOf = (error: unknown): string =>
	error instanceof Error ? (error.stack ?? error.message) : error === undefined ? 'A test has failed' : String(error);
