import {execFileSync} from 'node:child_process';
import {mkdtempSync, readdirSync, readFileSync, rmSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';

/** An architecture that there is an agent for, and the compiler whose bytes are committed. */
export interface AgentTarget {
	readonly architecture: 'x86_64' | 'aarch64';
	/** Names under which the compiler may be found. */
	readonly compilers: readonly string[];
	/** What it says of itself, which names Debian's revision, and what its linker says. */
	readonly compiler: string;
	readonly linker: string;
}

const compiler = '(Debian 12.2.0-14+deb12u1) 12.2.0';
const linker = 'GNU ld (GNU Binutils for Debian) 2.40';

/** Debian 12's compilers of both. */
export const agentTargets: readonly AgentTarget[] = [
	{architecture: 'x86_64', compilers: ['gcc-12', 'x86_64-linux-gnu-gcc-12', 'gcc'], compiler, linker},
	{
		architecture: 'aarch64',
		compilers: ['aarch64-linux-gnu-gcc-12', 'aarch64-linux-gnu-gcc'],
		compiler: '(Debian 12.2.0-14) 12.2.0',
		linker,
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

/** @returns the compiler, if this machine has the very one */
export function findCompiler(target: AgentTarget): string | undefined {
	return target.compilers.find((name) => {
		try {
			const says = (...words: string[]) =>
				execFileSync(name, words, {encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore']});
			const ld = says('-print-prog-name=ld').trim();
			const links = execFileSync(ld, ['--version'], {encoding: 'utf8'});
			return says('--version').split('\n')[0]?.endsWith(target.compiler) && links.split('\n')[0] === target.linker;
		} catch {
			return false;
		}
	});
}

/** Has behaviour that C does not define end the program at once, which needs no library. */
export const checkedFlags: readonly string[] = ['-fsanitize=undefined', '-fsanitize-undefined-trap-on-error'];

/** Compiles the agent. @param more - flags beside those of the committed binary @returns the program */
export function compileAgent(compiler: string, target: AgentTarget, more: readonly string[] = []): Buffer {
	const folder = mkdtempSync(join(tmpdir(), 'guest-agent-'));
	try {
		const files = readdirSync(sources).filter((name) => name.endsWith('.c'));
		const output = join(folder, 'agent');
		const flags = compilerFlags.filter((flag) => target.architecture === 'x86_64' || !flag.startsWith('-fcf-'));
		execFileSync(compiler, [...flags, ...more, ...files.sort(), '-o', output], {
			cwd: sources,
			stdio: ['ignore', 'inherit', 'inherit'],
		});
		return readFileSync(output);
	} finally {
		rmSync(folder, {recursive: true, force: true});
	}
}
