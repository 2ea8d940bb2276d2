export {nvmeType} from './device-type.ts';
export {
	attachNamespace,
	detachNamespace,
	mostNamespaceId,
	type NamespaceConfig,
	type NvmeConfig,
	nvmeKind,
} from './handle.ts';
export {nvme, nvmeOver} from './nvme.ts';
