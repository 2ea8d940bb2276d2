/** Programs of `test/bench/guests`, which do a piece of work so many times and say when they begin and end. */
import {execFileSync} from 'node:child_process';
import {existsSync, lstatSync, readdirSync, readFileSync, readlinkSync, writeFileSync} from 'node:fs';
import {join} from 'node:path';
import {bytesContent, FileTree} from '#main/file-tree';
import {packCpio} from '#main/images';
import {gather} from '#main/tar';
import {stockFiles} from '#test/stock-kernels';

/** A piece of work. */
export interface Work {
	/** Of its function and file. */
	readonly name: string;
	/** How often it is done for one sample. */
	readonly times: number;
	/** The checksum that it has to give, each time. */
	readonly answer: number;
	/** What is counted, and how many of it one time has; else it is times. */
	readonly counts?: {readonly what: string; readonly each: number};
}

/** A program that does work. It has the same path in the guest as on this host. */
export interface WorkProgram {
	readonly works: readonly Work[];
	/** Words that run it; the name of the work and how often to do it follow. */
	readonly words: readonly [string, ...string[]];
	/** All files and folders that it needs. */
	readonly paths: readonly string[];
}

/** How C is compiled. */
export interface CompileOptions {
	readonly flags?: readonly string[];
	/** The harness is not compiled with those, and says where the processor lacks what they ask for. */
	readonly needsAvx2?: boolean;
	readonly libraries?: readonly string[];
}

const sources = join(process.cwd(), 'test/bench/guests');
const packages = join(process.cwd(), '.packages/bench');
const include = ['-I', join(packages, 'sqlite')];

/** What tells sources of the works that there are. */
const worksFlag = (works: readonly Work[]): string => `-DWORKS=${works.map(({name}) => `WORK(${name})`).join(' ')}`;

const cc = (...words: string[]) => execFileSync('cc', words, {cwd: sources, stdio: ['ignore', 'inherit', 'pipe']});

/** Compiles the works to one program without shared libraries. @param folder - where it goes @throws what the compiler says */
export function compile(folder: string, works: readonly Work[], options: CompileOptions = {}): WorkProgram {
	const {flags = ['-O2'], needsAvx2 = false, libraries = []} = options;
	const program = join(folder, 'work');
	const objects = works.map(({name}) => join(folder, `${name}.o`));
	for (const [index, {name}] of works.entries())
		cc(...flags, ...include, worksFlag(works), '-c', '-o', objects[index] as string, `${name}.c`);
	const link = [...objects, ...libraries.map((name) => join(packages, name)), '-lm'];
	cc('-O2', ...(needsAvx2 ? ['-DNEEDS_AVX2'] : []), '-static', worksFlag(works), '-o', program, 'linux.c', ...link);
	return {works, words: [program], paths: [program]};
}

/** Compiles a program that is no work, without shared libraries. @param folder - where it goes @returns its path @throws what the compiler says */
export function compileProgram(folder: string, name: string): string {
	const program = join(folder, name);
	cc('-O2', '-static', '-o', program, `${name}.c`);
	return program;
}

/** Compiles the works to a multiboot kernel, for code of 32 bits. @returns its path @throws what the compiler says */
export function compileKernel(folder: string, works: readonly Work[]): string {
	const kernel = join(folder, 'kernel');
	const code =
		'-m32 -march=i686 -mno-sse -O2 -ffreestanding -fno-pie -fno-stack-protector -fno-asynchronous-unwind-tables';
	// What it starts with is to be near the beginning of the file.
	const layout = '-nostdlib -static -no-pie -Wl,-N,-Ttext=0x100000,--build-id=none multiboot.c';
	const times = `-DTIMES=${works.map((each) => each.times).join()}`;
	const files = works.map(({name}) => `${name}.c`);
	cc(...code.split(' '), ...layout.split(' '), worksFlag(works), times, '-o', kernel, ...files);
	return kernel;
}

/** Debian's Python with a script, as it is on this host or not. */
export function python(works: readonly Work[]): WorkProgram {
	const root = join(packages, 'python');
	const script = join(sources, 'python.py');
	const libraries = ['lib', 'usr/lib'].map((path) => join(root, path, 'x86_64-linux-gnu'));
	const loader = libraries.map((path) => join(path, 'ld-linux-x86-64.so.2')).find((path) => existsSync(path));
	const name = readdirSync(join(root, 'usr/bin')).find((each) => /^python3\.\d+$/.test(each));
	if (loader === undefined || name === undefined) throw new Error(`No Python in ${root}: delete it`);
	const words = ['--library-path', libraries.join(':'), join(root, 'usr/bin', name), '-I', '-S', '-B', script];
	return {works, words: [loader, ...words], paths: [root, script]};
}

/** Adds a file, or a folder with all that is in it, at the path that it has on this host. */
function addPath(tree: FileTree, path: string): void {
	const attributes = lstatSync(path);
	if (attributes.isDirectory()) for (const name of readdirSync(path)) addPath(tree, join(path, name));
	else if (attributes.isSymbolicLink()) tree.addLink(path, readlinkSync(path));
	else tree.addFile(path, bytesContent(readFileSync(path)), attributes.mode & 0o777);
}

/** Makes an initial file system that has the programs beside the tests' own. @returns the path of a script that runs all of their work */
export async function writeWorkInitrd(path: string, programs: readonly WorkProgram[]): Promise<string> {
	const tree = new FileTree(0);
	for (const each of programs.flatMap(({paths}) => paths)) addPath(tree, each);
	const script = '/run-work';
	const lines = programs.flatMap(({words, works}) =>
		works.map(({name, times}) => [...words, name, times].map((word) => `'${word}'`).join(' ')),
	);
	tree.addFile(script, bytesContent(`${lines.join('\n')}\n`));
	// Linux unpacks one archive behind the other.
	writeFileSync(path, Buffer.concat([readFileSync(stockFiles('cloud').initrd), await gather(packCpio(tree))]));
	return script;
}
