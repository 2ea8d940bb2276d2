export {
	backEndOf,
	chooseHypervisor,
	type HypervisorKind,
	type HypervisorOption,
	hypervisorOptions,
	isHypervisorLikely,
	likelyBackEnd,
	loadHypervisors,
	warmBackEnd,
} from './back-ends.ts';
export type {ChosenHypervisor} from './choose.ts';
