/** The guest agent's compilers, which are put below `.packages/` where this machine does not have the very ones, and what they make. */

import {mkdirSync, renameSync, rmSync, writeFileSync} from 'node:fs';
import {join, relative} from 'node:path';
import {Apt} from '#main/debian';
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
			await restore(target);
		}
	},
};

async function restore(target: AgentTarget): Promise<void> {
	const apt = new Apt(join(PATHS.packages, 'apt'));
	const {compiler} = await apt.fetch('amd64', (list) => ({compiler: target.packages.map((name) => list.get(name))}));
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
			`This host's packages have another compiler than that of the committed guest agent (${target.compiler})`,
			'Run this on Debian 12.',
		);
}

/** Needs the compilers of all architectures. */
export const compileAgents: FloweyNode<void, void> = {
	name: 'compile-agents',
	async run(context) {
		for (const target of agentTargets) {
			const compiler = findCompiler(target);
			if (compiler === undefined)
				throw new FloweyError(`No compiler for ${target.architecture}`, 'Run flowey guest-agent on Debian 12.');
			const path = builtAgent(target.architecture);
			const program = compileAgent(compiler, target);
			writeFileSync(path, program, {mode: 0o755});
			context.log(`${relative(PATHS.repo, path)}: ${program.length} bytes`);
		}
	},
};
