export {agentProgram, type RealAgent, startAgent} from './real-agent.ts';
