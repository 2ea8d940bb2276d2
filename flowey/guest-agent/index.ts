export {type AgentTarget, agentTargets, builtAgent, checkedFlags, compileAgent, findCompiler} from './compile.ts';
