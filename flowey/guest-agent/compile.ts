import {execFileSync} from 'node:child_process';
import {mkdtempSync, readdirSync, readFileSync, rmSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {PATHS} from '../core/index.ts';

/** An architecture that there is an agent for, and the compiler whose bytes are committed. */
export interface AgentTarget {
	readonly architecture: 'x86_64' | 'aarch64';
	/** Names under which the compiler may be found. */
	readonly compilers: readonly string[];
	/** What it says of itself, which names Debian's revision, and what its linker says. */
	readonly compiler: string;
	readonly linker: string;
	/** Debian's packages of it, and of what it needs besides a C library. */
	readonly packages: readonly string[];
}

const compiler = '(Debian 12.2.0-14+deb12u1) 12.2.0';
const linker = 'GNU ld (GNU Binutils for Debian) 2.40';
const libraries = [
	...['libgmp10', 'libisl23', 'libmpc3', 'libmpfr6', 'libzstd1', 'zlib1g', 'libjansson4'],
	...['libbinutils', 'libctf0', 'libctf-nobfd0', 'binutils-common'],
];

/** Debian 12's compilers of both. */
export const agentTargets: readonly AgentTarget[] = [
	{
		architecture: 'x86_64',
		compilers: ['gcc-12', 'x86_64-linux-gnu-gcc-12', 'gcc'],
		compiler,
		linker,
		packages: ['gcc-12', 'cpp-12', 'libgcc-12-dev', 'binutils', 'binutils-x86-64-linux-gnu', ...libraries],
	},
	{
		architecture: 'aarch64',
		compilers: ['aarch64-linux-gnu-gcc-12', 'aarch64-linux-gnu-gcc'],
		compiler: '(Debian 12.2.0-14) 12.2.0',
		linker,
		packages: [
			...['gcc-12-aarch64-linux-gnu', 'cpp-12-aarch64-linux-gnu', 'libgcc-12-dev-arm64-cross'],
			...['binutils-aarch64-linux-gnu', ...libraries],
		],
	},
];

/**
 * No library and no header but the compiler's own: what it makes depends on it and on the sources alone. Stack protectors want a C library's thread
 * area; without unwind tables and a build id nothing is in it that nobody reads.
 */
const compilerFlags: readonly string[] = [
	...['-std=c11', '-Os', '-Wall', '-Wextra', '-Werror'],
	...['-ffreestanding', '-nostdlib', '-static', '-fno-pie', '-no-pie', '-fno-stack-protector', '-fcf-protection=none'],
	...['-fno-asynchronous-unwind-tables', '-fno-unwind-tables', '-fno-tree-loop-distribute-patterns', '-fno-ident'],
	...['-Wl,--build-id=none', '-Wl,-z,noexecstack', '-Wl,-z,norelro', '-s'],
];

const sources = join(import.meta.dirname, 'source');

/** The committed binary of an architecture. */
export const builtAgent = (architecture: AgentTarget['architecture']): string =>
	join(import.meta.dirname, 'built', `guest-agent-${architecture}`);

/** A compiler that there is, and where what it needs of its own is looked for first. */
export interface FoundCompiler {
	readonly name: string;
	readonly env: NodeJS.ProcessEnv;
}

/** Where `flowey guest-agent` and the tests put compilers that this machine does not have. */
const restored = join(PATHS.packages, 'compilers');

const environmentOf = (folder: string): NodeJS.ProcessEnv => ({
	...process.env,
	PATH: `${join(folder, 'usr/bin')}:${process.env['PATH'] ?? ''}`,
	LD_LIBRARY_PATH: join(folder, 'usr/lib/x86_64-linux-gnu'),
});

/** @returns the compiler, if this machine has the very one, or it was restored */
export function findCompiler(target: AgentTarget): FoundCompiler | undefined {
	for (const env of [process.env, environmentOf(compilerFolder(target))]) {
		const name = target.compilers.find((each) => isTheOne(each, env, target));
		if (name !== undefined) return {name, env};
	}
	return undefined;
}

/** Folder of a compiler that is restored. */
export const compilerFolder = ({architecture}: AgentTarget): string => join(restored, architecture);

function isTheOne(name: string, env: NodeJS.ProcessEnv, target: AgentTarget): boolean {
	const says = (program: string, word: string) =>
		execFileSync(program, [word], {encoding: 'utf8', env, stdio: ['ignore', 'pipe', 'ignore']}).split('\n')[0] ?? '';
	try {
		return (
			says(name, '--version').endsWith(target.compiler) &&
			says(says(name, '-print-prog-name=ld'), '--version') === target.linker
		);
	} catch {
		return false;
	}
}

/** Has behaviour that C does not define end the program at once, which needs no library. */
export const checkedFlags: readonly string[] = ['-fsanitize=undefined', '-fsanitize-undefined-trap-on-error'];

/** Compiles the agent. @param more - flags beside those of the committed binary @returns the program */
export function compileAgent({name, env}: FoundCompiler, target: AgentTarget, more: readonly string[] = []): Buffer {
	const folder = mkdtempSync(join(tmpdir(), 'guest-agent-'));
	try {
		const files = readdirSync(sources).filter((name) => name.endsWith('.c'));
		const output = join(folder, 'agent');
		const flags = compilerFlags.filter((flag) => target.architecture === 'x86_64' || !flag.startsWith('-fcf-'));
		execFileSync(name, [...flags, ...more, ...files.sort(), '-o', output], {
			env,
			cwd: sources,
			stdio: ['ignore', 'inherit', 'inherit'],
		});
		return readFileSync(output);
	} finally {
		rmSync(folder, {recursive: true, force: true});
	}
}
