import {join} from 'node:path';
import type {BaseSystem} from '#main/debian';
import {buildDebianImage, type DebianImageBuild, type ImageStep} from '#main/images';
import {shellLine} from '#main/operations';
import {isVmmError} from '#support/errors';
import {parseNumber, parseSize} from '#support/options';
import {cliError} from './errors.ts';
import {statusOfSignal} from './exit-status.ts';
import {parseMirror} from './mirror-flag.ts';
import type {FlagValues} from './parse.ts';
import {print} from './print.ts';
import {howFar} from './progress-line.ts';
import {splitNames} from './split-names.ts';
import type {Environment} from './to-config.ts';

const help = 'openvmm image build --help';

type Flags = FlagValues<string>;

const distribution = 'debian';

/** `openvmm image build debian`. @param words - behind `image build` @returns the status to end with @throws VmmError */
export async function buildImage([word]: readonly string[], flags: Flags, env: Environment): Promise<number> {
	if (word === undefined) throw cliError('CLI_ARGUMENT_MISSING', {argument: distribution, help});
	if (word !== distribution) throw cliError('CLI_WORD_UNKNOWN', {word, known: distribution, help});
	const build = imageBuild(flags, env);
	const ending = new AbortController();
	let status = 0;
	for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
		// A second one ends the process by force.
		process.once(signal, () => {
			status = statusOfSignal(signal);
			ending.abort(new Error(signal));
		});
	}
	const progress = progressLine(process.stderr.isTTY === true, (text) => print(2, text));
	try {
		await buildDebianImage(build, {signal: ending.signal, progress: progress.show});
	} catch (error) {
		if (status === 0 || !isVmmError(error, 'OPERATION_ABORTED')) throw error;
		return status;
	} finally {
		progress.end();
	}
	print(1, `${bootLine(build)}\n`);
	return 0;
}

/** What the flags ask for. @throws VmmError CONFIG_VALUE_INVALID, CONFIG_NUMBER_RANGE, CONFIG_KEY_* */
export function imageBuild(flags: Flags, env: Environment): DebianImageBuild {
	const list = (flag: string) => flags.all(flag).flatMap(splitNames);
	const size = flags.last('size');
	const time = flags.last('time') ?? env['SOURCE_DATE_EPOCH'];
	const limit = flags.last('configure-limit');
	const folder = flags.last('out') ?? 'debian';
	const place = (flag: string, name: string) => flags.last(flag) ?? join(folder, name);
	const whole = flags.last('whole');
	return whereGiven({
		packages: list('packages'),
		components: list('components'),
		modules: list('modules'),
		mirrors: flags.all('mirror').map(parseMirror),
		commands: flags.all('command'),
		base: flags.last('base') as BaseSystem | undefined,
		configure: flags.last('configure') as DebianImageBuild['configure'] | undefined,
		configureSeconds:
			limit === undefined ? undefined : parseNumber(limit, '--configure-limit', 1, Number.MAX_SAFE_INTEGER),
		hypervisor: flags.last('hypervisor') as DebianImageBuild['hypervisor'] | undefined,
		suite: flags.last('suite'),
		keyring: flags.last('keyring'),
		cache: flags.last('cache'),
		kernelPackage: flags.last('kernel-package'),
		hostName: flags.last('hostname'),
		sizeBytes: size === undefined ? undefined : parseSize(size, '--size'),
		time: time === undefined ? undefined : parseNumber(time, '--time or SOURCE_DATE_EPOCH', 0, Number.MAX_SAFE_INTEGER),
		files: {
			kernel: place('kernel', 'vmlinuz'),
			initrd: place('initrd', 'initrd.gz'),
			disk: place('disk', 'disk.img'),
			...(whole !== undefined && {whole}),
		},
	});
}

type Given<T> = {[K in keyof T]: Exclude<T[K], undefined>};

/** Without what is undefined or has nothing in it. */
const whereGiven = <T extends object>(all: T): Given<T> =>
	Object.fromEntries(
		Object.entries(all).filter(([, value]) => value !== undefined && (!Array.isArray(value) || value.length > 0)),
	) as Given<T>;

const stepTexts: Readonly<Record<ImageStep, string>> = {
	packages: 'reads the package lists',
	download: 'downloads packages',
	unpack: 'unpacks them',
	configure: 'configures packages in a guest',
	write: 'writes the files',
};

/**
 * Says how far an image is: on a terminal in one line that changes, with how long the step takes yet, elsewhere in a line for each step.
 * @param now - milliseconds of a clock that only goes forward
 */
export function progressLine(isTerminal: boolean, say: (text: string) => void, now = () => performance.now()) {
	let said = '';
	let begun: {step: ImageStep; atMs: number} | undefined;
	return {
		show(step: ImageStep, done: number, total: number): void {
			if (begun?.step !== step) begun = {step, atMs: now()};
			const percent = isTerminal && total > 0 ? howFar(done, total, now() - begun.atMs) : '';
			const amount = step === 'configure' ? total : `${Math.ceil(total / 2 ** 20)} MB`;
			const size = total > 0 ? ` (${amount})` : '';
			const text = `openvmm: ${stepTexts[step]}${size}${percent}`;
			if (text === said) return;
			said = text;
			say(isTerminal ? `\r${text}\x1b[K` : `${text}\n`);
		},
		/** What is said next begins a line. */
		end(): void {
			if (isTerminal && said !== '') say('\r\x1b[K');
		},
	};
}

/** The command that boots an image. */
export function bootLine({files}: DebianImageBuild): string {
	return shellLine([
		...['openvmm', '-k', files.kernel, '-r', files.initrd],
		...['--virtio-blk', `file:${files.disk}`, '-m', '1G'],
	]);
}
