export {
	type AgentTarget,
	agentTargets,
	builtAgent,
	checkedFlags,
	compileAgent,
	compilerFolder,
	type FoundCompiler,
	findCompiler,
} from './compile.ts';
