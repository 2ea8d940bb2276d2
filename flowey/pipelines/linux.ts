/** A stock Linux in OpenVMM, down to a shell. */

import {spawn} from 'node:child_process';
import {join, relative} from 'node:path';
import {DEFAULT_PROCESSORS} from '#test/incubator';
import {type Command, PATHS, runNode} from '../core/index.ts';
import {build} from '../nodes/build.ts';
import {ENTRY_POINTS} from '../nodes/entry-points.ts';
import {prepareIncubator} from '../nodes/prepare-incubator.ts';
import {restorePackages} from '../nodes/restore-packages.ts';
import {detectHostKvm, type HostKvm} from '../tests/host-kvm.ts';
import {runInIncubator} from './incubator.ts';

const TERMINAL_HOURS = 12;

/** Boots Debian's kernel with 512 MiB and two processors. */
export const linuxCommand: Command = {
	name: 'linux',
	usage: '[openvmm flags...]',
	summary: 'Boot a stock Debian kernel in OpenVMM to a shell, on the host KVM or else in the incubator',
	async run(words) {
		await runNode(build, {entryPoints: ENTRY_POINTS, folder: PATHS.dist});
		await runNode(restorePackages, {refresh: false});
		const argv = [process.execPath, join(PATHS.repo, 'src/main/cli/launcher.mjs'), ...guestFlags(), ...words];
		const hostKvm = detectHostKvm();
		if (hostKvm.kind === 'native') {
			return runHere(argv);
		}
		process.stderr.write(`linux: ${reason(hostKvm)}; running it in the incubator, which is emulated and slow\n`);
		await runNode(prepareIncubator, {mayInstall: false});
		const timeoutMs = TERMINAL_HOURS * 3600_000;
		return runInIncubator({processors: DEFAULT_PROCESSORS, memoryMib: 4096, timeoutMs, terminal: true, argv});
	},
};

function guestFlags(): string[] {
	const path = (name: string) => relative(PATHS.repo, join(PATHS.linux, name));
	const kernelWords = 'console=ttyS0';
	return ['-k', path('vmlinuz'), '-r', path('initrd.cpio'), '-m', '512M', '-p', '2', '-c', kernelWords];
}

function reason(hostKvm: HostKvm): string {
	return hostKvm.kind === 'none'
		? hostKvm.why
		: 'the KVM of this machine emulates kernel code, a stock Linux does not get through its boot';
}

function runHere([command, ...words]: readonly string[]): Promise<number> {
	return new Promise((resolve, reject) => {
		const child = spawn(command ?? '', words, {stdio: 'inherit', cwd: PATHS.repo});
		// The guest gets ^C: OpenVMM has the terminal.
		const ignore = () => undefined;
		process.on('SIGINT', ignore);
		child.on('error', reject);
		child.on('exit', (status) => {
			process.off('SIGINT', ignore);
			resolve(status ?? 1);
		});
	});
}
