/** Compiles the guest agent, and writes what is committed. */

import {writeFileSync} from 'node:fs';
import {relative} from 'node:path';
import {FloweyError, type FloweyNode, PATHS} from '../core/index.ts';
import {agentTargets, builtAgent, compileAgent, findCompiler} from '../guest-agent/index.ts';

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
