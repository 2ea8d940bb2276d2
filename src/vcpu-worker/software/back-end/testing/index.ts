export {enterVcpu, type LoneVcpu, LoneVcpus} from './lone-vcpus.ts';
