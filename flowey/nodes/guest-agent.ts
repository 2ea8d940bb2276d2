/** The guest agent's compilers, which are put below `.packages/` where this machine does not have the very ones, and what they make. */

import {mkdirSync, readFileSync, renameSync, rmSync, writeFileSync} from 'node:fs';
import {join, relative} from 'node:path';
import {Apt, type PackageSource} from '#main/debian';
import {debianSuites, findKeyring, Mirror, PackageCache} from '#main/mirror';
import {execute, FloweyError, type FloweyNode, PATHS} from '../core/index.ts';
import {
	type AgentTarget,
	agentTargets,
	builtAgent,
	compileAgent,
	compilerFolder,
	findCompiler,
} from '../guest-agent/index.ts';

/** What is made by other compilers has other bytes than what is committed. */
export const restoreCompilers: FloweyNode<void, void> = {
	name: 'restore-compilers',
	async run(context) {
		const missing = agentTargets.filter((target) => findCompiler(target) === undefined);
		if (missing.length === 0) context.skip('they are here');
		for (const target of missing) {
			context.log(`downloading the compiler for ${target.architecture}`);
			await restore(target, await releasePackages());
		}
	},
};

/** The release of Debian whose compilers made what is committed. */
const release = 'bookworm';

/** Where its packages are from: where the host has its own if it is of this release, else Debian's mirrors, checked by Debian's keyring. */
async function releasePackages(): Promise<PackageSource> {
	const isHost = new RegExp(`^VERSION_CODENAME=${release}$`, 'm').test(readFileSync('/etc/os-release', 'utf8'));
	if (isHost) return new Apt(join(PATHS.packages, 'apt'));
	const cache = await PackageCache.open(join(PATHS.packages, 'mirror'));
	return Mirror.open(debianSuites(release, ['main']), {keyring: await findKeyring(), cache});
}

/** @param packages - of the release */
async function restore(target: AgentTarget, packages: PackageSource): Promise<void> {
	const {compiler} = await packages.fetch('amd64', (list) => ({
		compiler: target.packages.map((name) => list.get(name)),
	}));
	const folder = compilerFolder(target);
	const unpacked = `${folder}.new`;
	rmSync(unpacked, {recursive: true, force: true});
	mkdirSync(unpacked, {recursive: true});
	for (const {path} of compiler) {
		const {status, stderr} = await execute('dpkg-deb', ['-x', path, unpacked]);
		if (status !== 0) throw new FloweyError(`${path} cannot be unpacked: ${stderr}`, 'Delete it, and try again.');
	}
	rmSync(folder, {recursive: true, force: true});
	renameSync(unpacked, folder);
	if (findCompiler(target) === undefined)
		throw new FloweyError(
			`Debian's ${release} has another compiler by now than that of the committed guest agent (${target.compiler}), or the compiler does not run here`,
			'Name the new one in flowey/guest-agent/compile.ts, and commit what it makes.',
		);
}

/** Needs the compilers of all architectures. */
export const compileAgents: FloweyNode<void, void> = {
	name: 'compile-agents',
	async run(context) {
		for (const target of agentTargets) {
			const compiler = findCompiler(target);
			if (compiler === undefined)
				throw new FloweyError(`No compiler for ${target.architecture}`, 'Run flowey guest-agent, which fetches it.');
			const path = builtAgent(target.architecture);
			const program = compileAgent(compiler, target);
			writeFileSync(path, program, {mode: 0o755});
			context.log(`${relative(PATHS.repo, path)}: ${program.length} bytes`);
		}
	},
};
