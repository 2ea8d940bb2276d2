export {ScriptedHypervisor, type ScriptStep} from './scripted-hypervisor.ts';
export {ScriptedVcpu} from './scripted-vcpu.ts';
