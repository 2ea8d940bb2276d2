export {backEndOf, type HypervisorKind, loadHypervisor, warmBackEnd} from './back-ends.ts';
