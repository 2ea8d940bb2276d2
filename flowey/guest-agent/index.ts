export {type AgentTarget, agentTargets, builtAgent, compileAgent, findCompiler} from './compile.ts';
